"""The base of layers that read strings."""

from typing import Any

import keras
import tensorflow as tf


class TextLayer(keras.layers.Layer):
    """A Keras layer for strings: outside XLA, without weights, on TensorFlow under any backend.

    Keras would convert the arguments of a call to its own backend's numeric tensors; a text layer
    takes Python strings, NumPy arrays and TensorFlow tensors as they are.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.supports_jit = False
        self.built = True

    @staticmethod
    def to_strings(text: Any) -> tf.Tensor:
        """Returns `text` as a string tensor."""
        if isinstance(text, tf.RaggedTensor):
            return text
        text = tf.convert_to_tensor(text, tf.string)
        return text
