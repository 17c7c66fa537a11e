"""What an exported model takes and answers."""

from typing import Any

import tensorflow as tf

from keras_bert.models.classifier import BertClassifier
from keras_bert.text.preprocessor import BertPreprocessor

STRINGS = tf.TensorSpec([None], tf.string)
_IDS = tf.TensorSpec([None, None], tf.int32)
INPUTS = {
    "serving_default": {"text": STRINGS},
    "pairs": {"text_a": STRINGS, "text_b": STRINGS},
    "serving_features": {
        "token_ids": _IDS,
        "segment_ids": _IDS,
        "padding_mask": tf.TensorSpec([None, None], tf.bool),
    },
}
OUTPUTS = {
    "label": "string (batch,): name of the most probable class",
    "labels": "string (batch, classes): names of the classes, the same in every row",
    "probabilities": "float32 (batch, classes): they add up to 1",
}


class ClassifierModule(tf.Module):
    """A classifier with its text processing, as functions of strings.

    A `tf.Module` does not find the variables of a Keras model that it holds; they are listed, or
    the export would load in Python and fail in TensorFlow Serving.

    Args:
        model: `BertClassifier`.
        preprocessor: `BertPreprocessor`.

    Example:

    ```python
    module = ClassifierModule(model, preprocessor)
    tf.saved_model.save(module, "exported/1", signatures=module.signatures())
    ```
    """

    def __init__(self, model: BertClassifier, preprocessor: BertPreprocessor):
        super().__init__()
        self.listed_variables = [variable.value for variable in model.variables]
        # Under a name that tf.Module does not search: what the graph needs is listed above.
        self._called = _Untracked(model, preprocessor)

    def signatures(self) -> dict[str, Any]:
        """Returns a concrete function for each signature."""
        functions = {
            "serving_default": self.answer_texts,
            "pairs": self.answer_pairs,
            "serving_features": self.answer_features,
        }
        result = {}
        for name, function in functions.items():
            named = {
                key: tf.TensorSpec(spec.shape, spec.dtype, name=key)
                for key, spec in INPUTS[name].items()
            }
            result[name] = tf.function(function).get_concrete_function(**named)
        return result

    def answer_texts(self, text):
        return self._answer(self._called.preprocessor(text))

    def answer_pairs(self, text_a, text_b):
        first, second = tf.size(text_a), tf.size(text_b)
        check = tf.debugging.assert_equal(
            first, second, message="text_a and text_b must have the same number of strings"
        )
        with tf.control_dependencies([check]):
            return self._answer(self._called.preprocessor((tf.identity(text_a), text_b)))

    def answer_features(self, token_ids, segment_ids, padding_mask):
        return self._answer(
            {"token_ids": token_ids, "segment_ids": segment_ids, "padding_mask": padding_mask}
        )

    def _answer(self, features):
        model = self._called.model
        probabilities = tf.nn.softmax(model(features, training=False))
        labels = tf.constant(model.labels)
        batch = tf.shape(probabilities)[0]
        return {
            "label": tf.gather(labels, tf.argmax(probabilities, axis=1)),
            # (classes,) -> (batch, classes)
            "labels": tf.repeat(labels[tf.newaxis], batch, axis=0),
            "probabilities": probabilities,
        }


class _Untracked:
    """Holds objects out of sight of `tf.Module`."""

    def __init__(self, model: BertClassifier, preprocessor: BertPreprocessor):
        self.model = model
        self.preprocessor = preprocessor


def describe(model: BertClassifier, preprocessor: BertPreprocessor) -> dict[str, Any]:
    """Returns the description that is stored beside an export."""
    return {
        "task": "classification",
        "labels": list(model.labels),
        "sequence_length": preprocessor.sequence_length,
        "signatures": {
            name: {
                "inputs": {
                    key: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
                    for key, spec in inputs.items()
                },
                "outputs": OUTPUTS,
            }
            for name, inputs in INPUTS.items()
        },
    }
