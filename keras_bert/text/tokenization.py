"""What every tokenizer offers to the layers around it."""

from typing import Any

import keras
import tensorflow as tf

from keras_bert.text.layer import TextLayer
from keras_bert.text.packing import keep_first
from keras_bert.text.vocabulary import Vocabulary


class Tokenizer(TextLayer):
    """Splits strings of any shape into ids.

    A subclass implements `tokenize_rows`. The preprocessor, the masker and the exports need
    nothing else.

    Args:
        vocabulary: `Vocabulary`.

    Call arguments:
        text: strings of any shape: a string, a list, a NumPy array, a tensor or a ragged tensor.

    Returns:
        An int32 `tf.RaggedTensor` of shape `(..., tokens)`; a dense vector `(tokens,)` for one
        string.
    """

    def __init__(self, vocabulary: Vocabulary, **kwargs: Any):
        super().__init__(**kwargs)
        # Not a plain attribute: Keras would wrap the tuple of tokens in a tracking container.
        self._vocabulary = vocabulary
        self.sequence_length: int | None = None

    @property
    def vocabulary(self) -> Vocabulary:
        return self._vocabulary

    def call(self, text):
        text = self.to_strings(text)
        return restore(text, self.tokenize_rows(flatten(text)))

    def tokenize_rows(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Tokenizes strings `(rows,)` to int32 `(rows, tokens)`."""
        raise NotImplementedError

    def first_tokens(self, text: tf.Tensor, count: int) -> tf.RaggedTensor:
        """The first `count` tokens of strings `(rows,)`, or all where there are fewer."""
        tokens = self.tokenize_rows(text)
        return keep_first(tokens, tf.fill([tokens.nrows()], tf.constant(count, tf.int64)))


class TokenizingLayer(TextLayer):
    """Base of the layers that hold a tokenizer, which travels in their configuration.

    Args:
        tokenizer: `Tokenizer`.
    """

    def __init__(self, tokenizer: Tokenizer, **kwargs: Any):
        super().__init__(**kwargs)
        self.tokenizer = tokenizer

    def get_config(self):
        tokenizer = keras.saving.serialize_keras_object(self.tokenizer)
        return {**super().get_config(), "tokenizer": tokenizer}

    @classmethod
    def from_config(cls, config):
        tokenizer = keras.saving.deserialize_keras_object(config["tokenizer"])
        return cls(**{**config, "tokenizer": tokenizer})


def flatten(text: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
    """All strings as a vector `(rows,)`."""
    if isinstance(text, tf.RaggedTensor):
        text = text.flat_values
    return tf.reshape(text, [-1])


def restore(text: tf.Tensor | tf.RaggedTensor, rows: tf.RaggedTensor):
    """Gives results `(rows, ...)` for `flatten(text)` the shape of `text`."""
    if isinstance(text, tf.RaggedTensor):
        if text.flat_values.shape.rank > 1:
            rows = restore(text.flat_values, rows)
        return text.with_flat_values(rows)
    if text.shape.rank == 0:
        return rows[0]
    if text.shape.rank == 1:
        return rows
    return tf.RaggedTensor.from_tensor(text, ragged_rank=text.shape.rank - 1).with_flat_values(rows)
