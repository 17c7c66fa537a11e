"""BERT for classes of texts or of pairs."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_bert.checkpoints.checkpoint import label_settings
from keras_bert.checkpoints.published import PublishedTensor, classifier_tensors
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.layers.heads import ClassificationHead
from keras_bert.models.base import BertModel
from keras_bert.models.encoder import BertEncoder


@keras.saving.register_keras_serializable("keras_bert")
class BertClassifier(BertModel):
    """The encoder with a dense layer on the pooled `[CLS]` token.

    Args:
        config: `BertConfig`.
        num_classes: int. Taken from `labels` where those are given.
        labels: sequence of str or None. Names of the classes; they travel with the checkpoint.
        unpadding: bool. See `BertEncoder`.

    Call arguments:
        inputs: the encoder's dictionary.
        training: bool.

    Returns:
        Logits, float32 `(batch, num_classes)`.

    Raises:
        InputError: If `num_classes` and `labels` do not agree.

    Example:

    ```python
    model = BertClassifier.from_checkpoint("my-bert", labels=["negative", "positive"])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(dataset)      # batches of (features, label)
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 4.1.
    """

    # An encoder's checkpoint begins a new task: its classifier is not there yet.
    new_heads = ("output_", "bert/pooler/")

    def __init__(
        self,
        config: BertConfig,
        *,
        num_classes: int | None = None,
        labels: Sequence[str] | None = None,
        unpadding: bool = False,
        **kwargs: Any,
    ):
        super().__init__(config, unpadding=unpadding, **kwargs)
        if labels is None:
            labels = [f"LABEL_{index}" for index in range(num_classes or 0)]
        if num_classes is None:
            num_classes = len(labels)
        if num_classes < 1 or len(labels) != num_classes or len(set(labels)) != num_classes:
            raise InputError(
                "`num_classes` must be at least 1 and `labels`, where given, as many different "
                f"names. Received: num_classes={num_classes}, labels={list(labels)}"
            )
        self.num_classes = num_classes
        self.labels = tuple(labels)
        self.encoder = BertEncoder(
            self.config, unpadding=unpadding, dtype=self.dtype_policy, name="encoder"
        )
        self.classification_head = ClassificationHead(
            num_classes,
            dropout=self.config.dropout,
            initializer_range=self.config.initializer_range,
            dtype=self.dtype_policy,
            name="classification_head",
        )
        self._build_weights()

    def call(self, inputs, training=None):
        pooled = self.encoder(inputs, training=training)["pooled_output"]
        return self.classification_head(pooled, training=training)

    def published_tensors(self) -> list[PublishedTensor]:
        return classifier_tensors(self)

    @classmethod
    def _settings_of(cls, settings):
        labels = settings.get("id2label")
        if not labels:
            return {}
        return {"labels": [labels[str(index)] for index in range(len(labels))]}

    def checkpoint_settings(self):
        return {
            "architectures": ["BertForSequenceClassification"],
            **label_settings(self.labels),
        }

    def get_config(self):
        return {**super().get_config(), "labels": list(self.labels)}
