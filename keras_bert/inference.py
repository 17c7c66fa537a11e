"""Inference at full speed: a model's weights as part of its graph."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.errors import InputError
from keras_bert.models.base import BertModel

PRECISIONS = ("float32", "bfloat16", "float16")


class InferenceFunction:
    """A model as a function for inference only, with the weights as constants of its graph.

    oneDNN, which computes TensorFlow's products on a CPU, reorders weights for its kernels: those
    of variables at every product, constants once. What is known to be constant is fused further
    (LayerNorm). The model itself is left as it is and may go on training; the function keeps the
    weights that it was made from.

    Args:
        model: `BertModel`.
        precision: str or None. `"float32"`, `"bfloat16"` or `"float16"`: all weights are cast to
            it, once, and all layers compute in it. By default as the model is.

    Call arguments:
        inputs: the model's dictionary.

    Returns:
        What the model returns.

    Raises:
        InputError: If there is no such precision.

    Example:

    ```python
    classify = InferenceFunction(classifier, precision="bfloat16")
    classify(preprocessor(["some text"]))       # logits, float32 (1, classes)
    ```
    """

    def __init__(self, model: BertModel, *, precision: str | None = None):
        if precision not in (None, *PRECISIONS):
            raise InputError(
                f"`precision` must be one of {', '.join(PRECISIONS)} or None. "
                f"Received: precision={precision!r}"
            )
        self._model = model if precision is None else _cast(model, precision)
        self._weights = [(v, np.array(v)) for v in self._model.variables]
        self._functions: dict[tuple, tf.types.experimental.ConcreteFunction] = {}

    def __call__(self, inputs: dict[str, Any]) -> Any:
        tensors = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
        return self.concrete_function(tensors)(**tensors)

    def concrete_function(self, inputs: dict[str, Any]) -> tf.types.experimental.ConcreteFunction:
        """Returns the graph for inputs of such names, types and ranks; sizes may vary."""
        specs = {
            name: tf.TensorSpec([None] * len(x.shape), x.dtype, name=name)
            for name, x in sorted(inputs.items())
        }
        key = tuple(specs.items())
        if key not in self._functions:
            self._functions[key] = tf.function(self._infer).get_concrete_function(**specs)
        return self._functions[key]

    def _infer(self, **inputs):
        # Inside the graph, or they would be inputs of it instead of constants.
        constants = [(variable, tf.constant(array)) for variable, array in self._weights]
        with keras.StatelessScope(state_mapping=constants):
            return self._model(inputs, training=False)


def _cast(model: BertModel, precision: str) -> BertModel:
    """A twin of a model with weights and layers in one precision."""
    twin = type(model).from_config({**model.get_config(), "dtype": precision})
    # By published tensors, which hold the sums where a model has LoRA's additions.
    Checkpoint.of(model).assign(twin)
    return twin
