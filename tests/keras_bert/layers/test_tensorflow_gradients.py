"""Gradients of our own, wherever TensorFlow asks for them, and what they leave behind."""

import gc
import weakref

import keras
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
    pytest.skip("gradients of TensorFlow", allow_module_level=True)

from tensorflow.python.framework import ops  # noqa: E402

from keras_bert.layers.tensorflow_gradients import recomputing, with_gradient  # noqa: E402

# Ten times the true gradient, so that each result shows whose gradient it is.
tenfold_square = with_gradient(
    "TenfoldSquare",
    lambda x, kept: tf.where(kept, x * x, 0.0),
    lambda upstream, x, kept: [tf.where(kept, 20.0 * x * upstream, 0.0), None],
)
X = np.array([1.0, 2.0, 3.0], "float32")
KEPT = np.array([True, False, True])
EXPECTED = np.array([20.0, 0.0, 60.0], "float32")


def gradient(function):
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        result = tf.reduce_sum(function(x))
    return tape.gradient(result, x)


def in_a_condition(x):
    return tf.cond(tf.size(x) > 2, lambda: tenfold_square(x, KEPT), lambda: x)


def in_a_loop(x):
    return tf.while_loop(
        lambda index, total: index < 2,
        lambda index, total: (index + 1, total + 0.5 * tenfold_square(x, KEPT)),
        (tf.constant(0), tf.zeros_like(x)),
    )[1]


PLACES = {
    "alone": lambda x: tenfold_square(x, KEPT),
    "condition": in_a_condition,
    "loop": in_a_loop,
    "function": tf.function(lambda x: tenfold_square(x, KEPT)),
    "function of a condition": tf.function(in_a_condition),
    "function of a loop": tf.function(in_a_loop),
    "XLA": tf.function(lambda x: tenfold_square(x, KEPT), jit_compile=True),
    "scattered": lambda x: tf.gather(tenfold_square(x, KEPT), [0, 1, 2]),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("in_a_graph", [False, True], ids=["eager", "graph"])
def test_the_gradient_is_ours(place, in_a_graph):
    ask = tf.function(gradient) if in_a_graph else gradient
    np.testing.assert_array_equal(ask(PLACES[place]), EXPECTED)


def test_variables_and_float16():
    variable = tf.Variable(X, dtype="float32")
    with tf.GradientTape() as tape:
        half = tf.cast(variable, "float16")
        result = tf.cast(tenfold_square(variable, KEPT), "float16") + half
    np.testing.assert_array_equal(tape.gradient(result, variable), EXPECTED + 1)


def test_a_name_is_taken_once():
    with pytest.raises(KeyError, match="TenfoldSquare"):
        with_gradient("TenfoldSquare", lambda x: x, lambda upstream, x: [upstream])


class Scale(keras.layers.Layer):
    """Counts how often it is computed."""

    calls = 0

    def build(self, shape):
        self.factor = self.add_weight(shape=shape[1:], initializer="ones")

    def call(self, inputs):
        return inputs * self.factor


def scaled(layer, inputs, seeds, factor):
    layer.calls += 1
    return tf.sin(inputs * factor) * tf.cast(seeds, inputs.dtype)


recomputed = recomputing("Scaled", scaled)


@pytest.mark.parametrize("compiled", [None, False, True], ids=["eager", "graph", "XLA"])
def test_recomputing_keeps_the_numbers(compiled):
    layer = Scale()
    layer.build((None, 3))
    seeds = tf.constant([2, 3, 4])

    def gradients(function):
        with tf.GradientTape() as tape:
            factor = tf.identity(layer.factor.value)
            result = tf.reduce_sum(function(layer, tf.constant(X[np.newaxis]), seeds, factor))
        return result, tape.gradient(result, layer.factor.value)

    ask = gradients if compiled is None else tf.function(gradients, jit_compile=compiled)
    expected = gradients(scaled)
    layer.calls = 0
    found = ask(recomputed)
    assert layer.calls == 2
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_layer_is_not_kept():
    layer = Scale()
    layer.build((None, 3))
    recomputed(layer, tf.constant(X[np.newaxis]), tf.constant([1, 1, 1]), layer.factor.value)
    gone = weakref.ref(layer)
    del layer
    gc.collect()
    assert gone() is None


def test_graphs_are_not_kept():
    """Neither does the table of gradients grow, nor live graphs that were differentiated."""

    def trace():
        function = tf.function(lambda: gradient(in_a_loop))
        function()
        return weakref.ref(function.get_concrete_function().graph)

    trace()
    before = len(ops.gradient_registry.list())
    graphs = [trace() for _ in range(3)]
    gc.collect()
    assert len(ops.gradient_registry.list()) == before
    assert [graph() for graph in graphs] == [None] * 3
