"""What cannot be split among replicas or accumulation steps is refused by its name.

A part of a batch tells the whole of it only as sums over its examples. A metric whose state is
something else, such as a greatest value or a moving mean, would be wrong without a word.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from keras_bert import keras_internals
from keras_bert.errors import InputError

# The classes of Keras whose `update_state` adds a sum over the examples to their state.
_SUMS = (
    keras.metrics.Sum,
    keras.metrics.Mean,
    keras.metrics.MeanMetricWrapper,
    keras.metrics.RootMeanSquaredError,
    keras.metrics.TruePositives.__base__,  # All four counts of a confusion matrix.
    keras.metrics.Precision,
    keras.metrics.Recall,
    keras.metrics.SensitivityAtSpecificity.__base__,
    keras.metrics.AUC,
    keras.metrics.FBetaScore,
    keras.metrics.IoU.__base__,
    keras.metrics.BinaryIoU,
    keras.metrics.R2Score,
)
_WAY_ON = (
    "Use `keras.metrics.Mean` or a function that gives one number for each example, or set "
    "`state_is_a_sum = True` in a class whose state adds up, or train on one device"
)


def metrics_of(model: Any) -> list[keras.metrics.Metric]:
    """Returns the metrics of a built model, without those that Keras keeps for its losses."""
    compiled = keras_internals.compiled_loss(model)
    trackers = [
        keras_internals.loss_tracker(model),
        *([] if compiled is None else compiled.metrics),
    ]
    found = []
    for metric in model.metrics:
        # Keras holds those of `compile` in one metric.
        found += getattr(metric, "metrics", [metric])
    return [metric for metric in found if not any(metric is tracker for tracker in trackers)]


def check_splittable(model: Any) -> None:
    """Checks that a compiled model's own methods and metrics can be computed in parts.

    A metric's class may say `state_is_a_sum = True`: `update_state` then adds numbers to its
    variables which, over the parts of a batch, add up to those of the whole batch.

    Args:
        model: `BertModel`, built with its metrics.

    Raises:
        InputError: If a method or a metric cannot.
    """
    for name in ("compute_loss", "compute_metrics"):
        if getattr(type(model), name) is not getattr(keras.Model, name):
            raise InputError(
                f"`{name}` of {type(model).__name__} sees a part of a batch where that is split "
                "among replicas or accumulation steps, and its numbers may not add up; pass `loss` "
                "and `metrics` to `compile`, override `train_step`, or train on one device. "
                f"Received: {_parts_of(model)}"
            )
    for metric in metrics_of(model):
        if not _adds_up(metric):
            raise InputError(
                f"`metrics`: the state of {metric.name} ({type(metric).__name__}) is not known to "
                "be a sum over the examples, so that a batch cannot be split among replicas or "
                f"accumulation steps. {_WAY_ON}. Received: {_parts_of(model)}"
            )


def check_added_losses(model: Any) -> None:
    """Checks, after a call of the model, that nothing but its regularizers added to the loss.

    Raises:
        InputError: If a layer called `add_loss`: the number is one of a part of the batch.
    """
    for layer in keras_internals.layers_of(model):
        if keras_internals.added_losses(layer):
            raise InputError(
                f"`add_loss` of the layer {layer.name} gives one number for a batch, which cannot "
                "be split among replicas or accumulation steps; make it an output with a loss of "
                f"its own, or train on one device. Received: {_parts_of(model)}"
            )


@contextlib.contextmanager
def each_example_counts(metrics: list[keras.metrics.Metric]) -> Iterator[None]:
    """Refuses functions that give one number for a batch, as long as metrics are updated within.

    Keras takes the mean of such numbers over batches, whatever the sizes of these.
    """
    wrappers = [
        metric
        for metric in metrics
        if isinstance(metric, keras.metrics.MeanMetricWrapper)
        and not getattr(metric, "state_is_a_sum", False)
    ]
    functions = [keras_internals.wrapped_function(metric) for metric in wrappers]
    for metric, function in zip(wrappers, functions, strict=True):
        keras_internals.set_wrapped_function(metric, _checked(metric, function))
    try:
        yield
    finally:
        for metric, function in zip(wrappers, functions, strict=True):
            keras_internals.set_wrapped_function(metric, function)


def _checked(metric: Any, function: Any) -> Any:
    def call(*arguments, **options):
        values = function(*arguments, **options)
        if len(values.shape) == 0:
            raise InputError(
                f"`metrics`: {metric.name} gives one number for a batch, which cannot be split "
                "among replicas or accumulation steps; give one number for each example. "
                f"Received: a result of shape {tuple(values.shape)}"
            )
        return values

    return call


def _adds_up(metric: keras.metrics.Metric) -> bool:
    if getattr(metric, "state_is_a_sum", False):
        return True
    defining = next(c for c in type(metric).__mro__ if "update_state" in c.__dict__)
    if defining not in _SUMS:
        return False
    axis = -1
    if isinstance(metric, keras.metrics.MeanMetricWrapper):
        # Across the examples a correlation is one number of the batch.
        axis = keras_internals.wrapped_arguments(metric).get("axis", -1)
    return axis != 0


def _parts_of(model: Any) -> str:
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return f"{replicas} replicas, {model.gradient_accumulation_steps} accumulation steps"
