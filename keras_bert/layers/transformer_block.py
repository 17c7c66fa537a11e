"""The transformer block of BERT: normalisation after each residual sum."""

from typing import Any

import keras

from keras_bert.layers.activation import activate
from keras_bert.layers.attention import SelfAttention
from keras_bert.layers.initializers import truncated_normal
from keras_bert.layers.layer_normalization import ResidualLayerNormalization
from keras_bert.layers.lora_dense import LoraDense


@keras.saving.register_keras_serializable("keras_bert")
class TransformerBlock(keras.layers.Layer):
    """Self-attention and a feed-forward network, each followed by residual sum and LayerNorm.

    Args:
        hidden_dim: int. Width of a token.
        num_heads: int.
        intermediate_dim: int. Width inside the feed-forward network.
        dropout: float. Rate on the two outputs before their residual sums.
        attention_dropout: float. Rate on the attention probabilities.
        activation: str. A name of `BertConfig.activation`.
        layer_norm_epsilon: float.
        initializer_range: float. Standard deviation of the kernels.

    Call arguments:
        hidden: floats `(batch * length, hidden_dim)`.
        attention_mask: bool `(batch, query, length)`, see `SelfAttention`.
        real: `RealTokens` or None, see `SelfAttention`.
        training: bool.
        return_probabilities: bool.

    Returns:
        A dictionary of `output`, floats `(batch * length, hidden_dim)`, and, on request,
        `probabilities`, floats `(batch, num_heads, length, length)`.

    Example:

    ```python
    block = TransformerBlock(768, 12, 3072)
    block(hidden, padding_mask[:, None, :])["output"]
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 3; `transformer_model` in `modeling.py` of
          google-research/bert.
    """

    def __init__(
        self,
        hidden_dim: int,
        num_heads: int,
        intermediate_dim: int,
        *,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        activation: str = "gelu_tanh",
        layer_norm_epsilon: float = 1e-12,
        initializer_range: float = 0.02,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.dropout_rate = dropout
        self.attention_dropout = attention_dropout
        self.activation = activation
        self.layer_norm_epsilon = layer_norm_epsilon
        self.initializer_range = initializer_range
        policy = self.dtype_policy

        def dense(units, name):
            return LoraDense(
                units,
                kernel_initializer=truncated_normal(initializer_range, of_encoder=True),
                dtype=policy,
                name=name,
            )

        def layer_norm(name):
            return ResidualLayerNormalization(
                dropout, epsilon=layer_norm_epsilon, dtype=policy, name=name
            )

        self.attention = SelfAttention(
            hidden_dim,
            num_heads,
            dropout=attention_dropout,
            initializer_range=initializer_range,
            dtype=policy,
            name="attention",
        )
        self.attention_layer_norm = layer_norm("attention_layer_norm")
        self.intermediate = dense(intermediate_dim, "intermediate")
        self.output_dense = dense(hidden_dim, "output")
        self.output_layer_norm = layer_norm("output_layer_norm")

    def build(self, hidden_shape, attention_mask_shape=None, real_shape=None):
        self.attention.build(hidden_shape)
        self.attention_layer_norm.build(hidden_shape)
        self.intermediate.build(hidden_shape)
        self.output_dense.build((*hidden_shape[:-1], self.intermediate_dim))
        self.output_layer_norm.build(hidden_shape)

    def compute_output_shape(self, hidden_shape, attention_mask_shape=None, real_shape=None):
        return {"output": (*hidden_shape[:-1], self.hidden_dim)}

    def compute_output_spec(self, *args, **kwargs):
        # By the call itself: `return_probabilities` adds an output.
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    def call(self, hidden, attention_mask, real=None, training=None, return_probabilities=False):
        attended = self.attention(
            hidden,
            attention_mask,
            real,
            training=training,
            return_probabilities=return_probabilities,
        )
        hidden = self.attention_layer_norm(attended["output"], hidden, training=training)
        inner = activate(self.intermediate(hidden), self.activation, training=training)
        output = self.output_layer_norm(self.output_dense(inner), hidden, training=training)
        return {**attended, "output": output}

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout_rate,
            "attention_dropout": self.attention_dropout,
            "activation": self.activation,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "initializer_range": self.initializer_range,
        }
