"""The directory of a run: configuration, checkpoints, TensorBoard, metrics and the model."""

import contextlib
import fcntl
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import rich.console
import rich.table
from safetensors import SafetensorError

from keras_bert.atomic import remove_incomplete, write_json
from keras_bert.command_line import flag
from keras_bert.errors import InputError
from keras_bert.outputs import check_directory
from keras_bert.training.checkpoint_directory import (
    checkpoint_at,
    newest_checkpoint,
    newest_step,
)
from keras_bert.training.event_files import cut_event_files
from keras_bert.training.provenance import digest, versions
from keras_bert.training.run_length import RunLength
from keras_bert.training.run_options import (
    binding,
    changes_of_options,
    earlier_options,
    lost_options,
)
from keras_bert.training.run_record import Input, RunRecord, changes_of_inputs
from keras_bert.training.workers import Workers

_CONFIG, _METRICS = "config.json", "metrics.json"
_LISTED = 5


class RunDirectory:
    """Makes a run directory or finds a stopped run in it, and knows the places inside it.

    While the block runs, no other process can train there.

    Args:
        path: The directory; it must not hold a run of other options, nor a finished one, unless
            that is to become longer.
        options: dict. The resolved options, written to `config.json`. With a true `allow_changes`
            a stopped run goes on under changed options.
        defaults: dict or None. Defaults of the options that have one. A run of an earlier version,
            which did not know an option, goes on where the option has its default, or the value of
            one that is no longer known.
        workers: `Workers` or None. The processes that train together, all of which see the
            directory; only the chief writes there. None for one process.
        named: dict or None. For each input that `create` is told of, the options that say where it
            is and how it is written: they may be spelled otherwise where the input is the same.
        length: str or None. The option that says how long the run is: `"steps"`, or another one
            whose steps `create` is told. A finished run goes on where it has grown; None for never.

    Raises:
        InputError: If the directory holds a finished run, one of other options, another process'
            run, or something else.

    Example:

    ```python
    with RunDirectory(options.output, resolved(options), length="steps") as run:
        ...                             # Check and read the inputs.
        run.create({"data": sha256}, total_steps=options.steps)
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
        named: Mapping[str, Collection[str]] | None = None,
        length: str | None = None,
    ):
        self.path = Path(path)
        self.workers = workers or Workers()
        self.saved: tuple[Path, dict[str, Any]] | None = None
        self._options = {name: v for name, v in options.items() if name != "allow_changes"}
        self._allows_changes = bool(options.get("allow_changes"))
        self._defaults = defaults or {}
        self._named = named or {}
        self._length = length
        self._earlier: dict[str, Any] = {}
        self._earlier_record: RunRecord | None = None
        self._record = RunRecord({})
        self._run_length: RunLength | None = None
        self._let_through: list[str] = []
        self._resources = contextlib.ExitStack()
        if self.workers.is_chief:
            check_directory(str(path), "--output")
        if self._length is None:
            self._check_unfinished()

    def __enter__(self) -> "RunDirectory":
        if not (self.path / _CONFIG).exists():
            self._check_unfinished()
            return self
        with self._resources:
            self._earlier = earlier_options(self.path / _CONFIG, self._options)
            self._lock()
            self._earlier_record = RunRecord.read(self.path)
            self._check_length()
            known = self._earlier_record.inputs if self._earlier_record else {}
            ignored = {option for name in known for option in self._named.get(name, ())}
            length = self._run_length
            if length is not None and length.has_ended and length.grows:
                ignored.add(length.option)
            self._refuse(
                changes_of_options(self._earlier, self._options, self._defaults, ignored=ignored)
            )
            self._resources = self._resources.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self._resources.close()

    def create(
        self,
        inputs: Mapping[str, Input | str | None] | None = None,
        *,
        total_steps: int | None = None,
    ) -> None:
        """Makes the directory, or finds its newest checkpoint; called once inputs are checked.

        Args:
            inputs: dict. Fingerprints of what the options name, by option: a stopped run goes on
                with the same only.
            total_steps: int or None. Steps of the whole run.

        Raises:
            InputError: If a stopped run had other inputs or has done more steps, no checkpoint of
                it is whole, or another process trains here.
        """
        told = {n: i if isinstance(i, Input) else Input(i) for n, i in (inputs or {}).items()}
        digests = {name: told[name].digest for name in told}
        events = self._earlier_record.events if self._earlier_record else ()
        self._record = RunRecord(digests, total_steps, events)
        self._check_workers()
        if self.workers.is_chief:
            self._find(told)
        step = self.workers.of_chief(self.saved[1]["step"] if self.saved else -1)
        if not self.workers.is_chief and step >= 0:
            self.saved = checkpoint_at(self.checkpoints, step)
        self._go_on(max(step, 0))
        if self.saved is None:
            self.begin()

    def _check_workers(self) -> None:
        # All have looked at the directory before the chief changes it.
        named = {option for name in self._record.inputs for option in self._named.get(name, ())}
        own = digest([binding(self._options, named), dict(self._record.inputs)])
        if self.workers.any(self.workers.of_chief(own) != own):
            raise InputError(
                f"{self.path}: every worker must be started with the same options and inputs. "
                f"Received: others in one of {self.workers.count} workers"
            )

    def _find(self, inputs: dict[str, Input]) -> None:
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            if not (self.path / _CONFIG).exists():
                self._lock()
                if (self.path / _CONFIG).exists():
                    raise InputError(f"{self.path}: another process has begun a run here")
            remove_incomplete(self.path)
            remove_incomplete(self.checkpoints)
            self.saved = newest_checkpoint(self.checkpoints, warn=_warn)
            if self._earlier:
                self._refuse(self._changes_of_inputs(inputs))
            if self.saved is not None:
                self._check_lost_options()
                self._warn_of_versions()

    def _go_on(self, step: int) -> None:
        """Notes what has changed since the run was begun, if it was: its options, its length."""
        length, total = self._run_length, self._record.total_steps
        if length is not None and total is not None and step:
            length.check_steps(step, total)
            was = self._record.extensions.get(step)
            self._record = self._record.not_extended(step)
            if length.goes_beyond_its_end(step, total):
                self._record = self._record.extended(step, total)
                if total != was:
                    self._say(
                        f"{self.path}: extended from {step} to {total} steps; from step {step + 1} "
                        f"on the learning rate is that of a run of {total} steps"
                    )
        if self._let_through:
            self._record = self._record.changed(step, self._let_through)
            self._say(
                f"warning: {self.path}: --allow-changes lets through after step {step}: "
                f"{'; '.join(self._let_through)}"
            )

    def begin(self) -> None:
        """Writes `config.json` and removes from TensorBoard what comes after the checkpoint."""
        if not self.workers.is_chief:
            return
        with writing(self.path):
            cut_event_files(self.tensorboard, self.saved[1]["event_files"] if self.saved else {})
            # In this order: a run that is killed in between is still known to have ended.
            self._record.write(self.path)
            if (self.path / _METRICS).exists():
                kept = self.path / f"metrics-step-{self.saved[1]['step']:08d}.json"
                os.replace(self.path / _METRICS, kept)
            write_json(self.path / _CONFIG, self._options)

    @property
    def extensions(self) -> Collection[int]:
        """The steps at which the run had ended and went on."""
        return self._record.extensions

    def history(self) -> dict[str, Any]:
        """Returns where the run was extended and what it was changed in, for `metrics.json`."""
        return self._record.history()

    def description(self) -> dict[str, Any]:
        """Returns what a checkpoint says of its run: options, inputs and versions, as JSON."""
        return {
            "options": self._options,
            "defaults": self._defaults,
            "inputs": dict(self._record.inputs),
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

    def _check_length(self) -> None:
        if self._length is None:
            self._check_unfinished()
            return
        self._run_length = RunLength(
            self.path,
            self._length,
            asked=self._options[self._length],
            earlier=self._earlier.get(self._length),
            done=newest_step(self.checkpoints),
            is_finished=(self.path / _METRICS).exists(),
            record=self._earlier_record,
        )
        self._run_length.check(allows_changes=self._allows_changes)

    def _lock(self) -> None:
        if not self.workers.is_chief:
            return
        self._resources.enter_context(locked(self.path))

    def _changes_of_inputs(self, inputs: dict[str, Input]) -> list[str]:
        record = self._earlier_record
        if record is None:  # Their options have been compared.
            known = self.saved[1]["inputs"] if self.saved else {}
            return changes_of_inputs(known, inputs, by_earlier_version=True)
        changes = []
        for name in inputs:
            if changed := changes_of_inputs(record.inputs, {name: inputs[name]}):
                options = self._named.get(name, ())
                both = (
                    {n: o[n] for n in options if n in o} for o in (self._earlier, self._options)
                )
                changes += [*changes_of_options(*both, self._defaults), *changed]
        return changes

    def _check_lost_options(self) -> None:
        """Refuses, or tells of, what an earlier version was told and this one does not know."""
        known_defaults = self.saved[1].get("defaults", {})
        lost, changes = lost_options(self._earlier, self._options, known_defaults)
        self._refuse(changes)
        if lost:
            names = ", ".join(f"{flag(name)} {value}" for name, value in lost.items())
            _warn(f"{self.path}: this version has no option for what the run began with: {names}")

    def _refuse(self, changes: list[str]) -> None:
        if not changes or self._allows_changes:
            self._let_through += changes
            return
        more = f" and {len(changes) - _LISTED} more" if len(changes) > _LISTED else ""
        raise InputError(
            f"{self.path}: holds a run already, begun otherwise ({'; '.join(changes[:_LISTED])}"
            f"{more}); choose another --output, or go on with it by --allow-changes"
        )

    def _say(self, line: str) -> None:
        if self.workers.is_chief:
            print(line, file=sys.stderr, flush=True)

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
