"""The directory of a run: configuration, checkpoints, TensorBoard, metrics and the model."""

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rich.console
import rich.table
from safetensors import SafetensorError

from keras_bert.atomic import remove_incomplete, write_json
from keras_bert.command_line import flag
from keras_bert.errors import InputError
from keras_bert.outputs import check_directory
from keras_bert.training.checkpoint_directory import checkpoint_at, newest_checkpoint
from keras_bert.training.event_files import cut_event_files
from keras_bert.training.provenance import digest, versions
from keras_bert.training.workers import Workers

# Options that change neither the numbers nor where they are written.
_FREE_OPTIONS = (
    *("output", "checkpoint_steps", "keep_checkpoints", "skip_limit", "allow_changes"),
    *("sample_steps", "histograms", "profile_steps"),
)
_CONFIG, _METRICS = "config.json", "metrics.json"
_LISTED = 5


class RunDirectory:
    """Makes a run directory or finds a stopped run in it, and knows the places inside it.

    While the block runs, no other process can train there.

    Args:
        path: The directory; it must not hold a finished run, nor one of other options.
        options: dict. The resolved options, written to `config.json`. With a true `allow_changes`
            a stopped run goes on under changed options.
        defaults: dict or None. Defaults of the options that have one. A run of an earlier version,
            which did not know an option, goes on where the option has its default, or the value of
            one that is no longer known.
        workers: `Workers` or None. The processes that train together, all of which see the
            directory; only the chief writes there. None for one process.

    Raises:
        InputError: If the directory holds a finished run, one of other options, another process'
            run, or something else.

    Example:

    ```python
    with RunDirectory(options.output, resolved(options)) as run:
        ...                             # Check and read the inputs.
        run.create(inputs={"data": sha256})
        run.saved                       # The newest checkpoint of a stopped run.
    ```
    """

    def __init__(
        self,
        path: str | os.PathLike,
        options: dict[str, Any],
        *,
        defaults: dict[str, Any] | None = None,
        workers: Workers | None = None,
    ):
        self.path = Path(path)
        self.workers = workers or Workers()
        self.saved: tuple[Path, dict[str, Any]] | None = None
        self._options = {name: v for name, v in options.items() if name != "allow_changes"}
        self._allows_changes = bool(options.get("allow_changes"))
        self._defaults = defaults or {}
        self._earlier: dict[str, Any] = {}
        self._inputs: dict[str, str] = {}
        self._resources = contextlib.ExitStack()
        if self.workers.is_chief:
            check_directory(str(path), "--output")
        self._check_unfinished()

    def __enter__(self) -> "RunDirectory":
        if (self.path / _CONFIG).exists():
            with self._resources:
                self._earlier = earlier_options(self.path / _CONFIG, self._options)
                self._lock()
                self._check_unfinished()
                self._refuse(changes_of_options(self._earlier, self._options, self._defaults))
                self._resources = self._resources.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self._resources.close()

    def create(self, inputs: dict[str, str] | None = None) -> None:
        """Makes the directory, or finds its newest checkpoint; called once inputs are checked.

        Args:
            inputs: dict. Fingerprints of what the options name, by option: a stopped run goes on
                with the same only.

        Raises:
            InputError: If a stopped run had other inputs, no checkpoint of it is whole, or another
                process trains here.
        """
        self._inputs = inputs or {}
        self._check_workers()
        if self.workers.is_chief:
            self._find()
        step = self.workers.of_chief(self.saved[1]["step"] if self.saved else -1)
        if not self.workers.is_chief and step >= 0:
            self.saved = checkpoint_at(self.checkpoints, step)
        if self.saved is None:
            self.begin()

    def _check_workers(self) -> None:
        # All have looked at the directory before the chief changes it.
        own = digest([_binding(self._options), self._inputs])
        if self.workers.any(self.workers.of_chief(own) != own):
            raise InputError(
                f"{self.path}: every worker must be started with the same options and inputs. "
                f"Received: others in one of {self.workers.count} workers"
            )

    def _find(self) -> None:
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            if not (self.path / _CONFIG).exists():
                self._lock()
                if (self.path / _CONFIG).exists():
                    raise InputError(f"{self.path}: another process has begun a run here")
            remove_incomplete(self.path)
            remove_incomplete(self.checkpoints)
            self.saved = newest_checkpoint(self.checkpoints, warn=_warn)
            if self.saved is not None:
                self._refuse(self._changes_of_inputs())
                self._check_lost_options()
                self._warn_of_versions()

    def begin(self) -> None:
        """Writes `config.json` and removes from TensorBoard what comes after the checkpoint."""
        if not self.workers.is_chief:
            return
        with writing(self.path):
            cut_event_files(self.tensorboard, self.saved[1]["event_files"] if self.saved else {})
            write_json(self.path / _CONFIG, self._options)

    def description(self) -> dict[str, Any]:
        """Returns what a checkpoint says of its run: options, inputs and versions, as JSON."""
        return {
            "options": self._options,
            "defaults": self._defaults,
            "inputs": self._inputs,
            "versions": versions(),
        }

    def _warn_of_versions(self) -> None:
        path, state = self.saved
        earlier = state["versions"]
        changes = [
            f"{name}: {earlier.get(name)} -> {version}"
            for name, version in versions().items()
            if earlier.get(name) != version
        ]
        if changes:
            _warn(f"{path}: saved with other versions, bits may differ: {'; '.join(changes)}")

    def _check_unfinished(self) -> None:
        if (self.path / _METRICS).exists():
            raise InputError(f"{self.path}: holds a run already; choose another --output")

    def _lock(self) -> None:
        if not self.workers.is_chief:
            return
        self._resources.enter_context(locked(self.path))

    def _changes_of_inputs(self) -> list[str]:
        earlier = self.saved[1]["inputs"]
        return [
            f"what {flag(name)} names: {earlier[name]} -> {self._inputs[name]}"
            for name in sorted(earlier.keys() & self._inputs)
            if earlier[name] != self._inputs[name]
        ]

    def _check_lost_options(self) -> None:
        """Refuses, or tells of, what an earlier version was told and this one does not know."""
        lost = {name: v for name, v in self._earlier.items() if name not in self._options}
        defaults = self.saved[1].get("defaults", {})
        unknown = object()
        new = [v for name, v in self._options.items() if name not in self._earlier]
        changed = {
            name: value
            for name, value in lost.items()
            if name not in _FREE_OPTIONS
            and defaults.get(name, unknown) not in (unknown, value)
            and value not in new
        }
        self._refuse([f"{flag(name)}: {value} -> no option" for name, value in changed.items()])
        if lost:
            names = ", ".join(f"{flag(name)} {value}" for name, value in lost.items())
            _warn(f"{self.path}: this version has no option for what the run began with: {names}")

    def _refuse(self, changes: list[str]) -> None:
        if not changes or self._allows_changes:
            return
        more = f" and {len(changes) - _LISTED} more" if len(changes) > _LISTED else ""
        raise InputError(
            f"{self.path}: holds a run already, begun otherwise ({'; '.join(changes[:_LISTED])}"
            f"{more}); choose another --output, or go on with it by --allow-changes"
        )

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        return self.path / "model"

    def shown(self, *callbacks: Any) -> tuple:
        """Returns callbacks that a person watches: none on workers other than the chief."""
        return callbacks if self.workers.is_chief else ()

    def save_model(self, model: Any, tokenizer: Any) -> None:
        """Writes the trained model."""
        if self.workers.is_chief:
            with writing(self.model):
                model.save_checkpoint(self.model, tokenizer=tokenizer)

    def finish(self, title: str, metrics: dict[str, Any]) -> None:
        """Writes `metrics.json` and prints the summary table, once all workers have ended."""
        self.workers.wait()
        if not self.workers.is_chief:
            return
        with writing(self.path):
            write_json(self.path / _METRICS, metrics)
        table = rich.table.Table(title=title)
        table.add_column("metric")
        table.add_column("value", justify="right")
        for name, value in _flat(metrics):
            table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
        rich.console.Console().print(table)


