"""BERT for a tag on every token: named entities, parts of speech."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_bert.checkpoints.published import PublishedTensor, classifier_tensors
from keras_bert.config import BertConfig
from keras_bert.models.labels import LabelledModel, checked_labels


@keras.saving.register_keras_serializable("keras_bert")
class BertTagger(LabelledModel):
    """The encoder with a dense layer on every token.

    Logits outside `padding_mask` mean nothing; give them no weight in the loss.

    Args:
        config: `BertConfig`.
        num_tags: int. Taken from `labels` where those are given.
        labels: sequence of str or None. Names of the tags; they travel with the checkpoint.
        unpadding: bool or None. See `BertEncoder`.

    Call arguments:
        inputs: the encoder's dictionary.
        training: bool.

    Returns:
        Logits, float32 `(batch, length, num_tags)`.

    Raises:
        InputError: If `num_tags` and `labels` do not agree.

    Example:

    ```python
    model = BertTagger.from_checkpoint("my-bert", labels=["O", "B-PER", "I-PER"])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(dataset)      # batches of (features, tags, weights), the last two (batch, length)
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 5.3.
    """

    architecture = "BertForTokenClassification"
    new_heads = (("output_",),)

    def __init__(
        self,
        config: BertConfig,
        *,
        num_tags: int | None = None,
        labels: Sequence[str] | None = None,
        unpadding: bool | None = None,
        **kwargs: Any,
    ):
        labels = checked_labels(labels, num_tags, "num_tags")
        super().__init__(config, labels=labels, unpadding=unpadding, pooler=False, **kwargs)
        self.num_tags = len(labels)
        self.classification_head = self._make_head(
            self.num_tags, "classification_head", dropout=self.config.head_dropout
        )
        self._build_weights()

    def _build_layers(self):
        self.classification_head.build((None, None, self.config.hidden_dim))

    def call(self, inputs, training=None):
        tokens = self.encoder(inputs, training=training)["sequence_output"]
        return self.classification_head(tokens, training=training)

    def published_tensors(self) -> list[PublishedTensor]:
        return classifier_tensors(self)
