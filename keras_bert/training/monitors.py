"""The callbacks by which a person watches a training command."""

import os
from typing import Any

import keras
import tensorflow as tf

from keras_bert.training.input_meter import InputMeter
from keras_bert.training.inspection import ProfilerTrace, WeightHistograms, profile_range
from keras_bert.training.options import FinetuneOptions, PretrainOptions
from keras_bert.training.telemetry import TensorBoardScalars, Workload


def check_monitors(options: PretrainOptions | FinetuneOptions) -> None:
    """Checks what the types of the options that say what to watch do not.

    Raises:
        InputError: If `--profile-steps` is no range of steps.
    """
    profile_range(options.profile_steps)


def input_meter(strategy: tf.distribute.Strategy) -> InputMeter | None:
    """Returns a meter for the training data.

    Under several replicas, which ask ahead in threads of their own, there is none.
    """
    return InputMeter() if strategy.num_replicas_in_sync == 1 else None


def monitors(
    options: PretrainOptions | FinetuneOptions,
    directory: str | os.PathLike,
    writer: tf.summary.SummaryWriter,
    workload: Workload,
    meter: InputMeter | None,
    facts: dict[str, Any],
) -> list[keras.callbacks.Callback]:
    """Returns the curves of a run and whatever else the options ask for.

    Args:
        options: Options of a training command.
        directory: Where TensorBoard looks.
        writer: The run's writer, see `summary_writer`.
        workload: `Workload`.
        meter: `InputMeter` or None, as `input_meter` returns it.
        facts: dict. Gets the medians of the curves' rates as `speed`, after each point.
    """
    curves = TensorBoardScalars(writer, workload, meter=meter)

    def remember(epoch, logs=None):
        facts["speed"] = curves.medians()

    callbacks = [curves, keras.callbacks.LambdaCallback(on_epoch_end=remember)]
    if options.histograms:
        callbacks.append(
            WeightHistograms(writer, every=options.histograms, log_steps=options.log_steps)
        )
    if traced := profile_range(options.profile_steps):
        callbacks.append(ProfilerTrace(directory, *traced))
    return callbacks
