"""The end of a run, its progress bar and its checkpoints."""

import sys
import time
from typing import Any

import keras
import rich.console
import rich.progress

from keras_bert.errors import InputError
from keras_bert.training.losses import readable


class ProgressBar(keras.callbacks.Callback):
    """Steps done, rate, time left and the current losses, on standard error.

    Where standard error is no terminal, a line is printed at the end of each Keras epoch.

    Args:
        total_steps: int.
        examples_per_step: int.
        title: str.
        done: int. Steps that an earlier process has done.
    """

    def __init__(self, total_steps: int, *, examples_per_step: int, title: str, done: int = 0):
        super().__init__()
        self._total_steps = total_steps
        self._examples_per_step = examples_per_step
        self._title = title
        self._console = rich.console.Console(stderr=True)
        self._first = self._steps = done

    def on_train_begin(self, logs=None):
        self._started = time.perf_counter()
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("{task.fields[rate]}"),
            rich.progress.TimeElapsedColumn(),
            rich.progress.TimeRemainingColumn(),
            rich.progress.TextColumn("{task.fields[values]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(
            self._title, total=self._total_steps, completed=self._first, rate="", values=""
        )
        self._bar.start()

    def on_epoch_begin(self, epoch, logs=None):
        self._before = self._steps

    def on_train_batch_end(self, batch, logs=None):
        # Of several steps executed at once, `batch` is the last.
        self._steps = self._before + batch + 1
        self._bar.update(self._task, completed=self._steps, rate=self._rate())

    def _rate(self) -> str:
        seconds = time.perf_counter() - self._started
        steps = self._steps - self._first
        return f"{steps * self._examples_per_step / seconds:.1f} sequences/s"

    def on_epoch_end(self, epoch, logs=None):
        logs = readable(logs or {})
        values = "  ".join(f"{name} {value:.3f}" for name, value in logs.items())
        self._bar.update(self._task, values=values)
        if not self._console.is_terminal:
            seconds = time.perf_counter() - self._started
            left = (self._total_steps - self._steps) / (self._steps - self._first) * seconds
            print(
                f"{self._title}: step {self._steps}/{self._total_steps}  {self._rate()}  "
                f"{left:.0f} s left  {values}",
                file=sys.stderr,
                flush=True,
            )

    def on_train_end(self, logs=None):
        self._bar.stop()


class StopAfter(keras.callbacks.Callback):
    """Ends the training after a number of steps, in the middle of a Keras epoch too.

    Args:
        steps: int.
    """

    def __init__(self, steps: int):
        super().__init__()
        self._left = steps

    def on_train_batch_end(self, batch, logs=None):
        self._left -= 1
        if self._left <= 0:
            self.model.stop_training = True


class StopWhereNotFinite(keras.callbacks.Callback):
    """Ends a training whose steps change nothing any more.

    Args:
        limit: int. Steps in a row whose loss or gradient is not finite; they are counted by the
            model and looked at after as many steps. 0 for no end.

    Raises:
        InputError: Where there have been so many.
    """

    def __init__(self, limit: int):
        super().__init__()
        self._limit = limit
        self._steps = 0

    def on_train_batch_end(self, batch, logs=None):
        self._steps += 1
        if not self._limit or self._steps % self._limit:
            return
        skipped = self.model.skipped_steps_in_a_row
        if skipped >= self._limit:
            raise InputError(
                f"the last {skipped} steps had a loss or a gradient that is not finite and changed "
                "nothing; go on from the newest checkpoint with a lower --learning-rate and "
                "--allow-changes, or look at the data"
            )


class CheckpointInTime(keras.callbacks.Callback):
    """Counts steps and saves in time; the last of the callbacks, so that the others have written.

    Args:
        training: `ResumableTraining`.
    """

    def __init__(self, training: Any):
        super().__init__()
        self._training = training
        self._before = 0
        self._is_due = False
        self.have_begun = False

    def on_train_begin(self, logs=None):
        self.have_begun = True

    def on_epoch_begin(self, epoch, logs=None):
        self._before = self._training.step
        # Keras has just reset them.
        self._training.restore_metrics()

    def on_train_batch_end(self, batch, logs=None):
        training = self._training
        training.check()
        earlier, training.step = training.step, self._before + batch + 1
        every = training.checkpoint_steps
        if every and (
            training.step // every > earlier // every or training.step >= training.total_steps
        ):
            self._is_due = True
        if batch + 1 < self.params["steps"] and not self.model.stop_training:
            self._save(logs, in_interval=True)

    def on_epoch_end(self, epoch, logs=None):
        # The interval's point stands in TensorBoard by now.
        self._save(logs, in_interval=False)

    def _save(self, logs, *, in_interval):
        training = self._training
        must_end = training.must_end()
        if self._is_due or must_end or not in_interval:
            training.logs = {name: float(value) for name, value in (logs or {}).items()}
        if self._is_due:
            training.save(in_interval=in_interval)
            self._is_due = False
            if training.has_stalled:
                self.model.stop_training = True
        if must_end:
            training.end(in_interval=in_interval)
