"""The base of layers that read strings."""

from typing import Any

import keras
import tensorflow as tf

from keras_bert import keras_internals
from keras_bert.errors import InputError

_SHOWN = 60


class TextLayer(keras.layers.Layer):
    """A Keras layer for strings: outside XLA, without weights, on TensorFlow under any backend.

    Keras would convert the arguments of a call to its own backend's numeric tensors; a text layer
    takes Python strings, NumPy arrays and TensorFlow tensors as they are.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        keras_internals.take_arguments_as_they_are(self)
        self.supports_jit = False
        self.built = True

    @staticmethod
    def to_strings(text: Any) -> tf.Tensor:
        """Returns `text` as a string tensor.

        Raises:
            InputError: If it is something else than strings, or rows of unequal numbers of them.
        """
        if isinstance(text, (tf.Tensor, tf.RaggedTensor)):
            strings = text
        else:
            if not hasattr(text, "dtype"):
                _check_strings(text)
            try:
                strings = tf.convert_to_tensor(text)
                if strings.shape.num_elements() == 0:
                    # An empty list has no type.
                    strings = tf.zeros(strings.shape, tf.string)
            except (TypeError, ValueError) as error:
                raise InputError(f"`text` must be strings. Received: {_shown(text)}") from error
        if strings.dtype != tf.string:
            raise InputError(
                f"`text` must be strings. Received: {_shown(text)} of dtype {strings.dtype.name}"
            )
        return strings


def _check_strings(text: Any) -> None:
    """Finds what is no string in Python's lists, and where it stands."""
    if isinstance(text, (str, bytes)):
        return
    if not isinstance(text, (list, tuple)):
        # Anything that TensorFlow can make a tensor of.
        if text is None or isinstance(text, (dict, bool, int, float)):
            raise InputError(f"`text` must be strings. Received: {_shown(text)}")
        return
    lengths = {len(row) for row in text if isinstance(row, (list, tuple))}
    for index, row in enumerate(text):
        if isinstance(row, tuple):
            raise InputError(
                "`text` must be strings; pairs are one tuple of all first and all second texts, as "
                "`tuple(zip(*pairs))` makes it, and a list of lists is choices. "
                f"Received: {_shown(row)} at place {index} of a {type(text).__name__}"
            )
        if isinstance(row, list) and len(lengths) == 1:
            _check_strings(row)
        elif not isinstance(row, (str, bytes)) or lengths:
            if isinstance(row, list):
                raise InputError(
                    "`text` must have rows of one number of strings; "
                    "`tf.ragged.constant` makes a tensor of others, for a tokenizer. "
                    f"Received: rows of {', '.join(map(str, sorted(lengths)))}"
                )
            raise InputError(f"`text` must be strings. Received: {_shown(row)} at place {index}")


def _shown(value: Any) -> str:
    shown = " ".join(repr(value).split())
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
