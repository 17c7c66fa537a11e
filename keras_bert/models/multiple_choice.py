"""BERT for the best of several continuations or answers."""

from typing import Any

import keras
from keras import ops

from keras_bert.checkpoints.published import PublishedTensor, classifier_tensors
from keras_bert.config import BertConfig
from keras_bert.models.task_model import TaskModel, rows_of_texts

# Logit of a choice that is not there. Far below every other, and finite, so that losses are.
_ABSENT = -1e9


@keras.saving.register_keras_serializable("keras_bert")
class BertMultipleChoice(TaskModel):
    """The encoder with a score on the pooled `[CLS]` token of each choice.

    Examples of a batch may have different numbers of choices: those without any real token are not
    there. Their logits are -1e9, so that a softmax gives them nothing, and nothing is learnt from
    them.

    Args:
        config: `BertConfig`.
        unpadding: bool or None. See `BertEncoder`.

    Call arguments:
        inputs: the encoder's dictionary, each tensor with an axis of choices after the first:
            `token_ids` is int32 `(batch, choices, length)`.
        training: bool.

    Returns:
        Logits, float32 `(batch, choices)`.

    Example:

    ```python
    model = BertMultipleChoice.from_checkpoint("my-bert")
    features = preprocessor((["I was cold."], [["I lit a fire.", "I opened the window."]]))
    model(features)         # (1, 2)
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 4.4.
    """

    architecture = "BertForMultipleChoice"
    new_heads = (("output_", "bert/pooler/"),)
    input_ranks = (3,)
    needs_padding_mask = True

    def __init__(self, config: BertConfig, *, unpadding: bool | None = None, **kwargs: Any):
        super().__init__(config, unpadding=unpadding, **kwargs)
        self.classification_head = self._make_head(
            1, "classification_head", dropout=self.config.head_dropout
        )
        self._build_weights()

    def _build_layers(self):
        self.classification_head.build((None, self.config.hidden_dim))

    def call(self, inputs, training=None):
        rows, (batch, choices) = rows_of_texts(inputs)
        pooled = self.encoder(rows, training=training)["pooled_output"]
        logits = self.classification_head(pooled, training=training)
        # (batch * choices, 1) -> (batch, choices)
        logits = ops.reshape(logits, (batch, choices))
        is_there = ops.any(ops.cast(inputs["padding_mask"], "bool"), axis=-1)
        return ops.where(is_there, logits, _ABSENT)

    def published_tensors(self) -> list[PublishedTensor]:
        return classifier_tensors(self)
