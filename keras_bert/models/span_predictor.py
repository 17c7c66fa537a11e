"""BERT for spans of a text: extractive question answering."""

from typing import Any

import keras
from keras import ops

from keras_bert.checkpoints.published import PublishedTensor, span_tensors
from keras_bert.config import BertConfig
from keras_bert.models.task_model import TaskModel

# Logit of padding. Below every other, and far enough from float32's end that a start and an end
# can be added.
_PADDING = -1e9


@keras.saving.register_keras_serializable("keras_bert")
class BertSpanPredictor(TaskModel):
    """The encoder with a dense layer that says of every token how well a span starts or ends there.

    Logits outside `padding_mask` are -1e9, so that no answer lies there and a softmax gives it
    nothing. Those of real tokens are the dense layer's own, of question, `[CLS]` and `[SEP]` too.

    Args:
        config: `BertConfig`.
        unpadding: bool or None. See `BertEncoder`.

    Call arguments:
        inputs: the encoder's dictionary.
        training: bool.

    Returns:
        A dictionary of logits, `start_logits` and `end_logits`, float32 `(batch, length)` each.

    Example:

    ```python
    model = BertSpanPredictor.from_checkpoint("my-bert")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", {"start_logits": loss, "end_logits": loss})
    model.fit(dataset)      # batches of (features, {"start_logits": starts, "end_logits": ends})
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 4.2.
        - `create_model` in `run_squad.py` of google-research/bert.
    """

    architecture = "BertForQuestionAnswering"
    new_heads = (("cls/squad/",),)
    needs_padding_mask = True

    def __init__(self, config: BertConfig, *, unpadding: bool | None = None, **kwargs: Any):
        super().__init__(config, unpadding=unpadding, pooler=False, **kwargs)
        # The reference has no dropout here.
        self.span_head = self._make_head(2, "span_head")
        self._build_weights()

    def _build_layers(self):
        self.span_head.build((None, None, self.config.hidden_dim))

    def call(self, inputs, training=None):
        tokens = self.encoder(inputs, training=training)["sequence_output"]
        logits = self.span_head(tokens, training=training)
        is_real = ops.cast(inputs["padding_mask"], "bool")
        # (batch, length, 2) -> (batch, length), twice
        return {
            "start_logits": ops.where(is_real, logits[..., 0], _PADDING),
            "end_logits": ops.where(is_real, logits[..., 1], _PADDING),
        }

    def published_tensors(self) -> list[PublishedTensor]:
        return span_tensors(self)
