"""What stands on the encoder: pooler, masked language model, classes of texts or tokens."""

from typing import Any

import keras
from keras import ops

from keras_bert.layers.activation import activate
from keras_bert.layers.initializers import normal, truncated_normal
from keras_bert.layers.layer_normalization import LayerNormalization


@keras.saving.register_keras_serializable("keras_bert")
class Pooler(keras.layers.Layer):
    """A dense layer with tanh on the first token, `[CLS]`.

    Args:
        hidden_dim: int.
        initializer_range: float.

    Call arguments:
        sequence_output: floats `(batch, length, hidden_dim)`.

    Returns:
        Floats `(batch, hidden_dim)`.

    Example:

    ```python
    Pooler(768)(sequence_output)
    ```

    References:
        - `modeling.py` of google-research/bert, "pooler".
    """

    def __init__(self, hidden_dim: int, *, initializer_range: float = 0.02, **kwargs: Any):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.initializer_range = initializer_range
        self.dense = keras.layers.Dense(
            hidden_dim,
            activation="tanh",
            kernel_initializer=truncated_normal(initializer_range),
            dtype=self.dtype_policy,
            name="dense",
        )

    def build(self, sequence_output_shape):
        self.dense.build((sequence_output_shape[0], self.hidden_dim))

    def call(self, sequence_output):
        return self.dense(sequence_output[:, 0])

    def compute_output_shape(self, sequence_output_shape):
        return (sequence_output_shape[0], self.hidden_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "initializer_range": self.initializer_range,
        }


@keras.saving.register_keras_serializable("keras_bert")
class MaskedLMHead(keras.layers.Layer):
    """Predicts tokens at the masked positions.

    The positions are gathered first, so that the product with the vocabulary is done for 20
    tokens of a row instead of 128. The output weights are the token embeddings themselves, given
    at each call, plus a bias of the head's own.

    Args:
        vocabulary_size: int.
        hidden_dim: int.
        activation: str. A name of `BertConfig.activation`.
        layer_norm_epsilon: float.
        initializer_range: float.

    Call arguments:
        sequence_output: floats `(batch, length, hidden_dim)`.
        masked_positions: integers `(batch, predictions)`.
        token_embeddings: floats `(vocabulary_size, hidden_dim)`.
        training: bool.

    Returns:
        Logits, float32 `(batch, predictions, vocabulary_size)`.

    Example:

    ```python
    head = MaskedLMHead(30522, 768)
    head(sequence_output, masked_positions, encoder.token_embeddings)
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 3.1; `get_masked_lm_output` in
          `run_pretraining.py` of google-research/bert.
    """

    def __init__(
        self,
        vocabulary_size: int,
        hidden_dim: int,
        *,
        activation: str = "gelu_tanh",
        layer_norm_epsilon: float = 1e-12,
        initializer_range: float = 0.02,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.hidden_dim = hidden_dim
        self.activation = activation
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range
        self.dense = keras.layers.Dense(
            hidden_dim,
            kernel_initializer=truncated_normal(initializer_range),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.layer_norm = LayerNormalization(
            epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="layer_norm"
        )

    def build(
        self, sequence_output_shape, masked_positions_shape=None, token_embeddings_shape=None
    ):
        self.dense.build((None, self.hidden_dim))
        self.layer_norm.build((None, self.hidden_dim))
        self.bias = self.add_weight(shape=(self.vocabulary_size,), initializer="zeros", name="bias")

    def call(self, sequence_output, masked_positions, token_embeddings, training=None):
        batch, length, _ = ops.shape(sequence_output)
        predictions = ops.shape(masked_positions)[1]
        # (batch, length, hidden) -> (batch * length, hidden)
        tokens = ops.reshape(sequence_output, (-1, self.hidden_dim))
        # Position p of row b stands at b * length + p: (batch, predictions).
        row_starts = ops.expand_dims(ops.arange(batch, dtype="int32") * length, 1)
        places = ops.reshape(ops.cast(masked_positions, "int32") + row_starts, (-1,))
        hidden = self.dense(ops.take(tokens, places, axis=0))
        hidden = activate(hidden, self.activation, training=training)
        hidden = self.layer_norm(hidden, training=training)
        embeddings = ops.cast(token_embeddings, hidden.dtype)
        logits = ops.matmul(hidden, ops.transpose(embeddings))
        logits = ops.cast(logits, "float32") + ops.cast(self.bias, "float32")
        # (batch * predictions, vocabulary) -> (batch, predictions, vocabulary)
        return ops.reshape(logits, (batch, predictions, self.vocabulary_size))

    def compute_output_shape(
        self, sequence_output_shape, masked_positions_shape=None, token_embeddings_shape=None
    ):
        positions = masked_positions_shape or (sequence_output_shape[0], None)
        return (*positions, self.vocabulary_size)

    def compute_output_spec(
        self, sequence_output, masked_positions, token_embeddings, training=None
    ):
        return keras.KerasTensor((*masked_positions.shape, self.vocabulary_size), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "hidden_dim": self.hidden_dim,
            "activation": self.activation,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_range": self.initializer_range,
        }


@keras.saving.register_keras_serializable("keras_bert")
class ClassificationHead(keras.layers.Layer):
    """A dense layer to class logits, after dropout, for a text or for each of its tokens.

    Next-sentence prediction is this head with two classes and no dropout; start and end of a span
    are the same for tokens.

    Args:
        num_classes: int.
        dropout: float. Rate on the input.
        initializer_range: float. Standard deviation of the initial weights, whose distribution is
            normal and not cut off, see `normal`.

    Call arguments:
        hidden: floats `(batch, hidden_dim)` or `(batch, length, hidden_dim)`.
        training: bool.

    Returns:
        Logits, float32 `(batch, num_classes)` or `(batch, length, num_classes)`.

    Example:

    ```python
    ClassificationHead(2, dropout=0.1)(pooled_output, training=True)
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, sections 4.1 to 4.4 and 5.3.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        dropout: float = 0.0,
        initializer_range: float = 0.02,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.dropout_rate = dropout
        self.initializer_range = initializer_range
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")
        self.dense = keras.layers.Dense(
            num_classes,
            kernel_initializer=normal(initializer_range),
            dtype=self.dtype_policy,
            name="dense",
        )

    def build(self, hidden_shape):
        self.dense.build(hidden_shape)

    def call(self, hidden, training=None):
        logits = self.dense(self.dropout(hidden, training=training))
        # Losses need float32 whatever the precision of the network.
        return ops.cast(logits, "float32")

    def compute_output_shape(self, hidden_shape):
        return (*hidden_shape[:-1], self.num_classes)

    def compute_output_spec(self, hidden, training=None):
        return keras.KerasTensor(self.compute_output_shape(hidden.shape), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "dropout": self.dropout_rate,
            "initializer_range": self.initializer_range,
        }
