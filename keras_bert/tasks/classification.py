"""Classes of texts and of pairs, one or several of each, and numbers in their place."""

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from keras_bert.models.classifier import PROBLEM_TYPES, BertClassifier
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.predictor import Predictor
from keras_bert.tasks.rows import Rows, unpadded
from keras_bert.text.preprocessor import BertPreprocessor

_SINGLE, _MULTIPLE, _REGRESSION = PROBLEM_TYPES


class TextPredictor(Predictor):
    """Base of the families with one answer for a text, or for a pair of texts."""

    model_class = BertClassifier
    forms = (("text",), ("text_a", "text_b"))
    problem_type: str

    def __init__(self, model, tokenizer, **options):
        super().__init__(model, tokenizer, **options)
        self.preprocessor = BertPreprocessor(tokenizer, self.sequence_length, padding="longest")

    @classmethod
    def model_arguments(cls, labels, options):
        return {**super().model_arguments(labels, options), "problem_type": cls.problem_type}

    @classmethod
    def describes(cls, settings):
        # transformers takes one class for a number where nothing else is said.
        usual = _REGRESSION if len(settings.get("id2label") or "12") == 1 else _SINGLE
        problem_type = settings.get("problem_type") or usual
        return super().describes(settings) and problem_type == cls.problem_type

    def encode(self, examples: Examples) -> Rows:
        columns = tuple(tf.constant(values) for values in examples.columns.values())
        inputs = self.preprocessor(columns[0] if len(columns) == 1 else columns)
        targets = None
        if examples.targets is not None:
            targets = self._targets(examples.targets)
        return Rows(
            unpadded(inputs),
            example=np.arange(len(examples)),
            sequence_length=self.sequence_length,
            pad_id=self.tokenizer.vocabulary.pad_id,
            targets=targets,
        )

    def _targets(self, targets: list[Any]) -> tf.Tensor:
        raise NotImplementedError


class ClassPredictor(TextPredictor):
    """One class of several. Targets are indices of classes.

    An answer is `{"label": ..., "probabilities": {label: probability}}`.
    """

    name = "classification"
    problem_type = _SINGLE

    def _targets(self, targets):
        return tf.constant(targets, tf.int32)

    def decode(self, examples, rows, outputs):
        labels = self.model.labels
        answers = []
        for shares in tf.nn.softmax(np.stack(outputs)).numpy():
            named = {label: round(float(p), 6) for label, p in zip(labels, shares, strict=True)}
            answers.append({"label": labels[shares.argmax()], "probabilities": named})
        return answers

    def loss(self):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def metrics(self):
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]


class LabelsPredictor(TextPredictor):
    """Any number of classes at once. Targets are lists of indices of classes.

    An answer is `{"labels": [...], "probabilities": {label: probability}}`: those of a probability
    of `threshold` or more.
    """

    name = "multi_label"
    problem_type = _MULTIPLE
    defaults: ClassVar = {"threshold": 0.5}

    def _targets(self, targets):
        flags = np.zeros((len(targets), self.model.num_classes), np.float32)
        for row, classes in zip(flags, targets, strict=True):
            row[list(classes)] = 1
        return tf.constant(flags)

    def decode(self, examples, rows, outputs):
        names = self.model.labels
        answers = []
        for shares in tf.nn.sigmoid(np.stack(outputs)).numpy():
            named = {label: round(float(p), 6) for label, p in zip(names, shares, strict=True)}
            chosen = [label for label, p in named.items() if p >= self.options["threshold"]]
            answers.append({"labels": chosen, "probabilities": named})
        return answers

    def loss(self):
        return keras.losses.BinaryCrossentropy(from_logits=True)

    def metrics(self):
        return [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)]


class ScorePredictor(TextPredictor):
    """A number for each text. Targets are numbers.

    An answer is `{"score": ...}`.
    """

    name = "regression"
    problem_type = _REGRESSION

    @classmethod
    def model_arguments(cls, labels, options):
        return {"labels": ("score",), "problem_type": cls.problem_type}

    def _targets(self, targets):
        # (rows,) -> (rows, 1), as the logits
        return tf.constant(targets, tf.float32, shape=(len(targets), 1))

    def decode(self, examples, rows, outputs):
        return [{"score": round(float(output[0]), 6)} for output in outputs]

    def loss(self):
        return keras.losses.MeanSquaredError()
