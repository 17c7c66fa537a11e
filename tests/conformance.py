"""What every layer, model and preprocessing step must do, checked by one call.

Each function takes a way to make the object and an example of its inputs, and asserts.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from exports.verification import check_version

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "bfloat16")


def flatten(value: Any) -> list[np.ndarray]:
    """All tensors of a structure as NumPy arrays; bfloat16 as float32."""
    arrays = []
    for tensor in tf.nest.flatten(value, expand_composites=True):
        tensor = tf.convert_to_tensor(tensor)
        arrays.append((tf.cast(tensor, tf.float32) if tensor.dtype.is_floating else tensor).numpy())
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


def check_numeric(make: Callable[..., Any], inputs: tuple, tolerance: float = 1e-5) -> None:
    """Checks a layer or a model.

    Configuration round trip, precision policies, eager = graph, unknown batch and length.

    Args:
        make: takes `dtype` and returns the object.
        inputs: positional arguments of a call; NumPy arrays or dictionaries of them.
    """
    layer = make(dtype="float32")
    expected = layer(*inputs)

    twin = type(layer).from_config(layer.get_config())
    twin(*inputs)
    assert twin.get_config() == layer.get_config()
    assert [weight.shape for weight in twin.weights] == [weight.shape for weight in layer.weights]
    twin.set_weights(layer.get_weights())
    assert_equal(twin(*inputs), expected)

    graph = tf.function(lambda *arguments: layer(*arguments))
    assert_equal(graph(*inputs), expected, tolerance)

    symbolic = tf.nest.map_structure(
        lambda x: keras.KerasTensor([None] * np.ndim(x), dtype=str(x.dtype)), inputs
    )
    shapes = tf.nest.map_structure(lambda x: tuple(x.shape), layer(*symbolic))
    concrete = tf.nest.map_structure(lambda x: tuple(x.shape), expected)
    for unknown, known in zip(tf.nest.flatten(shapes), tf.nest.flatten(concrete), strict=True):
        assert unknown is None or unknown == known

    for policy in POLICIES:
        other = make(dtype=policy)
        other(*inputs)
        other.set_weights(layer.get_weights())
        for value in flatten(other(*inputs)):
            assert np.isfinite(value).all(), policy
        for weight in other.trainable_weights:
            assert weight.dtype == keras.DTypePolicy(policy).variable_dtype, policy


def check_model(make: Callable[..., Any], inputs: dict[str, np.ndarray], directory: Any) -> None:
    """Checks a model: everything of `check_numeric`, saving, checkpoints, padding, any length."""
    check_numeric(make, (inputs,))
    model = make(dtype="float32")
    expected = model(inputs)

    model.save(directory / "model.keras")
    assert_equal(keras.saving.load_model(directory / "model.keras")(inputs), expected)

    model.save_checkpoint(directory / "checkpoint")
    assert_equal(type(model).from_checkpoint(directory / "checkpoint")(inputs), expected)

    longer = model({name: _pad(name, array) for name, array in inputs.items()})
    # Of outputs that have a length, the places that both have.
    same_places = tf.nest.map_structure(
        lambda x, y: x[tuple(slice(size) for size in y.shape)], longer, expected
    )
    assert_equal(same_places, expected, 1e-5)
    one = {name: array[:1] for name, array in inputs.items()}
    assert_equal(model(one), tf.nest.map_structure(lambda x: x[:1], expected), 1e-5)


def _pad(name: str, array: np.ndarray) -> np.ndarray:
    """Adds three places of padding to the tensors of a row's tokens."""
    if name == "masked_positions":
        return array
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, 3)])


def check_preprocessing(layer: Any, arguments: Any, call: Callable | None = None) -> None:
    """Checks a text layer: configuration round trip, eager = graph = tf.data.

    Args:
        layer: the layer.
        arguments: a structure of tensors with a batch axis.
        call: how to call a layer with `arguments`; by default with all of it.
    """
    call = call or (lambda layer, arguments: layer(arguments))
    expected = call(layer, arguments)
    twin = type(layer).from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    assert_equal(call(twin, arguments), expected)
    graph = tf.function(lambda arguments: call(layer, arguments))
    assert_equal(graph(arguments), expected)
    dataset = tf.data.Dataset.from_tensors(arguments).map(
        lambda *parts: call(layer, parts[0] if len(parts) == 1 else parts)
    )
    assert_equal(next(iter(dataset)), expected)


def check_export(directory: Any, expected: Any) -> None:
    """Checks an exported version as `python -m exports verify` does.

    It loads in a fresh process in both ways, holds only operations that TensorFlow Serving has and
    answers the probes as the model in memory does.

    Args:
        directory: the version.
        expected: probabilities of the model in memory for `exports.verification.PROBES`.
    """
    lines = check_version(directory, expected=expected.tolist())
    assert len(lines) == 3
