"""What each backend of Keras does in its own way: compiling a call, and its gradients."""

from collections.abc import Callable
from typing import Any

import keras
import pytest

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
