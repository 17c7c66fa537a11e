"""Models as LiteRT flatbuffers, by TensorFlow's converter."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

WEIGHTS = ("float32", "float16", "int8")


def litert_model(
    function: Callable[..., dict[str, Any]],
    inputs: Mapping[str, Sequence[int | None]],
    variables: Sequence[Any],
    *,
    weights: str,
) -> bytes:
    """Converts a function with its weights.

    Args:
        function: Of int32 tensors by keyword; returns a dictionary of tensors.
        inputs: Shape of each input; None is any size.
        variables: Keras variables that the function uses.
        weights: str. `"float32"`; `"float16"`, which are computed with as float32; or `"int8"`,
            with the activations before each product rounded to int8 too.

    Returns:
        bytes. A model with the signature `serving_default`.

    References:
        - https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_quantization
    """
    specs = {name: tf.TensorSpec(shape, tf.int32, name=name) for name, shape in inputs.items()}
    # Weights stay variables here: of constants the layers make forms for oneDNN's kernels, with
    # numbers that half precision, in which phones' GPUs compute, does not hold.
    concrete = tf.function(function, autograph=False).get_concrete_function(**specs)
    module = tf.Module()
    module.variables_used = [variable.value for variable in variables]
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    if weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return converter.convert()
