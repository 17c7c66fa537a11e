"""BERT for classes of texts or of pairs."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_bert.checkpoints.huggingface import PROBLEM_TYPES
from keras_bert.checkpoints.published import PublishedTensor, classifier_tensors
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.models.labels import LabelledModel, checked_labels


@keras.saving.register_keras_serializable("keras_bert")
class BertClassifier(LabelledModel):
    """The encoder with a dense layer on the pooled `[CLS]` token.

    Args:
        config: `BertConfig`.
        num_classes: int. Taken from `labels` where those are given.
        labels: sequence of str or None. Names of the classes; they travel with the checkpoint.
        problem_type: str. What the logits mean, in the words of transformers:
            `"single_label_classification"`, `"multi_label_classification"` (each class on its own)
            or `"regression"` (one logit, a number). It travels with the checkpoint.
        unpadding: bool or None. See `BertEncoder`.

    Call arguments:
        inputs: the encoder's dictionary.
        training: bool.

    Returns:
        Logits, float32 `(batch, num_classes)`.

    Raises:
        InputError: If `num_classes` and `labels` do not agree, or `problem_type` is unknown.

    Example:

    ```python
    model = BertClassifier.from_checkpoint("my-bert", labels=["negative", "positive"])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(dataset)      # batches of (features, label)
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 4.1.
    """

    architecture = "BertForSequenceClassification"
    # An encoder's checkpoint begins a new task: its classifier is not there yet.
    new_heads = (("output_", "bert/pooler/"),)

    def __init__(
        self,
        config: BertConfig,
        *,
        num_classes: int | None = None,
        labels: Sequence[str] | None = None,
        problem_type: str = PROBLEM_TYPES[0],
        unpadding: bool | None = None,
        **kwargs: Any,
    ):
        labels = checked_labels(labels, num_classes, "num_classes")
        if problem_type not in PROBLEM_TYPES:
            raise InputError(
                f"`problem_type` must be one of {', '.join(PROBLEM_TYPES)}. "
                f"Received: problem_type={problem_type!r}"
            )
        super().__init__(config, labels=labels, unpadding=unpadding, **kwargs)
        self.num_classes = len(labels)
        self.problem_type = problem_type
        self.classification_head = self._make_head(
            self.num_classes, "classification_head", dropout=self.config.head_dropout
        )
        self._build_weights()

    def _build_layers(self):
        self.classification_head.build((None, self.config.hidden_dim))

    def call(self, inputs, training=None):
        pooled = self.encoder(inputs, training=training)["pooled_output"]
        return self.classification_head(pooled, training=training)

    @classmethod
    def _settings_of(cls, checkpoint):
        settings = super()._settings_of(checkpoint)
        # transformers takes one class for a number where nothing else is said.
        usual = PROBLEM_TYPES[2 if len(settings.get("labels", ())) == 1 else 0]
        return {**settings, "problem_type": checkpoint.settings.get("problem_type") or usual}

    def checkpoint_settings(self):
        settings = super().checkpoint_settings()
        if self.num_classes == 1 and self.problem_type == PROBLEM_TYPES[0]:
            # transformers opens no file that says so: there is nothing to choose from.
            return settings
        return {**settings, "problem_type": self.problem_type}

    def published_tensors(self) -> list[PublishedTensor]:
        return classifier_tensors(self)

    def get_config(self):
        return {**super().get_config(), "problem_type": self.problem_type}
