"""`model.fit` in parts that can be left and taken up again at any step."""

import copy
import math
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

from keras_bert.checkpoints import huggingface
from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.training.background_writer import BackgroundWriter
from keras_bert.training.callbacks import (
    CheckpointInTime,
    ProgressBar,
    StopAfter,
    StopWhereNotFinite,
)
from keras_bert.training.checkpoint_directory import (
    Snapshot,
    checkpoint_at,
    read_arrays,
    write_checkpoint,
)
from keras_bert.training.event_files import event_file_sizes
from keras_bert.training.inspection import ProfilerTrace
from keras_bert.training.run_directory import RunDirectory, writing
from keras_bert.training.termination import Termination
from keras_bert.training.training_state import (
    capture_metrics,
    capture_state,
    own,
    restore_metrics,
    restore_state,
)

# Of a worker that ends because another one was asked to.
_TERMINATED = 128 + signal.SIGTERM


class ResumableTraining:
    """Fits a model phase by phase, saves its state on the way and goes on from a saved one.

    A run that was stopped at any step ends with the same bits as one that was not: the state holds
    weights, optimizer, seeds of dropout, metrics of the current interval and the position in the
    data, which must be a function of that position alone.

    Args:
        model: A compiled `BertModel`, fresh or as it began.
        run: `RunDirectory`, created. Its `saved` checkpoint, if there is one, is restored.
        total_steps: int. Steps of all phases together.
        log_steps: int. Steps of an interval, which is a Keras epoch.
        checkpoint_steps: int. Steps between two checkpoints, the last step has one too; 0 for none.
        keep_checkpoints: int. Newest checkpoints to keep; 0 for all.
        tokenizer: `BertTokenizer` or None. Stored in checkpoints.
        measurement: A function that returns numbers of the model on other data, or None. It is
            called for each checkpoint, and the best one is kept too.
        objective: str. Which of the numbers says what is best.
        best_is: str. `"least"` or `"greatest"`: which value of `objective` is best.
        patience: int. Measurements in a row without a better one, after which training ends; 0 for
            no end.
        skip_limit: int. Steps in a row that are not finite, after which training ends; 0 for no
            end.

    Example:

    ```python
    with ResumableTraining(model, run, total_steps=1000, log_steps=50) as training:
        training.fit(1000, dataset=lambda start: batches.skip(start), callbacks=lambda start: [])
    ```
    """

    def __init__(
        self,
        model: Any,
        run: RunDirectory,
        *,
        total_steps: int,
        log_steps: int,
        checkpoint_steps: int = 1000,
        keep_checkpoints: int = 3,
        tokenizer: Any = None,
        measurement: Callable[[], dict[str, float]] | None = None,
        objective: str = "loss",
        best_is: Literal["least", "greatest"] = "least",
        patience: int = 0,
        skip_limit: int = 20,
    ):
        self.model = model
        self.total_steps = total_steps
        self.checkpoint_steps = checkpoint_steps
        # Steps done and what `fit` logged last, of earlier processes too.
        self.step = 0
        self.logs: dict[str, float] = {}
        # What the command wants to find again; JSON.
        self.facts: dict[str, Any] = {}
        self._run = run
        self._workers = run.workers
        self._log_steps = log_steps
        self._keep_checkpoints = keep_checkpoints
        self._tokenizer = tokenizer
        self._measurement = measurement
        self._objective = objective
        self._sign = {"least": 1, "greatest": -1}[best_is]
        self._patience = patience
        self._skip_limit = skip_limit
        self._first_step = 0  # of the phase
        self._saved_step = 0
        self._seconds = 0.0
        self._started: float | None = None
        self._metrics: dict | None = None
        self._writer = BackgroundWriter()
        self._termination = Termination()
        if run.saved is not None:
            self._restore(*run.saved)

    def __enter__(self) -> "ResumableTraining":
        self._termination.__enter__()
        return self

    def __exit__(self, *error) -> None:
        try:
            with writing(self._run.checkpoints):
                self._writer.__exit__(*error)
        finally:
            self._termination.__exit__(*error)

    @property
    def seconds(self) -> float:
        """Time spent in `fit`, by earlier processes too."""
        now = time.perf_counter()
        return self._seconds + (now - self._started if self._started is not None else 0.0)

    @property
    def has_stalled(self) -> bool:
        """Whether as many measurements as `patience` says brought nothing better."""
        return 0 < self._patience <= self.facts.get("measurements_since_best", 0)

    @property
    def measuring_seconds(self) -> float:
        """Time spent in measurements during `fit`, by earlier processes too."""
        return self.facts.get("measuring_seconds", 0.0)

    def fit(
        self,
        steps: int,
        *,
        dataset: Callable[[int], tf.data.Dataset],
        callbacks: Callable[[int], Sequence[keras.callbacks.Callback]],
    ) -> None:
        """Trains for one phase, or what is left of it.

        Args:
            steps: int. Steps of the phase.
            dataset: A function from a number of steps done to the batches from there on.
            callbacks: A function from a number of steps done to the callbacks from there on.
        """
        self._started = time.perf_counter()
        self._fit(steps, dataset, callbacks)
        self._seconds, self._started = self.seconds, None

    def _fit(self, steps: int, dataset: Callable, callbacks: Callable) -> None:
        done = self.step - self._first_step
        if done < steps:
            # A graph of its own for each phase: shapes stay static.
            self.model.make_train_function(force=True)
        log_steps = min(self._log_steps, steps)
        if done < steps and done % log_steps == 0:
            self._metrics = None
        while done < steps and not self.has_stalled:
            # A run that stopped within an interval first ends that.
            stop = min(done + log_steps - done % log_steps, steps) if done % log_steps else steps
            if self._metrics is not None:
                # Keras makes metrics in a first step, which would count in them.
                self.model.evaluate(dataset(done), steps=1, verbose=0)
            checkpoints = CheckpointInTime(self)
            chosen = [
                *callbacks(done),
                StopAfter(stop - done),
                StopWhereNotFinite(self._skip_limit),
                checkpoints,
            ]
            first = done // log_steps
            try:
                with self._termination.deferred(), self._workers.connected():
                    self.model.fit(
                        dataset(done),
                        initial_epoch=first,
                        epochs=first + math.ceil((stop - done) / log_steps),
                        steps_per_epoch=min(log_steps, stop - done),
                        callbacks=chosen,
                        shuffle=False,
                        verbose=0,
                    )
            except BaseException:
                for callback in chosen:
                    if isinstance(callback, ProgressBar | ProfilerTrace) and checkpoints.have_begun:
                        callback.on_train_end()  # Gives terminal and profiler back.
                raise
            if self.must_end():  # A signal between the last step and here.
                self.end()
            done = stop
        self._first_step += steps

    def measure(self) -> dict[str, float]:
        """Returns the measurement of the model as it is now; one is made for each step."""
        latest = self.facts.get("measured", {})
        if latest.get("step") != self.step:
            latest = {"step": self.step, **self._measurement()}
            self.facts["measured"] = latest
        return {name: value for name, value in latest.items() if name != "step"}

    def account(self) -> dict[str, Any]:
        """Returns what has happened, for `metrics.json`: steps, extensions, changes let through."""
        return {
            "steps": self.step,
            "steps_asked": self.total_steps,
            "stopped_early": self.step < self.total_steps,
            "skipped_steps": self.model.skipped_steps,
            **self._run.history(),
        }

    def _find_best(self) -> None:
        """Measures in the middle of `fit`, whose metrics stay what they are."""
        begun = time.perf_counter()
        metrics = capture_metrics(self.model)
        value = self.measure()[self._objective]
        restore_metrics(self.model, metrics, str(self._run.checkpoints))
        best = self.facts.get("best")
        self.facts["measurements_since_best"] = self.facts.get("measurements_since_best", 0) + 1
        if best is None or self._sign * value < self._sign * best[self._objective]:
            self.facts["best"] = {"step": self.step, self._objective: value}
            self.facts["measurements_since_best"] = 0
        self._be_patient_again()
        self.facts["measuring_seconds"] = self.measuring_seconds + time.perf_counter() - begun

    def _be_patient_again(self) -> None:
        # Otherwise a run that had stopped early could not be extended.
        if self.step in self._run.extensions:
            self.facts["measurements_since_best"] = 0

    def load_best(self) -> None:
        """Gives the model the weights that measured best, where there were checkpoints."""
        with writing(self._run.checkpoints):
            self._writer.wait()
        self._workers.wait()
        step = self.facts.get("best", {}).get("step", self.step)
        if step != self.step:
            path, _ = checkpoint_at(self._run.checkpoints, step)
            with self.model.distribute_strategy.scope():
                huggingface.read(path).assign(self.model)

    def save(self, *, in_interval: bool, measures: bool = True) -> None:
        """Copies the state and hands it to the writer, with a measurement if there is time."""
        if self._saved_step == self.step:
            return
        self._saved_step = self.step
        if measures and self._measurement is not None:
            self._find_best()
        weights = Checkpoint.of(self.model)
        weights.arrays.update({name: own(array) for name, array in weights.arrays.items()})
        facts = {
            "in_interval": in_interval,
            "seconds": self.seconds,
            "logs": self.logs,
            "facts": copy.deepcopy(self.facts),
            "event_files": event_file_sizes(self._run.tensorboard),
            **self._run.description(),
        }
        # Reading some of it takes all workers.
        snapshot = Snapshot(self.step, weights, capture_state(self.model), facts, self._tokenizer)
        if not self._workers.is_chief:
            return
        directory, keep = self._run.checkpoints, self._keep_checkpoints
        best = self.facts.get("best", {}).get("step")
        with writing(directory):
            self._writer.submit(lambda: write_checkpoint(directory, snapshot, keep=keep, best=best))

    def check(self) -> None:
        """Raises what went wrong in the writer."""
        with writing(self._run.checkpoints):
            self._writer.check()

    def must_end(self) -> bool:
        """Whether a signal asked this process, or another worker, to end after the current step."""
        return self._workers.any(self._termination.code is not None)

    def end(self, *, in_interval: bool = False) -> None:
        """Saves and ends the process as the signal asked."""
        if self.checkpoint_steps:
            self.save(in_interval=in_interval, measures=False)
        with writing(self._run.checkpoints):
            self._writer.wait()
        self._workers.wait()
        saved = f"saved in {self._run.checkpoints}; the same command goes on from there"
        print(
            f"stopped after step {self.step} of {self.total_steps}: "
            f"{saved if self.checkpoint_steps else 'not saved, as --checkpoint-steps is 0'}",
            file=sys.stderr,
            flush=True,
        )
        raise SystemExit(self._termination.code or _TERMINATED)

    def _restore(self, path, state: dict[str, Any]) -> None:
        arrays = read_arrays(path)
        with self.model.distribute_strategy.scope():
            huggingface.read(path).assign(self.model)
        restore_state(self.model, arrays, str(path))
        self.step = self._saved_step = state["step"]
        self.logs = state["logs"]
        self.facts = state["facts"]
        self._seconds = state["seconds"]
        self._be_patient_again()
        # The interval that the end of the run had cut short goes on.
        if state["in_interval"] or self.step in self._run.extensions:
            self._metrics = arrays
        self._run.begin()

    def restore_metrics(self) -> None:
        """Goes on with the means of the interval in which the run was stopped."""
        if self._metrics is not None:
            restore_metrics(self.model, self._metrics, str(self._run.checkpoints))
            self._metrics = None