def _binding(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in _FREE_OPTIONS}


def earlier_options(path: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Reads the options that were written when a run began.

    Args:
        path: The file.
        options: dict. Those of now.

    Raises:
        InputError: If it is damaged or of something else than such a run.
    """
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: damaged configuration of a run: {error}") from error
    # Versions have few options that others have not; another command shares less than half.
    if not isinstance(earlier, dict) or 2 * len(earlier.keys() & options) < len(earlier):
        raise InputError(f"{path}: not the configuration of such a run; choose another --output")
    return earlier


def changes_of_options(
    earlier: dict[str, Any], options: dict[str, Any], defaults: dict[str, Any]
) -> list[str]:
    """Returns which options that matter differ from those a run began with, as `--seed: 1 -> 2`.

    An option that the run's version did not know had what is now its default, or another name.

    Args:
        earlier: dict. The options that were written when the run began.
        options: dict. Those of now.
        defaults: dict. The defaults of now; an option without one is not compared with a run that
            did not know it.
    """
    earlier, options = _binding(earlier), _binding(options)
    lost = [value for name, value in earlier.items() if name not in options]
    changes = []
    for name, value in sorted(options.items()):
        if name in earlier:
            if earlier[name] != value:
                changes.append(f"{flag(name)}: {earlier[name]} -> {value}")
        elif value != defaults.get(name, value) and value not in lost:
            changes.append(f"{flag(name)}: {defaults[name]} -> {value}")
    return changes


def _flat(metrics, prefix=""):
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", value


@contextlib.contextmanager
def locked(directory: str | os.PathLike) -> Iterator[None]:
    """Keeps other processes from training in a directory, which must exist.

    Raises:
        InputError: If another process does.
    """
    # Left in place: whoever removed it could lock a file that has no name any more.
    lock = os.open(Path(directory) / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"{directory}: another process is training here") from error
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def writing(place: str | os.PathLike) -> Iterator[None]:
    """Turns the error of a full or read-only disk into an `InputError` of one line."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{place}: cannot write: {reason}; the same command goes on from the last checkpoint"
        ) from error


def _warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr, flush=True)
