"""Multi-head self-attention with one product for queries, keys and values."""

import math
from typing import Any

import keras
from keras import ops

from keras_bert.errors import InputError
from keras_bert.layers.fused_attention import can_fuse, fused_attention
from keras_bert.layers.initializers import truncated_normal
from keras_bert.layers.lora_dense import LoraDense
from keras_bert.layers.unpadding import drop_padding, spread


@keras.saving.register_keras_serializable("keras_bert")
class SelfAttention(keras.layers.Layer):
    """Multi-head self-attention under any mask.

    Tokens come in as one long list, `(batch * length, hidden_dim)`: a dense product on two axes
    fuses with its bias, one on three does not (1.34x on CPU in bfloat16). The mask carries the
    batch and the length.

    Args:
        hidden_dim: int. Width of a token, a multiple of `num_heads`.
        num_heads: int.
        dropout: float. Rate on the attention probabilities.
        initializer_range: float. Standard deviation of the kernels.

    Call arguments:
        hidden: floats `(batch * length, hidden_dim)`.
        attention_mask: bool `(batch, query, length)`, true where a query may look; `query` is
            `length`, or 1 for a mask that is the same for every query, as a padding mask is.
        real: `RealTokens` or None. Where the padding was dropped: `hidden` and the output are then
            `(kept, hidden_dim)`.
        training: bool.
        return_probabilities: bool. Return the attention probabilities too.

    Returns:
        A dictionary of `output`, floats `(batch * length, hidden_dim)`, and, on request,
        `probabilities`, floats `(batch, num_heads, length, length)` before dropout.

    Raises:
        InputError: If `hidden_dim` is no multiple of `num_heads`.

    Example:

    ```python
    attention = SelfAttention(768, 12)
    left_to_right = ops.tril(ops.ones((8, 128, 128), "bool"))
    attention(hidden, left_to_right)["output"]      # (8 * 128, 768)
    ```

    References:
        - Vaswani et al. 2017, arXiv:1706.03762, section 3.2.
    """

    def __init__(
        self,
        hidden_dim: int,
        num_heads: int,
        *,
        dropout: float = 0.1,
        initializer_range: float = 0.02,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if hidden_dim % num_heads:
            raise InputError(
                "`hidden_dim` must be a multiple of `num_heads`. "
                f"Received: hidden_dim={hidden_dim}, num_heads={num_heads}"
            )
        self.hidden_dim = hidden_dim
        self.num_heads = num_heads
        self.head_dim = hidden_dim // num_heads
        self.dropout_rate = dropout
        self.initializer_range = initializer_range
        self.query_key_value = LoraDense(
            3 * hidden_dim,
            kernel_initializer=truncated_normal(initializer_range, of_encoder=True),
            dtype=self.dtype_policy,
            name="query_key_value",
        )
        self.output_dense = LoraDense(
            hidden_dim,
            kernel_initializer=truncated_normal(initializer_range, of_encoder=True),
            dtype=self.dtype_policy,
            name="output",
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def build(self, hidden_shape, attention_mask_shape=None, real_shape=None):
        self.query_key_value.build(hidden_shape)
        self.output_dense.build(hidden_shape)

    def compute_output_shape(self, hidden_shape, attention_mask_shape=None, real_shape=None):
        return {"output": (*hidden_shape[:-1], self.hidden_dim)}

    def compute_output_spec(self, *args, **kwargs):
        # By the call itself: `return_probabilities` adds an output.
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    def call(self, hidden, attention_mask, real=None, training=None, return_probabilities=False):
        batch, _, length = ops.shape(attention_mask)
        projected = self.query_key_value(hidden)
        if real is not None:
            projected = spread(projected, real, training=training)
        tokens = ops.shape(projected)[0]
        # (batch * length, 3 * hidden) -> (batch, length, 3, heads, head)
        projected = ops.reshape(projected, (batch, length, 3, self.num_heads, self.head_dim))
        result = {}
        drops = training and self.dropout_rate > 0
        if not (drops or return_probabilities) and can_fuse(projected, attention_mask):
            context = fused_attention(projected, attention_mask)
        else:
            context, probabilities = self._attend(
                projected, attention_mask, training, return_probabilities
            )
            if return_probabilities:
                result["probabilities"] = probabilities
        # (batch, length, heads, head) -> (batch * length, heads * head)
        context = ops.reshape(context, (tokens, self.hidden_dim))
        if real is not None:
            context = drop_padding(context, real, training=training)
        return {**result, "output": self.output_dense(context)}

    def _attend(self, projected, attention_mask, training, return_probabilities):
        """The context, `(batch, length, heads, head)`, and the probabilities or None."""
        # (batch, length, 3, heads, head) -> (3, batch, heads, length, head)
        projected = ops.transpose(projected, (2, 0, 3, 1, 4))
        # Not by indices: a slice's gradient is a padded array of zeros for each of the three.
        query, key, value = ops.unstack(projected, 3, axis=0)
        # (batch, heads, query, head) x (batch, heads, head, key) -> (batch, heads, query, key)
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        # (batch, query, key) -> (batch, 1, query, key), the same for every head
        visible = ops.expand_dims(attention_mask, 1)
        scale = 1 / math.sqrt(self.head_dim)
        probabilities = None
        if training and keras.backend.backend() == "tensorflow" and not return_probabilities:
            from keras_bert.layers import tensorflow_kernels as kernels

            dropout = kernels.dropout_bits(ops.shape(scores), self.dropout)
            weights = kernels.trained_attention_weights(scores, visible, scale, dropout)
        else:
            # Half of the smallest number: far below every score, and two of them do not overflow.
            blocked = ops.convert_to_tensor(-0.5 * _largest(scores.dtype), scores.dtype)
            scores = scores * scale + ops.where(visible, ops.zeros_like(blocked), blocked)
            probabilities = ops.softmax(scores, axis=-1)
            weights = self.dropout(probabilities, training=training)
        # (batch, heads, query, key) x (batch, heads, key, head) -> (batch, heads, query, head)
        context = ops.matmul(weights, value)
        # (batch, heads, length, head) -> (batch, length, heads, head)
        return ops.transpose(context, (0, 2, 1, 3)), probabilities

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "num_heads": self.num_heads,
            "dropout": self.dropout_rate,
            "initializer_range": self.initializer_range,
        }


def _largest(dtype: Any) -> float:
    """The largest finite number of a float type."""
    dtype = keras.backend.standardize_dtype(dtype)
    return {"float16": 65504.0, "bfloat16": 3.38e38, "float32": 3.4e38, "float64": 1.7e308}[dtype]
