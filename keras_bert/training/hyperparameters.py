"""The options of a run as TensorBoard's HParams plugin reads them."""

from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api, api_pb2, summary

from keras_bert.training.summary_writer import points_at

# They say where results go and what is watched.
_WITHOUT_EFFECT = {
    "output",
    "log_steps",
    "sample_steps",
    "histograms",
    "profile_steps",
    "checkpoint_steps",
    "keep_checkpoints",
    "skip_limit",
    "allow_changes",
    "validation_steps",
    "grid",
    "restarts",
}


def begin_session(writer: tf.summary.SummaryWriter, options: dict[str, Any]) -> None:
    """Writes the options beside a run's curves, from which the plugin takes the metrics.

    Args:
        writer: The run's writer, see `summary_writer`.
        options: dict. Values that are None are written as `none`.
    """
    values = {
        name: "none" if value is None else value
        for name, value in options.items()
        if name not in _WITHOUT_EFFECT
    }
    with points_at(writer, 0):
        api.hparams(values)


def end_session(writer: tf.summary.SummaryWriter) -> None:
    """Marks the run as finished."""
    session = summary.session_end_pb(api_pb2.STATUS_SUCCESS)
    with points_at(writer, 0):
        tf.summary.experimental.write_raw_pb(session.SerializeToString(), step=0)
