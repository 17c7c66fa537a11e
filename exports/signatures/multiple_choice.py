"""The best of several continuations or answers."""

import tensorflow as tf

from exports.signatures.base import STRINGS, Signature, TaskSignatures, same_size
from keras_bert.tasks.multiple_choice import ChoicePredictor

_PROBABILITIES = {
    "choice": "number of the most probable choice, from 0",
    "probabilities": "of each choice; they add up to 1",
}


class ChoiceSignatures(TaskSignatures):
    """One choice of several.

    All rows of a request have as many choices as the longest; where a row has fewer, empty strings
    take the place of the others and have no probability.
    """

    family = ChoicePredictor

    def signatures(self):
        return [
            Signature(
                "serving_default",
                self._choose,
                {"context": STRINGS, "choices": tf.TensorSpec([None, None], tf.string)},
                {**_PROBABILITIES, "text": "the most probable choice"},
                {
                    "context": ["She opened the door and", "The dog"],
                    "choices": [["walked in.", "was a colour."], ["barked.", "seven."]],
                },
            ),
            self.features_signature(lambda x: _probabilities(self._scores(x)), _PROBABILITIES),
        ]

    def _choose(self, context, choices):
        context, choices = same_size(context=context, choices=choices)
        texts = self.bounded(context), self.bounded(choices)
        features = self.predictor.preprocessor(texts)
        is_there = tf.strings.length(choices) > 0
        # Without real tokens a choice is none to the model.
        features["padding_mask"] &= is_there[..., tf.newaxis]
        reply = _probabilities(self._scores(features))
        # A row without choices: nothing to choose, rather than numbers that mean nothing.
        reply["probabilities"] = tf.where(is_there, reply["probabilities"], 0.0)
        choices = tf.concat([choices, tf.fill([tf.shape(choices)[0], 1], "")], axis=1)
        return {**reply, "text": tf.gather(choices, reply["choice"], batch_dims=1)}

    def _scores(self, features):
        """Logits `(batch, choices)`; a choice is a row of its own, however many a text has."""
        batch, choices, length = tf.unstack(tf.shape(features["token_ids"]))
        # (batch, choices, length) -> (batch * choices, 1, length)
        rows = {name: tf.reshape(x, [-1, 1, length]) for name, x in features.items()}
        return tf.reshape(self.infer(rows), [batch, choices])


def _probabilities(logits: tf.Tensor) -> dict[str, tf.Tensor]:
    # A column more, or there would be no greatest of no choices.
    padded = tf.pad(logits, [[0, 0], [0, 1]], constant_values=logits.dtype.min)
    return {
        "choice": tf.argmax(padded, axis=1, output_type=tf.int32),
        "probabilities": tf.nn.softmax(logits),
    }
