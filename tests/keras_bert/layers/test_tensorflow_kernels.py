"""The kernels against the plain formulas in float64, forward and backward."""

import keras
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
    pytest.skip("kernels of TensorFlow", allow_module_level=True)

from keras_bert.layers import tensorflow_kernels as kernels  # noqa: E402

ROWS, WIDTH = 6, 8
TOLERANCE = {"float32": 1e-5, "bfloat16": 0.05, "float16": 0.01}


@pytest.fixture(params=["compiled", "operation by operation"])
def both_ways(request, monkeypatch):
    size = 0 if request.param == "compiled" else 2**40
    monkeypatch.setattr(kernels, "_COMPILED_SIZE", size)


def tensors(*shapes, dtype="float64"):
    random = np.random.default_rng(0)
    return [tf.constant(random.normal(size=shape), dtype) for shape in shapes]


def with_gradients(function, inputs, upstream):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = function(*inputs)
    return [outputs, *tape.gradient(outputs, inputs, tf.cast(upstream, outputs.dtype))]


def check(function, formula, inputs, dtype):
    """Compares outputs and gradients; `inputs` are rounded to `dtype` first."""
    inputs = [tf.cast(tensor, dtype) for tensor in inputs]
    exact = [tf.cast(tensor, tf.float64) for tensor in inputs]
    (upstream,) = tensors(formula(*exact).shape)
    upstream = tf.cast(tf.cast(upstream, dtype), tf.float64)
    expected = with_gradients(formula, exact, upstream)
    results = with_gradients(function, inputs, upstream)
    for result, reference in zip(results, expected, strict=True):
        scale = max(1.0, float(tf.reduce_max(tf.abs(reference))))
        difference = tf.cast(result, tf.float64) - reference
        assert float(tf.reduce_max(tf.abs(difference))) / scale < TOLERANCE[dtype]


def layer_norm(inputs, gamma, beta):
    mean, variance = tf.nn.moments(inputs, [1], keepdims=True)
    return (inputs - mean) / tf.sqrt(variance + 1e-12) * gamma + beta


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_layer_normalization(both_ways, dtype):
    check(
        lambda *inputs: kernels.layer_normalization(*inputs, 1e-12, training=True),
        layer_norm,
        tensors((ROWS, WIDTH), WIDTH, WIDTH),
        dtype,
    )


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_residual_normalization(both_ways, dtype):
    check(
        lambda *inputs: kernels.trained_residual_normalization(*inputs, 1e-12, ()),
        lambda inputs, residual, gamma, beta: layer_norm(inputs + residual, gamma, beta),
        tensors((ROWS, WIDTH), (ROWS, WIDTH), WIDTH, WIDTH),
        dtype,
    )


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_attention_weights(both_ways, dtype):
    mask = tf.constant(np.arange(5) < np.array([5, 3])[:, None])[:, None, None]

    def formula(scores):
        return tf.nn.softmax(tf.where(mask, scores * 0.5, -1e30))

    check(
        lambda scores: kernels.trained_attention_weights(scores, mask, 0.5, ()),
        formula,
        tensors((2, 3, 5, 5)),
        dtype,
    )


@pytest.mark.parametrize("approximate", [True, False])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_gelu(both_ways, dtype, approximate):
    inputs = [tf.constant(np.linspace(-9, 9, 101))]
    check(
        lambda x: kernels.gelu(x, approximate=approximate, training=True),
        lambda x: tf.nn.gelu(x, approximate),
        inputs,
        dtype,
    )


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_form_for_the_rewriter_is_layer_norm_too(scale):
    inputs, gamma, beta = tensors((ROWS, WIDTH), WIDTH, WIDTH)
    arrays = [tf.cast(tensor, tf.float32).numpy() for tensor in (inputs * scale, gamma, beta)]

    @tf.function
    def frozen():
        constants = map(tf.constant, arrays)
        return kernels.layer_normalization(*constants, 1e-12, training=False)

    np.testing.assert_allclose(frozen(), layer_norm(inputs * scale, gamma, beta), atol=1e-4)


