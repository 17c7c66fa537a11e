"""Inference at full speed: weights as constants of the graph, where that pays."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.errors import InputError
from keras_bert.models.base import BertModel

PRECISIONS = ("float32", "bfloat16", "float16")


class InferenceFunction:
    """A model as a function for inference only, with weights as constants of its graph.

    oneDNN, which computes TensorFlow's products on a CPU, reorders weights for its kernels: those
    of variables at every product, constants once. In bfloat16 that is half of the time of a short
    text. In float32 it is little, and there only vectors are constants, with which LayerNorm is
    fused: TensorFlow holds a dozen copies of a graph, and of a variable one. Tables of embeddings,
    which are looked up and not multiplied with, are variables always.

    The model itself is left as it is and may go on training; the function keeps the weights that
    it was made from.

    Args:
        model: `BertModel`.
        precision: str or None. `"float32"`, `"bfloat16"` or `"float16"`: all weights are cast to
            it, once, and all layers compute in it. By default as the model is; nothing is cast
            either where that is the same.

    Call arguments:
        inputs: the model's dictionary.

    Returns:
        What the model returns.

    Attributes:
        variables: list of `tf.Variable`. The weights outside of the graph, to be saved with it.

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
        self._model = model if _is_in(model, precision) else _cast(model, precision)
        self._constants: list[tuple[Any, np.ndarray]] = []
        self._variables: list[tuple[Any, tf.Variable]] = []
        for variable in self._model.variables:
            array = np.array(variable)
            if _pays_as_constant(variable):
                self._constants.append((variable, array))
            else:
                # By their paths, as TensorFlow Serving tells variables apart by names.
                own = tf.Variable(array, trainable=False, name=variable.path)
                self._variables.append((variable, own))
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

    @property
    def variables(self) -> list[tf.Variable]:
        return [own for _, own in self._variables]

    def _infer(self, **inputs):
        # Inside the graph, or they would be inputs of it instead of constants.
        constants = [(variable, tf.constant(array)) for variable, array in self._constants]
        with keras.StatelessScope(state_mapping=constants + self._variables):
            return self._model(inputs, training=False)


def _pays_as_constant(variable: keras.Variable) -> bool:
    """Vectors, and the matrices that lower precisions multiply with."""
    if len(variable.shape) < 2:
        return True
    return variable.dtype != "float32" and not variable.path.endswith("embeddings")


def _is_in(model: BertModel, precision: str | None) -> bool:
    """Whether a cast would change nothing: neither types nor additions that become sums."""
    return precision is None or (
        model.dtype_policy.name == precision
        and all(
            weight.dtype == precision and not weight.name.startswith("lora_")
            for weight in model.weights
        )
    )


def _cast(model: BertModel, precision: str) -> BertModel:
    """A twin of a model with weights and layers in one precision."""
    config = model.get_config()
    # No additions of LoRA: the tensors hold the sums.
    config.pop("training_flags")
    twin = type(model).from_config({**config, "dtype": precision})
    Checkpoint.of(model).assign(twin)
    return twin
