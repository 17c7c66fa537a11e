"""Curves of a training run: losses, rates and what the optimizer does."""

import dataclasses
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from keras_bert.config import BertConfig
from keras_bert.training.input_meter import InputCounts, InputMeter
from keras_bert.training.losses import readable
from keras_bert.training.summary_writer import inner_optimizer, points_at, steps_done
from keras_bert.training.throughput import product_rate, training_operations


@dataclasses.dataclass(frozen=True)
class Workload:
    """What a training step has to do.

    Args:
        config: `BertConfig` of the model.
        examples_per_step: int. Rows, on all devices together.
        predictions: int. Slots for masked tokens in a row; 0 without that head.
        length: int or None. Places in a row, where they are always the same.
        tokens_per_example: float or None. Mean number of real tokens, where nothing counts them.
    """

    config: BertConfig
    examples_per_step: int
    predictions: int = 0
    length: int | None = None
    tokens_per_example: float | None = None


def write_validation(
    writer: tf.summary.SummaryWriter, model: keras.Model, values: dict[str, float]
) -> None:
    """Writes one point of `validation/` for each number that a model has on other data."""
    _write(writer, model, {f"validation/{name}": value for name, value in values.items()})


def _write(writer: tf.summary.SummaryWriter, model: keras.Model, values: dict[str, float]) -> None:
    with points_at(writer, steps_done(model)):
        for name, value in values.items():
            tf.summary.scalar(name, value)


class TensorBoardScalars(keras.callbacks.Callback):
    """Writes one point of every loss, metric and rate at the end of each Keras epoch.

    Training commands make a Keras epoch of `log_steps` steps, so that a point is the mean over
    those steps. The names:

    - `learning/`: the losses and metrics, as `learning/masked_lm_loss`.
    - `optimizer/`: `learning_rate`, `gradient_norm` before clipping, `skipped_steps` so far, whose
      loss or gradient was not finite, and `loss_scale` in float16.
    - `speed/`: `sequences_per_second`, `tokens_per_second` (real ones) and `share_of_peak`, the
      arithmetic of `training_operations` done in a second over the `product_rate` of the devices;
      `padding_fraction`, the share of places that hold no token; `input_wait_fraction`, the share
      of the time in which the step waited for its batch, see `InputMeter`.

    Args:
        writer: The run's writer, see `summary_writer`.
        workload: `Workload`.
        meter: `InputMeter` that watches the training data, or None: tokens are then taken from
            the workload, and the waiting is unknown.
    """

    def __init__(
        self,
        writer: tf.summary.SummaryWriter,
        workload: Workload,
        *,
        meter: InputMeter | None = None,
    ):
        super().__init__()
        self._writer = writer
        self._workload = workload
        self._meter = meter
        self._points: list[dict[str, float]] = []

    def on_train_begin(self, logs=None):
        accelerators = [
            device for kind in ("GPU", "TPU") for device in tf.config.list_logical_devices(kind)
        ]
        # Logical CPUs share one processor.
        devices = self.model.distribute_strategy.num_replicas_in_sync if accelerators else 1
        self._peak = devices * product_rate(self.model.compute_dtype)

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.perf_counter()
        self._before = self._meter and self._meter.counts()
        self._steps = 0

    def on_train_batch_end(self, batch, logs=None):
        self._steps = batch + 1  # Of several steps executed at once, `batch` is the last.

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self._started
        rates = self._rates(self._counts(), seconds)
        self._points.append(rates)
        values = {f"learning/{name}": value for name, value in readable(logs or {}).items()}
        optimizer = inner_optimizer(self.model)
        values["optimizer/learning_rate"] = float(np.asarray(optimizer.learning_rate))
        if hasattr(optimizer, "gradient_norm"):
            values["optimizer/gradient_norm"] = float(np.asarray(optimizer.gradient_norm))
        if hasattr(self.model.optimizer, "dynamic_scale"):
            values["optimizer/loss_scale"] = float(np.asarray(self.model.optimizer.dynamic_scale))
        if hasattr(self.model, "skipped_steps"):
            values["optimizer/skipped_steps"] = self.model.skipped_steps
        _write(self._writer, self.model, {**values, **rates})

    def _counts(self) -> InputCounts | None:
        if self._meter:
            return self._meter.counts() - self._before
        load = self._workload
        if load.length is None or load.tokens_per_example is None:
            return None
        rows = self._steps * load.examples_per_step
        return InputCounts(0.0, rows, rows * load.tokens_per_example, rows * load.length)

    def _rates(self, counts: InputCounts | None, seconds: float) -> dict[str, float]:
        if counts is None or not counts.sequences:
            rows = self._steps * self._workload.examples_per_step
            return {"speed/sequences_per_second": rows / seconds}
        operations = training_operations(
            self._workload.config,
            sequences=counts.sequences,
            tokens=counts.tokens,
            length=counts.places / counts.sequences,
            predictions=self._workload.predictions,
        )
        rates = {
            "speed/sequences_per_second": counts.sequences / seconds,
            "speed/tokens_per_second": counts.tokens / seconds,
            "speed/share_of_peak": operations / seconds / self._peak,
            "speed/padding_fraction": 1 - counts.tokens / counts.places,
        }
        if self._meter:
            rates["speed/input_wait_fraction"] = min(counts.wait_seconds / seconds, 1.0)
        return rates

    def medians(self) -> dict[str, float]:
        """Returns the rates of the run for `metrics.json`: each the median of its points."""
        rates = {
            name.removeprefix("speed/"): statistics.median(point[name] for point in self._points)
            for name in (self._points[-1] if self._points else ())
        }
        return {**rates, "peak_operations_per_second": self._peak}
