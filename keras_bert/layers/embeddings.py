"""Token, segment and position embeddings."""

from typing import Any

import keras
from keras import ops

from keras_bert.errors import InputError
from keras_bert.layers.initializers import truncated_normal
from keras_bert.layers.layer_normalization import LayerNormalization


class EmbeddingTable(keras.layers.Embedding):
    """`keras.layers.Embedding` that casts the rows it looks up instead of the whole table.

    With weights in float32 and computation in bfloat16, Keras would cast millions of rows at each
    step to look up some hundreds, and their gradient back.
    """

    def add_weight(self, *arguments, **options):
        return super().add_weight(*arguments, **{**options, "autocast": False})


@keras.saving.register_keras_serializable("keras_bert")
class BertEmbeddings(keras.layers.Layer):
    """Sums token, segment and position embeddings, normalises and drops out.

    Ids are not checked here, because a gather on an accelerator cannot raise; the input pipeline
    does it.

    Args:
        vocabulary_size: int. Rows of the token table.
        hidden_dim: int. Width.
        max_sequence_length: int. Rows of the position table.
        num_segments: int. Rows of the segment table.
        dropout: float. Rate on the result.
        layer_norm_epsilon: float.
        initializer_range: float. Standard deviation of the tables.

    Call arguments:
        tokens: integers `(batch, length)`, ids; or floats `(batch, length, hidden_dim)`, which
            stand for the rows of the token table.
        segment_ids: integers `(batch, length)`, or None for zeros.
        position_ids: integers `(batch, length)`, or None for 0..length-1.
        training: bool.

    Returns:
        Floats `(batch, length, hidden_dim)`.

    Raises:
        InputError: If rows are longer than `max_sequence_length`.

    Example:

    ```python
    embeddings = BertEmbeddings(30522, 768)
    hidden = embeddings(token_ids, segment_ids)
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, figure 2.
    """

    def __init__(
        self,
        vocabulary_size: int,
        hidden_dim: int,
        *,
        max_sequence_length: int = 512,
        num_segments: int = 2,
        dropout: float = 0.1,
        layer_norm_epsilon: float = 1e-12,
        initializer_range: float = 0.02,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.hidden_dim = hidden_dim
        self.max_sequence_length = max_sequence_length
        self.num_segments = num_segments
        self.dropout_rate = dropout
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range

        def table(rows, name):
            return EmbeddingTable(
                rows,
                hidden_dim,
                embeddings_initializer=truncated_normal(initializer_range, of_encoder=True),
                dtype=self.dtype_policy,
                name=name,
            )

        self.token_table = table(vocabulary_size, "token")
        self.segment_table = table(num_segments, "segment")
        self.position_table = table(max_sequence_length, "position")
        self.layer_norm = LayerNormalization(
            epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="layer_norm"
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def build(self, tokens_shape, segment_ids_shape=None, position_ids_shape=None):
        shape = tokens_shape[:2]
        for table in (self.token_table, self.segment_table, self.position_table):
            table.build(shape)
        self.layer_norm.build((*shape, self.hidden_dim))

    def call(self, tokens, segment_ids=None, position_ids=None, training=None):
        if segment_ids is None:
            segment_ids = ops.zeros(ops.shape(tokens)[:2], "int32")
        if position_ids is None:
            self.check_length(tokens.shape[1])
            # (length,) -> (1, length), the same for every row
            position_ids = ops.expand_dims(ops.arange(ops.shape(tokens)[1], dtype="int32"), 0)
        embedded = self.token_table(tokens) if len(tokens.shape) == 2 else tokens
        segments = self.segment_table(segment_ids)
        summed = ops.cast(embedded, segments.dtype) + segments
        summed = summed + self.position_table(position_ids)
        return self.dropout(self.layer_norm(summed, training=training), training=training)

    def check_length(self, length: Any) -> None:
        """Raises `InputError` if a row has more places than there are positions, where known."""
        if isinstance(length, int) and length > self.max_sequence_length:
            raise InputError(
                "the length of `tokens` must not exceed `max_sequence_length`. "
                f"Received: length={length}, max_sequence_length={self.max_sequence_length}"
            )

    def compute_output_shape(self, tokens_shape, segment_ids_shape=None, position_ids_shape=None):
        return (*tokens_shape[:2], self.hidden_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "hidden_dim": self.hidden_dim,
            "max_sequence_length": self.max_sequence_length,
            "num_segments": self.num_segments,
            "dropout": self.dropout_rate,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_range": self.initializer_range,
        }
