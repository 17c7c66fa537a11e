"""BERT with both pre-training heads."""

from typing import Any

import keras

from keras_bert.checkpoints.published import PublishedTensor, pretraining_tensors
from keras_bert.config import BertConfig
from keras_bert.layers.heads import MaskedLMHead
from keras_bert.models.task_model import TaskModel


@keras.saving.register_keras_serializable("keras_bert")
class BertPretrainer(TaskModel):
    """The encoder with the masked language model and next-sentence prediction.

    Args:
        config: `BertConfig`.
        unpadding: bool or None. See `BertEncoder`.

    Call arguments:
        inputs: the encoder's dictionary, with `masked_positions`, int32 `(batch, predictions)`.
        training: bool.

    Returns:
        A dictionary of logits: `masked_lm_logits`, float32
        `(batch, predictions, vocabulary_size)`, and `next_sentence_logits`, float32 `(batch, 2)`
        (0 = is next, 1 = random).

    Example:

    ```python
    pretrainer = BertPretrainer(BertConfig.from_name("L4-H256", vocabulary_size=8000))
    pretrainer(masker(preprocessor(pairs), seeds))["masked_lm_logits"]
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 3.1.
    """

    architecture = "BertForPreTraining"

    def __init__(self, config: BertConfig, *, unpadding: bool | None = None, **kwargs: Any):
        super().__init__(config, unpadding=unpadding, **kwargs)
        config = self.config
        self.masked_lm_head = MaskedLMHead(
            config.vocabulary_size,
            config.hidden_dim,
            activation=config.activation,
            layer_norm_epsilon=config.layer_norm_epsilon,
            initializer_range=config.initializer_range,
            dtype=self.dtype_policy,
            name="masked_lm_head",
        )
        self.next_sentence_head = self._make_head(2, "next_sentence_head")
        self._build_weights()

    def input_signature(self):
        return {
            **super().input_signature(),
            "masked_positions": keras.KerasTensor((None, None), dtype="int32"),
        }

    def call(self, inputs, training=None):
        encoded = self.encoder(inputs, training=training)
        return {
            "masked_lm_logits": self.masked_lm_head(
                encoded["sequence_output"],
                inputs["masked_positions"],
                self.encoder.token_embeddings,
                training=training,
            ),
            "next_sentence_logits": self.next_sentence_head(
                encoded["pooled_output"], training=training
            ),
        }

    def published_tensors(self) -> list[PublishedTensor]:
        return pretraining_tensors(self)
