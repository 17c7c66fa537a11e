"""What each backend of Keras does in its own way: compiling, gradients, and arrays of tensors."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

# Compiling takes most of the time, and optimising is the greater half of it.
_QUICK = {"xla_backend_optimization_level": 0}


needs_varying_shapes = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="unpadding needs shapes that may vary, which only TensorFlow has",
)


def compiled(layer: Any) -> Callable[..., Any]:
    """The call of a built layer as the backend compiles it."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(lambda *inputs: layer(*inputs))
    import jax

    def call(weights, inputs):
        return layer.stateless_call(*weights, *inputs)[0]

    call = jax.jit(call, compiler_options=_QUICK)
    return lambda *inputs: call(_values(layer), inputs)


def call_with_gradients(
    layer: Any, inputs: tuple, loss: Callable[[Any], Any], training: bool = False
) -> tuple[Any, list[Any]]:
    """Returns the outputs, and the gradients of `loss(outputs)` for the trainable weights."""
    options = {"training": True} if training else {}
    trainable, others = _values(layer)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            outputs = layer(*inputs, **options)
            value = loss(outputs)
        return outputs, tape.gradient(value, trainable)
    import jax

    def forward(trainable):
        outputs, _ = layer.stateless_call(trainable, others, *inputs, **options)
        return loss(outputs), outputs

    differentiated = jax.value_and_grad(forward, has_aux=True)
    (_, outputs), slopes = jax.jit(differentiated, compiler_options=_QUICK)(trainable)
    return outputs, slopes


def _values(layer: Any) -> tuple[list[Any], list[Any]]:
    """The backend's own tensors of a layer's weights: the trainable ones, and the others."""
    return (
        [variable.value for variable in layer.trainable_variables],
        [variable.value for variable in layer.non_trainable_variables],
    )


def flatten(value: Any) -> list[np.ndarray]:
    """All tensors of a structure as NumPy arrays; bfloat16 as float32."""
    arrays = []
    for tensor in keras.tree.flatten(value):
        # A ragged tensor is its values and the places where its rows begin and end.
        ragged = hasattr(tensor, "nested_row_splits")
        parts = [tensor.flat_values, *tensor.nested_row_splits] if ragged else [tensor]
        for part in parts:
            # NumPy does not count bfloat16 among the floats.
            part = ops.cast(part, "float32") if "bfloat16" in str(part.dtype) else part
            arrays.append(ops.convert_to_numpy(part))
    return arrays


def assert_equal(first: Any, second: Any, tolerance: float = 0.0) -> None:
    """Asserts that two structures hold the same tensors."""
    first, second = flatten(first), flatten(second)
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.shape == other.shape
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)
        else:
            np.testing.assert_array_equal(one, other)
