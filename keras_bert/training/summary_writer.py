"""Where TensorBoard's points go."""

import contextlib
import os
from collections.abc import Iterator

import keras
import tensorflow as tf

from keras_bert.errors import InputError


def summary_writer(
    directory: str | os.PathLike, strategy: tf.distribute.Strategy
) -> tf.summary.SummaryWriter:
    """Returns the writer of a run; one without effect on workers other than the first.

    A run has one: of several event files that grow at a time TensorBoard follows only the newest.

    Args:
        directory: Where TensorBoard looks.
        strategy: The strategy of the training.
    """
    if strategy.extended.should_save_summary:
        return tf.summary.create_file_writer(str(directory))
    return tf.summary.create_noop_writer()


@contextlib.contextmanager
def points_at(writer: tf.summary.SummaryWriter, step: int) -> Iterator[None]:
    """Writes the points of the block to the file at its end.

    A checkpoint, to which a stopped run goes back, may come before any other.

    Raises:
        InputError: If the disk is full or cannot be written.
    """
    try:
        with writer.as_default(step=step):  # It flushes.
            yield
    except tf.errors.OpError as error:
        raise InputError(
            "cannot write TensorBoard's file; the same command goes on from the last checkpoint: "
            f"{error.message}"
        ) from error


def is_due(step: int, every: int, log_steps: int) -> bool:
    """Returns whether something that comes every so many steps falls to the point at `step`.

    It depends on nothing else, so that a run that was stopped in between writes the same points.

    Args:
        step: int. Training steps of the whole run so far, as `steps_done` counts them.
        every: int. Steps between two of them.
        log_steps: int. Steps between two points.
    """
    return step // every > max(step - log_steps, 0) // every


def inner_optimizer(model: keras.Model) -> keras.optimizers.Optimizer:
    """Returns the optimizer behind loss scaling, which has neither its rate nor its steps."""
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


def steps_done(model: keras.Model) -> int:
    """Returns the training steps of the whole run so far: the x axis of everything written.

    It is the number in the names of checkpoints: the steps of the optimizer, and those of a
    `BertModel` that changed nothing because their loss or gradient was not finite.
    """
    return int(inner_optimizer(model).iterations.numpy()) + getattr(model, "skipped_steps", 0)
