"""Vectors of texts, and how similar two texts are."""

import tensorflow as tf

from exports.signatures.base import STRINGS, Signature, TaskSignatures, same_size
from exports.signatures.classification import OTHERS, TEXTS
from keras_bert.tasks.embedding import EmbeddingPredictor


class EmbeddingSignatures(TaskSignatures):
    """A vector for each text, or the cosine of two."""

    family = EmbeddingPredictor

    def signatures(self):
        embedding = {"embedding": "vector of the text"}
        return [
            Signature(
                "serving_default", self._embed, {"text": STRINGS}, embedding, {"text": TEXTS}
            ),
            Signature(
                "similarity",
                self._compare,
                {"text_a": STRINGS, "text_b": STRINGS},
                {"similarity": "cosine of the two vectors, -1 to 1"},
                {"text_a": TEXTS, "text_b": OTHERS},
            ),
            self.features_signature(lambda x: {"embedding": self.infer(x)}, embedding),
        ]

    def _embed(self, text):
        return {"embedding": self.infer(self.predictor.preprocessor(self.bounded(text)))}

    def _compare(self, text_a, text_b):
        both = tf.concat(same_size(text_a=text_a, text_b=text_b), axis=0)
        vectors = tf.math.l2_normalize(self._embed(both)["embedding"], axis=1)
        # (2 * batch, hidden) -> (batch, hidden), twice
        first, second = tf.split(vectors, 2)
        return {"similarity": tf.reduce_sum(first * second, axis=1)}
