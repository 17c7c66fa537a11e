"""The BERT encoder."""

from typing import Any

import keras
from keras import ops

from keras_bert.checkpoints.published import PublishedTensor, encoder_tensors
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.layers.embeddings import BertEmbeddings
from keras_bert.layers.gradient_checkpointing import recomputed
from keras_bert.layers.heads import Pooler
from keras_bert.layers.transformer_block import TransformerBlock
from keras_bert.layers.unpadding import RealTokens, is_possible, restore_padding
from keras_bert.models.base import BertModel


@keras.saving.register_keras_serializable("keras_bert")
class BertEncoder(BertModel):
    """Token ids to contextual representations.

    Args:
        config: `BertConfig`.
        unpadding: bool or None. Compute all but the attention for real tokens only. Padded
            positions of the outputs are then zeros; real ones are the same. It needs shapes that
            may vary, which TensorFlow has outside XLA: None means there, and only there.
        pooler: bool. False for models of tokens, which leave the `[CLS]` token's dense layer
            unused: its weights are then neither held nor saved.

    Call arguments:
        inputs: dictionary of `token_ids`, int32 `(batch, length)`, and `padding_mask`, bool
            `(batch, length)`, true on real tokens; optionally `segment_ids`, int32
            `(batch, length)`, zeros by default, `position_ids`, int32 `(batch, length)`, and
            `attention_mask`, bool `(batch, length, length)`, which replaces the mask made from
            `padding_mask`. In place of `token_ids`, `token_embeddings`, floats
            `(batch, length, hidden_dim)`, stand for the rows of the token table.
        training: bool.
        return_hidden_states: bool. Also return every layer's output.
        return_attentions: bool. Also return every layer's attention probabilities.

    Returns:
        A dictionary of `sequence_output`, floats `(batch, length, hidden_dim)`, and, with a
        pooler, `pooled_output`, floats `(batch, hidden_dim)`; on request `hidden_states`, a list of
        `num_layers + 1` tensors like `sequence_output`, embeddings first, and `attentions`, a list
        of `num_layers` tensors `(batch, num_heads, length, length)`.

    Example:

    ```python
    encoder = BertEncoder(BertConfig.from_name("base"))
    encoder(preprocessor(["some text"]))["pooled_output"]       # (1, 768)
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 3.
    """

    architecture = "BertModel"
    # A checkpoint of a tagger or a span predictor has no pooler.
    new_heads = (("bert/pooler/",),)

    def __init__(
        self,
        config: BertConfig,
        *,
        unpadding: bool | None = None,
        pooler: bool = True,
        **kwargs: Any,
    ):
        super().__init__(config, unpadding=unpadding, **kwargs)
        self.gradient_checkpointing = False
        config = self.config
        self.embeddings = BertEmbeddings(
            config.vocabulary_size,
            config.hidden_dim,
            max_sequence_length=config.max_sequence_length,
            num_segments=config.num_segments,
            dropout=config.dropout,
            layer_norm_epsilon=config.layer_norm_epsilon,
            initializer_range=config.initializer_range,
            dtype=self.dtype_policy,
            name="embeddings",
        )
        self.blocks = [
            TransformerBlock(
                config.hidden_dim,
                config.num_heads,
                config.intermediate_dim,
                dropout=config.dropout,
                attention_dropout=config.attention_dropout,
                activation=config.activation,
                layer_norm_epsilon=config.layer_norm_epsilon,
                initializer_range=config.initializer_range,
                dtype=self.dtype_policy,
                name=f"block_{index}",
            )
            for index in range(config.num_layers)
        ]
        self.pooler = None
        if pooler:
            self.pooler = Pooler(
                config.hidden_dim,
                initializer_range=config.initializer_range,
                dtype=self.dtype_policy,
                name="pooler",
            )
        self._build_weights()

    def _build_layers(self):
        tokens = (None, self.config.hidden_dim)
        self.embeddings.build((None, None))
        for block in self.blocks:
            block.build(tokens)
        if self.pooler is not None:
            self.pooler.build((None, None, self.config.hidden_dim))

    @property
    def token_embeddings(self):
        """The token table, `(vocabulary_size, hidden_dim)`."""
        return self.embeddings.token_table.embeddings

    def call(self, inputs, training=None, return_hidden_states=False, return_attentions=False):
        tokens = inputs.get("token_embeddings")
        tokens = inputs["token_ids"] if tokens is None else tokens
        attention_mask = inputs.get("attention_mask")
        if attention_mask is None:
            # (batch, key) -> (batch, 1, key), the same for every query
            attention_mask = ops.expand_dims(ops.cast(inputs["padding_mask"], "bool"), 1)
        real = self._real_tokens(inputs)
        # (batch, length, hidden) -> (batch * length, hidden): one list of tokens until the end
        embedded = self._embed(tokens, inputs, real, training)
        hidden = ops.reshape(embedded, (-1, self.config.hidden_dim))
        batch, length = ops.shape(tokens)[:2]

        def whole(hidden):
            if real is not None:
                hidden = restore_padding(hidden, real, training=training)
            # (batch * length, hidden) -> (batch, length, hidden)
            return ops.reshape(hidden, (batch, length, self.config.hidden_dim))

        states, attentions = [whole(hidden)] if return_hidden_states else [], []
        for block in self.blocks:
            if self.gradient_checkpointing and training and not return_attentions:
                result = {"output": recomputed(block, hidden, attention_mask, real)}
            else:
                result = block(
                    hidden,
                    attention_mask,
                    real,
                    training=training,
                    return_probabilities=return_attentions,
                )
            hidden = result["output"]
            if return_hidden_states:
                states.append(whole(hidden))
            if return_attentions:
                attentions.append(result["probabilities"])
        sequence_output = whole(hidden)
        outputs = {"sequence_output": sequence_output}
        if self.pooler is not None:
            outputs["pooled_output"] = self.pooler(sequence_output)
        if return_hidden_states:
            outputs["hidden_states"] = states
        if return_attentions:
            outputs["attentions"] = attentions
        return outputs

    def _real_tokens(self, inputs):
        """Where the real tokens stand, if padding is to be dropped."""
        if self.unpadding is False or "padding_mask" not in inputs:
            return None
        return RealTokens.of(inputs["padding_mask"]) if self.unpadding or is_possible() else None

    def _embed(self, tokens, inputs, real, training):
        """Embeddings, `(batch, length, hidden)`, or `(1, kept, hidden)` without padding."""
        segment_ids, position_ids = inputs.get("segment_ids"), inputs.get("position_ids")
        if real is not None:

            def listed(tensor):
                # (batch, length, ...) -> (batch * length, ...) -> (1, kept, ...)
                flat = ops.reshape(tensor, (-1, *tensor.shape[2:]))
                return ops.expand_dims(ops.take(flat, real.places, axis=0), 0)

            if position_ids is None:
                self.embeddings.check_length(tokens.shape[1])
                position_ids = ops.expand_dims(real.places % ops.shape(tokens)[1], 0)
            else:
                position_ids = listed(position_ids)
            tokens = listed(tokens)
            segment_ids = None if segment_ids is None else listed(segment_ids)
        return self.embeddings(tokens, segment_ids, position_ids, training=training)

    def freeze(self, num_layers: int) -> None:
        """Keeps the embeddings and the lowest `num_layers` blocks as they are in training.

        To be called before `compile`. `freeze(0)` keeps the embeddings alone.

        Raises:
            InputError: If the model has not so many blocks.
        """
        if type(num_layers) is not int or not 0 <= num_layers <= len(self.blocks):
            raise InputError(
                f"`num_layers` must be an integer from 0 to {len(self.blocks)}. "
                f"Received: num_layers={num_layers!r}"
            )
        for layer in (self.embeddings, *self.blocks[:num_layers]):
            layer.trainable = False

    def enable_gradient_checkpointing(self) -> None:
        """Trains with less memory: each block's inner tensors are computed again for its gradient.

        To be called before `compile`. Outputs and gradients stay the same; a step takes about a
        third longer.

        References:
            - Chen et al. 2016, arXiv:1604.06174.
        """
        self.gradient_checkpointing = True

    def enable_lora(self, rank: int, *, alpha: float | None = None) -> None:
        """Trains small additions to the attention's weights and nothing else of the encoder.

        To be called before `compile`. `save_checkpoint` writes the sums, in the usual layout.

        Args:
            rank: int. Rank of each addition.
            alpha: float or None. The additions count `alpha / rank` times; `rank` by default.

        References:
            - Hu et al. 2021, arXiv:2106.09685. `keras.layers.Dense.enable_lora` does the work.
        """
        for layer in self.layers:
            layer.trainable = False
        for block in self.blocks:
            block.trainable = block.attention.trainable = True
            for layer in block.attention.query_key_value, block.attention.output_dense:
                layer.enable_lora(rank, lora_alpha=alpha)
                layer.bias.trainable = False
            others = (
                block.attention_layer_norm,
                block.intermediate,
                block.output_dense,
                block.output_layer_norm,
            )
            for layer in others:
                layer.trainable = False

    def published_tensors(self) -> list[PublishedTensor]:
        return encoder_tensors(self)

    def get_config(self):
        return {**super().get_config(), "pooler": self.pooler is not None}
