"""BERT with its pre-training heads."""

from typing import Any

import keras

from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.checkpoints.published import PublishedTensor, pretraining_tensors
from keras_bert.config import BertConfig
from keras_bert.layers.heads import MaskedLMHead
from keras_bert.models.task_model import TaskModel

_MASKED_LM = "cls/predictions/"
_NEXT_SENTENCE = "cls/seq_relationship/"


@keras.saving.register_keras_serializable("keras_bert")
class BertPretrainer(TaskModel):
    """The encoder with the masked language model and next-sentence prediction.

    Args:
        config: `BertConfig`.
        next_sentence: bool. False for the masked language model alone, without pooler, as RoBERTa
            and SpanBERT have it. A checkpoint decides where nothing is said.
        unpadding: bool or None. See `BertEncoder`.

    Call arguments:
        inputs: the encoder's dictionary, with `masked_positions`, int32 `(batch, predictions)`.
        training: bool.

    Returns:
        A dictionary of logits: `masked_lm_logits`, float32
        `(batch, predictions, vocabulary_size)`, and, with `next_sentence`, `next_sentence_logits`,
        float32 `(batch, 2)` (0 = is next, 1 = random).

    Example:

    ```python
    pretrainer = BertPretrainer(BertConfig.from_name("L4-H256", vocabulary_size=8000))
    pretrainer(masker(preprocessor(pairs), seeds))["masked_lm_logits"]
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 3.1.
    """

    new_heads = ((_MASKED_LM,), (_NEXT_SENTENCE, "bert/pooler/"))

    def __init__(
        self,
        config: BertConfig,
        *,
        next_sentence: bool = True,
        unpadding: bool | None = None,
        **kwargs: Any,
    ):
        super().__init__(config, unpadding=unpadding, pooler=next_sentence, **kwargs)
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
        self.next_sentence_head = None
        if next_sentence:
            self.next_sentence_head = self._make_head(2, "next_sentence_head")
        self._build_weights()

    def _build_layers(self):
        hidden = (None, None, self.config.hidden_dim)
        self.masked_lm_head.build(hidden)
        if self.next_sentence_head is not None:
            self.next_sentence_head.build((None, self.config.hidden_dim))

    @property
    def architecture(self) -> str:
        return "BertForMaskedLM" if self.next_sentence_head is None else "BertForPreTraining"

    @classmethod
    def _settings_of(cls, checkpoint: Checkpoint) -> dict[str, Any]:
        return {"next_sentence": any(name.startswith(_NEXT_SENTENCE) for name in checkpoint.arrays)}

    def input_signature(self):
        return {
            **super().input_signature(),
            "masked_positions": keras.KerasTensor(
                (None, None), dtype="int32", name="masked_positions"
            ),
        }

    def call(self, inputs, training=None):
        encoded = self.encoder(inputs, training=training)
        logits = {
            "masked_lm_logits": self.masked_lm_head(
                encoded["sequence_output"],
                inputs["masked_positions"],
                self.encoder.token_embeddings,
                training=training,
            )
        }
        if self.next_sentence_head is not None:
            logits["next_sentence_logits"] = self.next_sentence_head(
                encoded["pooled_output"], training=training
            )
        return logits

    def published_tensors(self) -> list[PublishedTensor]:
        return pretraining_tensors(self)

    def get_config(self):
        return {**super().get_config(), "next_sentence": self.next_sentence_head is not None}