def test_dropout(both_ways):
    shape, rate = (300, 70), 0.2
    dropout = keras.layers.Dropout(rate, seed=1)
    bits, threshold = kernels.dropout_bits(shape, dropout)
    dropped = bits.numpy() < int(threshold)
    assert dropped.mean() == pytest.approx(rate, abs=0.01)
    for axis in (0, 1):
        assert np.abs(dropped.mean(axis=axis) - rate).max() < 0.2
    assert not np.array_equal(dropped, kernels.dropout_bits(shape, dropout)[0].numpy() < threshold)
    assert kernels.dropout_bits(shape, keras.layers.Dropout(0.0)) == ()

    def formula(inputs, residual, gamma, beta):
        kept = tf.where(dropped, tf.zeros_like(inputs), inputs / (1 - int(threshold) / 2**16))
        return layer_norm(kept + residual, gamma, beta)

    check(
        lambda *x: kernels.trained_residual_normalization(*x, 1e-12, (bits, threshold)),
        formula,
        tensors(shape, shape, shape[1], shape[1]),
        "float32",
    )


def test_attention_dropout_has_one_draw_for_both_directions(both_ways):
    shape = (2, 3, 4, 5)
    bits, threshold = kernels.dropout_bits(shape, keras.layers.Dropout(0.5, seed=0))
    (scores,) = tensors(shape, dtype="float32")
    mask = tf.ones([2, 1, 1, 5], tf.bool)

    def formula(scores):
        weights = tf.nn.softmax(scores)
        return tf.where(tf.cast(bits, tf.int32) < threshold, tf.zeros_like(weights), 2 * weights)

    check(
        lambda x: kernels.trained_attention_weights(x, mask, 1.0, (bits, threshold)),
        formula,
        [scores],
        "float32",
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("way", ["eager", "constants", "training"])
@pytest.mark.parametrize(("mean", "scale"), [(0.0, 1.0), (100.0, 1.0), (-3.0, 1e-2)])
def test_statistics_are_float32_at_least(dtype, way, mean, scale):
    """Nothing is lost but the rounding of inputs and result, without oneDNN's rewriting too."""
    random = np.random.default_rng(0)
    inputs = tf.cast(random.normal(mean, scale, (16, 256)), dtype)
    gamma, beta = tf.constant(random.normal(1, 0.1, 256)), tf.constant(random.normal(0, 0.1, 256))
    gamma, beta = (tf.cast(tf.cast(tensor, dtype), tf.float32) for tensor in (gamma, beta))

    def call(inputs):
        weights = (tf.constant(tensor.numpy()) for tensor in (gamma, beta))
        return kernels.layer_normalization(inputs, *weights, 1e-12, training=way == "training")

    tf.config.optimizer.set_experimental_options({"remapping": False})
    try:
        found = call(inputs) if way == "eager" else tf.function(call)(inputs)
    finally:
        tf.config.optimizer.set_experimental_options({"remapping": True})
    assert found.dtype == dtype
    wide = tf.cast(inputs, tf.float64)
    mean, variance = tf.nn.moments(wide, 1, keepdims=True)
    exact = (wide - mean) / tf.sqrt(variance) * tf.cast(gamma, tf.float64)
    exact += tf.cast(beta, tf.float64)
    rounding = np.abs(tf.cast(tf.cast(exact, dtype), tf.float64) - exact)
    difference = np.abs(tf.cast(found, tf.float64) - exact)
    # A result between two numbers may fall on the other one.
    assert difference.max() <= 1.01 * rounding.max() + 1e-4 * (dtype == "float32")


def test_kernels_inside_a_compiled_graph():
    inputs, gamma, beta = tensors((ROWS, WIDTH), WIDTH, WIDTH, dtype="float32")

    @tf.function(jit_compile=True)
    def gradients(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = kernels.layer_normalization(inputs, gamma, beta, 1e-12, training=True)
            outputs = kernels.gelu(outputs, approximate=True, training=True)
        return tape.gradient(outputs, inputs)

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = tf.nn.gelu(layer_norm(inputs, gamma, beta), True)
    np.testing.assert_allclose(gradients(inputs), tape.gradient(outputs, inputs), atol=1e-5)
