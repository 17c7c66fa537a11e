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
from keras_bert.errors import InputError
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
        self, path: str | os.PathLike, options: dict[str, Any], *, workers: Workers | None = None
    ):
        self.path = Path(path)
        self.workers = workers or Workers()
        self.saved: tuple[Path, dict[str, Any]] | None = None
        self._options = {name: v for name, v in options.items() if name != "allow_changes"}
        self._allows_changes = bool(options.get("allow_changes"))
        self._inputs: dict[str, str] = {}
        self._resources = contextlib.ExitStack()
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path}: must be a directory; choose another --output")
        self._check_unfinished()

    def __enter__(self) -> "RunDirectory":
        if (self.path / _CONFIG).exists():
            with self._resources:
                earlier = self._earlier_options()
                self._lock()
                self._check_unfinished()
                self._check_changes(earlier)
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
                self._check_same(self.saved[1]["inputs"], self._inputs, "what {} names")
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
        return {"options": self._options, "inputs": self._inputs, "versions": versions()}

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
        # Left in place: whoever removed it could lock a file that has no name any more.
        lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        self._resources.callback(os.close, lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"{self.path}: another process is training here") from error

    def _earlier_options(self) -> dict[str, Any]:
        path = self.path / _CONFIG
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: damaged configuration of a run: {error}") from error
        if not isinstance(earlier, dict) or not set(earlier) <= set(self._options):
            raise InputError(
                f"{path}: not the configuration of such a run; choose another --output"
            )
        return earlier

    def _check_changes(self, earlier: dict[str, Any]) -> None:
        # An option that the run's version did not know had its default, as it has now if unnamed.
        named = {name: value for name, value in self._options.items() if name in earlier}
        self._check_same(_binding(earlier), _binding(named), "{}")

    def _check_same(self, old: dict[str, Any], new: dict[str, Any], form: str) -> None:
        changes = []
        for name in sorted(set(old) | set(new)):
            if old.get(name) != new.get(name):
                what = form.format(f"--{name.replace('_', '-')}")
                changes.append(f"{what}: {old.get(name)} -> {new.get(name)}")
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


def _flat(metrics, prefix=""):
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", value


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
