"""What is looked at on request: histograms of weights, traces of single steps."""

import os
import re

import keras
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.training.summary_writer import is_due, points_at, steps_done


class WeightHistograms(keras.callbacks.Callback):
    """Writes a histogram of every trained weight at the end of a Keras epoch.

    Args:
        writer: The run's writer, see `summary_writer`.
        every: int. Training steps between two histograms, at least.
        log_steps: int. Steps of a Keras epoch.
    """

    def __init__(self, writer: tf.summary.SummaryWriter, *, every: int, log_steps: int):
        super().__init__()
        self._writer = writer
        self._every = every
        self._log_steps = log_steps

    def on_epoch_end(self, epoch, logs=None):
        step = steps_done(self.model)
        if not is_due(step, self._every, self._log_steps):
            return
        with points_at(self._writer, step):
            for weight in self.model.trainable_weights:
                name = weight.path.partition("/")[2]  # without the model's own
                tf.summary.histogram(f"weights/{name}", weight.numpy())


class ProfilerTrace(keras.callbacks.Callback):
    """Traces some steps by TensorFlow's profiler, for TensorBoard's profiler plugin.

    Args:
        directory: Where TensorBoard looks.
        first: int. Training step to begin with, counted from 1 over the whole run.
        last: int. Training step to end with.
    """

    def __init__(self, directory: str | os.PathLike, first: int, last: int):
        super().__init__()
        self._directory = str(directory)
        self._first = first
        self._last = last
        self._running = False
        self._step = 0

    def on_train_begin(self, logs=None):
        self._step = steps_done(self.model)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch_start = self._step

    def on_train_batch_begin(self, batch, logs=None):
        self._step = self._epoch_start + batch + 1
        if not self._running and self._first <= self._step <= self._last:
            tf.profiler.experimental.start(self._directory)
            self._running = True
        if self._running:
            # The plugin tells steps by it.
            self._mark = tf.profiler.experimental.Trace("train", step_num=self._step, _r=1)
            self._mark.__enter__()

    def on_train_batch_end(self, batch, logs=None):
        self._step = self._epoch_start + batch + 1
        if self._running:
            self._mark.__exit__(None, None, None)
            if self._step >= self._last:
                self._stop()

    def on_train_end(self, logs=None):
        if self._running:
            self._stop()

    def _stop(self) -> None:
        tf.profiler.experimental.stop()
        self._running = False


def profile_range(steps: str | None) -> tuple[int, int] | None:
    """Reads a `--profile-steps` flag: `FIRST,LAST`, or one step.

    Raises:
        InputError: If it is not one or two rising positive numbers.
    """
    if steps is None:
        return None
    found = re.fullmatch(r"(\d+)(?:,(\d+))?", steps)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 0 < first <= last:
        raise InputError(
            f"`--profile-steps` must be FIRST,LAST, steps counted from 1. Received: {steps!r}"
        )
    return first, last
