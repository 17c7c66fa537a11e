"""LayerNorm, softmax and GELU in the forms that TensorFlow computes fastest.

Loaded under that backend alone.

Each elementwise operation of TensorFlow reads and writes its whole tensor, which on a CPU costs
more than the arithmetic. Three forms avoid it:

* In training XLA makes one pass of each small function, and one of its gradient. The products
  between them stay with oneDNN, whose are twice as fast as XLA's on a CPU.
* Where the weights are float32 constants, TensorFlow's rewriter replaces one certain form of
  LayerNorm by oneDNN's kernel.
* Without training, GELU keeps the form that the rewriter fuses with the product before it.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_bert import keras_internals
from keras_bert.layers.tensorflow_gradients import with_gradient

# The kernel computes with this epsilon, whatever the graph says (TensorFlow 2.21).
_KERNEL_EPSILON = 1e-3
# Exact in every float type. LayerNorm does not depend on the scale of its input, so that the
# kernel's epsilon means 1e-3 / 2**30 = 9.3e-13 for the input before scaling.
_SCALE = 2.0**15
# Up to here the difference between the two epsilons is lost in rounding.
_NEGLIGIBLE_EPSILON = 1e-10
# Numbers in a tensor from which compiling pays within some steps.
_COMPILED_SIZE = 2**19
# Random bits of one decision to drop.
_DROPOUT_LEVELS = 2**16


def layer_normalization(
    inputs: Any, gamma: Any, beta: Any, epsilon: float, *, training: bool
) -> tf.Tensor:
    """Normalises each row; statistics are computed in float32 at least, on every machine.

    Args:
        inputs: floats `(rows, width)`.
        gamma: floats `(width,)`.
        beta: floats `(width,)`.
        epsilon: float.
        training: bool. Whether gradients will be asked for.

    Returns:
        Floats like `inputs`.
    """
    if training:
        return _normalized_in_one_pass(inputs, gamma, beta, tf.constant(epsilon))
    gamma, beta = map(tf.convert_to_tensor, (gamma, beta))
    # Not in bfloat16: oneDNN's statistics would be float32, but where nothing rewrites the graph
    # (another processor, a GPU) those of its form are not. It is no faster there either.
    if epsilon <= _NEGLIGIBLE_EPSILON and inputs.dtype == tf.float32 and _is_constant(gamma):
        return _normalized_by_kernel(inputs, gamma, beta)
    return _normalized(inputs, gamma, beta, epsilon)


def trained_residual_normalization(
    inputs: Any, residual: Any, gamma: Any, beta: Any, epsilon: float, dropout: tuple
) -> tf.Tensor:
    """Drops out, adds and normalises, with gradients.

    Args:
        inputs: floats `(rows, width)`.
        residual: floats `(rows, width)`; they are not dropped.
        gamma: floats `(width,)`.
        beta: floats `(width,)`.
        epsilon: float.
        dropout: a result of `dropout_bits` for the shape of `inputs`.

    Returns:
        Floats like `residual`.
    """
    return _residual_in_one_pass(inputs, residual, gamma, beta, tf.constant(epsilon), *dropout)


def trained_attention_weights(
    scores: Any, attention_mask: Any, scale: float, dropout: tuple
) -> tf.Tensor:
    """Scales, masks, takes the softmax and drops out, with gradients.

    Args:
        scores: floats `(batch, heads, query, key)`.
        attention_mask: bool, broadcast to `scores`; true where a query may look.
        scale: float. Factor on the scores.
        dropout: a result of `dropout_bits` for the shape of `scores`.

    Returns:
        Floats like `scores`.
    """
    return _weights_in_one_pass(scores, attention_mask, tf.constant(scale), *dropout)


def gelu(inputs: Any, *, approximate: bool, training: bool) -> tf.Tensor:
    """The Gaussian error linear unit.

    Args:
        inputs: floats of any shape.
        approximate: bool. By tanh, as google-research/bert has it.
        training: bool. Whether gradients will be asked for.

    Returns:
        Floats like `inputs`.
    """
    if training:
        return (_gelu_tanh_in_one_pass if approximate else _gelu_in_one_pass)(inputs)
    # The rewriter orders operands by name, and finds GELU where the bias comes first: the names
    # here must sort after those of the dense layers before, "intermediate" and "dense".
    with tf.name_scope("nonlinearity"):
        return tf.nn.gelu(inputs, approximate=approximate)


def drop_padding(tokens: Any, places: Any, order: Any, is_real: Any) -> tf.Tensor:
    """Keeps the real tokens, with a gradient that is a gather too: scattering is slower.

    Not outside of training: a SavedModel would hold the gradient and warn of it.

    Args:
        tokens: floats `(batch * length, width)`.
        places, order, is_real: as in `RealTokens`.

    Returns:
        Floats `(kept, width)`.
    """
    return _drop_padding(tokens, places, order, is_real)


def spread(tokens: Any, places: Any, order: Any) -> tf.Tensor:
    """Puts real tokens back in training; padding gets some token. The reverse of `drop_padding`.

    Args:
        tokens: floats `(kept, width)`.
        places, order: as in `RealTokens`.

    Returns:
        Floats `(batch * length, width)`.
    """
    return _spread(tokens, places, order)


def dropout_bits(shape: Any, dropout: Any) -> tuple:
    """Returns the randomness of one call of a dropout: nothing where its rate is zero.

    Args:
        shape: of the tensor that is dropped from.
        dropout: `keras.layers.Dropout`. Its rate is rounded to a multiple of 1/65,536.

    Returns:
        `()`, or uint16 of `shape` and the int32 number below which a place is dropped.
    """
    if not dropout.rate:
        return ()
    seed = tf.cast(dropout.seed_generator.next(), tf.int32)
    # Two decisions from each number drawn: () -> (half,) -> (half, 2) -> (2 * half,) -> shape
    count = tf.reduce_prod(shape)
    numbers = tf.random.stateless_uniform(
        [(count + 1) // 2], seed, minval=None, maxval=None, dtype=tf.uint32
    )
    bits = tf.reshape(tf.bitcast(numbers, tf.uint16), [-1])[:count]
    return tf.reshape(bits, shape), tf.constant(round(dropout.rate * _DROPOUT_LEVELS))


def is_compiled_by_xla() -> bool:
    """Whether the graph that is being made will be compiled as a whole, for fixed shapes."""
    return keras_internals.graph_is_compiled()


def _in_one_pass(name: str, function: Callable) -> Callable:
    """A function compiled by XLA; its gradient, compiled too, computes the function again.

    Of small tensors, `_COMPILED_SIZE`, both are computed operation by operation.
    """

    def gradient_of(upstream, *inputs):
        with tf.GradientTape() as tape:
            tape.watch([tensor for tensor in inputs if tensor.dtype.is_floating])
            outputs = function(*inputs)
        gradients = tape.gradient(outputs, inputs, upstream)
        return [gradient for gradient in gradients if gradient is not None]

    forward, backward = _compiled_if_large(function), _compiled_if_large(gradient_of)

    def of_each_input(upstream, *inputs):
        gradients = iter(backward(upstream, *inputs))
        return [next(gradients) if x.dtype.is_floating else None for x in inputs]

    in_one_pass = with_gradient(name, forward, of_each_input)

    def call(*inputs):
        # Tensors, because XLA's functions would keep variables.
        inputs = [tf.convert_to_tensor(tensor) for tensor in inputs]
        return function(*inputs) if is_compiled_by_xla() else in_one_pass(*inputs)

    return call


def _compiled_if_large(function):
    compiled = tf.function(function, jit_compile=True)

    def call(*inputs):
        return tf.cond(
            tf.size(inputs[0]) >= _COMPILED_SIZE,
            lambda: compiled(*inputs),
            lambda: function(*inputs),
        )

    return call


def _is_constant(tensor: Any) -> bool:
    """Whether a tensor is part of the graph itself, as in a frozen model."""
    return tf.is_symbolic_tensor(tensor) and tensor.op.type == "Const"


def _wide(tensor):
    """At least float32."""
    return tensor if tensor.dtype == tf.float64 else tf.cast(tensor, tf.float32)


def _normalized_by_kernel(inputs, gamma, beta):
    # Every detail of this form counts, the axis as [1] too: it is what the rewriter looks for.
    inputs = inputs * tf.constant(_SCALE, inputs.dtype)
    gamma, beta = tf.cast(gamma, inputs.dtype), tf.cast(beta, inputs.dtype)
    mean = tf.reduce_mean(inputs, [1], keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(inputs, mean), [1], keepdims=True)
    scale = tf.math.rsqrt(variance + tf.constant(_KERNEL_EPSILON, inputs.dtype)) * gamma
    return inputs * scale + (beta - mean * scale)


def _normalized(inputs, gamma, beta, epsilon):
    wide = _wide(inputs)
    centered = wide - tf.reduce_mean(wide, 1, keepdims=True)
    variance = tf.reduce_mean(tf.square(centered), 1, keepdims=True)
    normalized = centered * tf.math.rsqrt(variance + tf.cast(epsilon, wide.dtype))
    return tf.cast(normalized * _wide(gamma) + _wide(beta), inputs.dtype)


def _dropped(wide, bits=None, threshold=None):
    if bits is None:
        return wide
    kept = _DROPOUT_LEVELS / tf.cast(_DROPOUT_LEVELS - threshold, wide.dtype)
    return tf.where(tf.cast(bits, tf.int32) >= threshold, wide * kept, tf.zeros([], wide.dtype))


def _residual_normalized(inputs, residual, gamma, beta, epsilon, *dropout):
    summed = _wide(residual) + _dropped(_wide(inputs), *dropout)
    return tf.cast(_normalized(summed, gamma, beta, epsilon), residual.dtype)


def _attention_weights(scores, attention_mask, scale, *dropout):
    wide = _wide(scores)
    wide = tf.where(attention_mask, wide * tf.cast(scale, wide.dtype), 0.5 * wide.dtype.min)
    return tf.cast(_dropped(tf.nn.softmax(wide), *dropout), scores.dtype)


_normalized_in_one_pass = _in_one_pass("LayerNormalization", _normalized)
_residual_in_one_pass = _in_one_pass("ResidualLayerNormalization", _residual_normalized)
_weights_in_one_pass = _in_one_pass("AttentionWeights", _attention_weights)
_gelu_tanh_in_one_pass, _gelu_in_one_pass = (
    _in_one_pass(name, lambda x, a=approximate: tf.cast(tf.nn.gelu(_wide(x), a), x.dtype))
    for name, approximate in (("GeluTanh", True), ("Gelu", False))
)
_drop_padding = with_gradient(
    "DropPadding",
    lambda tokens, places, order, is_real: tf.gather(tokens, places),
    lambda upstream, tokens, places, order, is_real: [
        tf.where(is_real, tf.gather(upstream, order), tf.zeros([], upstream.dtype)),
        *(None, None, None),
    ],
)
_spread = with_gradient(
    "Spread",
    lambda tokens, places, order: tf.gather(tokens, order),
    lambda upstream, tokens, places, order: [tf.gather(upstream, places), None, None],
)
