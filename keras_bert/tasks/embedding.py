"""Vectors of texts, and how similar two texts are."""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.models.embedder import BertEmbedder
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.predictor import Predictor
from keras_bert.tasks.rows import Rows, grouped, unpadded
from keras_bert.text.preprocessor import BertPreprocessor


class EmbeddingPredictor(Predictor):
    """A vector for each text, or the similarity of two. Targets are similarities of pairs, 0 to 1.

    An answer is `{"embedding": [numbers]}`, or `{"similarity": cosine}` for a pair. Each text is a
    row of its own, so that vectors of many texts can be compared without the model.

    The option `pooling` is the model's; None leaves it as the checkpoint has it, or at the model's
    default.

    Raises:
        InputError: If `pooling` is not what the model has.

    References:
        - Reimers & Gurevych 2019, arXiv:1908.10084, section 3 (regression objective).
    """

    name = "embedding"
    model_class = BertEmbedder
    forms = (("text",), ("text_a", "text_b"))
    defaults: ClassVar = {"pooling": None}

    def __init__(self, model, tokenizer, **options):
        super().__init__(model, tokenizer, **options)
        if self.options["pooling"] not in (None, model.pooling):
            raise InputError(
                f"`pooling` must be the model's, {model.pooling}. "
                f"Received: pooling={self.options['pooling']!r}"
            )
        self.preprocessor = BertPreprocessor(tokenizer, self.sequence_length, padding="longest")

    @classmethod
    def model_arguments(cls, labels, options):
        pooling = options.get("pooling")
        return {} if pooling is None else {"pooling": pooling}

    @classmethod
    def describes(cls, settings):
        # `BertModel` is every encoder; see `keras_bert.checkpoints.sentence_transformers`.
        return False

    def encode(self, examples: Examples) -> Rows:
        columns = [tf.constant(values, tf.string) for values in examples.columns.values()]
        texts = tf.stack(columns, axis=1)
        # (rows, texts) -> (rows * texts,)
        features = unpadded(self.preprocessor(tf.reshape(texts, [-1])))
        if len(columns) == 2:
            features = grouped(features, [2] * len(examples))
        targets = None
        if examples.targets is not None:
            # (rows,) -> (rows, 1), as the cosines
            targets = tf.constant(examples.targets, tf.float32, shape=(len(examples), 1))
        return Rows(
            features,
            example=np.arange(len(examples)),
            sequence_length=self.sequence_length,
            pad_id=self.tokenizer.vocabulary.pad_id,
            targets=targets,
        )

    def decode(self, examples, rows, outputs):
        if len(examples.columns) == 2:
            return [{"similarity": round(float(output[0]), 6)} for output in outputs]
        return [{"embedding": [round(x, 6) for x in output.tolist()]} for output in outputs]

    def loss(self):
        return keras.losses.MeanSquaredError()
