"""Classes of texts and of pairs, and numbers in their place."""

import abc
from collections.abc import Mapping
from typing import ClassVar

import tensorflow as tf

from exports.signatures.base import STRINGS, Signature, TaskSignatures, same_size
from keras_bert.tasks.classification import ClassPredictor, LabelsPredictor, ScorePredictor

TEXTS = ["A text to look at.", "Another one, which is a little longer than the first."]
OTHERS = ["Something else.", "What it is compared with."]


class TextSignatures(TaskSignatures):
    """Base of the families with one answer for a text, or for a pair of texts."""

    outputs: ClassVar[Mapping[str, str]]

    def signatures(self):
        pair = {"text_a": STRINGS, "text_b": STRINGS}
        return [
            Signature(
                "serving_default",
                self._answer_texts,
                {"text": STRINGS},
                self.outputs,
                {"text": TEXTS},
            ),
            Signature(
                "pairs", self._answer_pairs, pair, self.outputs, {"text_a": TEXTS, "text_b": OTHERS}
            ),
            self.features_signature(
                lambda features: self.answer(self.infer(features)), self.outputs
            ),
        ]

    @abc.abstractmethod
    def answer(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the outputs for logits, `(batch, classes)`."""

    def _answer_texts(self, text):
        return self.answer(self.infer(self.predictor.preprocessor(self.bounded(text))))

    def _answer_pairs(self, text_a, text_b):
        text_a, text_b = same_size(text_a=text_a, text_b=text_b)
        pair = self.bounded(text_a), self.bounded(text_b)
        return self.answer(self.infer(self.predictor.preprocessor(pair)))

    def _names(self, rows: tf.Tensor) -> tf.Tensor:
        """The labels in every row: `(batch, classes)`."""
        labels = tf.constant(self.predictor.model.labels)
        # (classes,) -> (batch, classes)
        return tf.repeat(labels[tf.newaxis], tf.shape(rows)[0], axis=0)


class ClassSignatures(TextSignatures):
    """One class of several."""

    family = ClassPredictor
    outputs: ClassVar = {
        "label": "name of the most probable class",
        "labels": "names of the classes, the same in every row",
        "probabilities": "of each class; they add up to 1",
    }

    def answer(self, logits):
        labels = tf.constant(self.predictor.model.labels)
        return {
            "label": tf.gather(labels, tf.argmax(logits, axis=1)),
            "labels": self._names(logits),
            "probabilities": tf.nn.softmax(logits),
        }


class LabelsSignatures(TextSignatures):
    """Any number of classes at once."""

    family = LabelsPredictor
    outputs: ClassVar = {
        "labels": "names of the classes, the same in every row",
        "probabilities": "of each class, 0 to 1 each",
        "chosen": "whether a class' probability reaches the model's threshold",
    }

    def answer(self, logits):
        probabilities = tf.nn.sigmoid(logits)
        return {
            "labels": self._names(logits),
            "probabilities": probabilities,
            "chosen": probabilities >= self.predictor.options["threshold"],
        }


class ScoreSignatures(TextSignatures):
    """A number."""

    family = ScorePredictor
    outputs: ClassVar = {"score": "the number that the model was trained to predict"}

    def answer(self, logits):
        return {"score": logits[:, 0]}
