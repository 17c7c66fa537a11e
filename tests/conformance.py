"""What every layer, model and preprocessing step must do, checked by one call.

Each function takes a way to make the object and an example of its inputs, and asserts. What is
asked of layers and models holds on every backend of Keras, so TensorFlow is imported only where a
check is about it.
"""

import json
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from tests.backends import call_with_gradients, compiled

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "bfloat16")


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


def mean_square(outputs: Any) -> Any:
    """A loss that depends on every output."""
    squares = (ops.square(ops.cast(output, "float32")) for output in keras.tree.flatten(outputs))
    return sum(ops.mean(square) for square in squares)


def check_numeric(
    make: Callable[..., Any],
    inputs: tuple,
    tolerance: float = 1e-5,
) -> Any:
    """Checks a layer or a model.

    Configuration round trip, eager = compiled, unknown batch and length, values and gradients under
    every precision policy.

    Args:
        make: takes `dtype` and returns the object.
        inputs: positional arguments of a call; NumPy arrays or dictionaries of them.
        tolerance: between eager and compiled values.

    Returns:
        The object of the checks, in float32.
    """
    layer = make(dtype="float32")
    expected = layer(*inputs)

    twin = type(layer).from_config(layer.get_config())
    twin(*inputs)
    assert twin.get_config() == layer.get_config()
    assert [weight.shape for weight in twin.weights] == [weight.shape for weight in layer.weights]
    twin.set_weights(layer.get_weights())
    assert_equal(twin(*inputs), expected)

    assert_equal(compiled(layer)(*inputs), expected, tolerance)

    symbolic = keras.tree.map_structure(_unknown, inputs)
    pairs = zip(keras.tree.flatten(layer(*symbolic)), keras.tree.flatten(expected), strict=True)
    for unknown, known in pairs:
        assert len(unknown.shape) == len(known.shape)
        for size, real in zip(unknown.shape, known.shape, strict=True):
            assert size is None or size == real

    for policy in POLICIES:
        other = make(dtype=policy)
        if not other.built:
            other(*keras.tree.map_structure(_known, inputs))
        other.set_weights(layer.get_weights())
        outputs, slopes = call_with_gradients(other, inputs, mean_square)
        for value in flatten(outputs):
            assert np.isfinite(value).all(), policy
        for weight, slope in zip(other.trainable_weights, flatten(slopes), strict=True):
            assert weight.dtype == keras.DTypePolicy(policy).variable_dtype, policy
            assert slope.shape == weight.shape, policy
            assert np.isfinite(slope).all(), policy
    return layer


def _known(array: np.ndarray) -> keras.KerasTensor:
    return keras.KerasTensor(array.shape, dtype=str(array.dtype))


def _unknown(array: np.ndarray) -> keras.KerasTensor:
    """The array as a graph sees it: of unknown batch and length, while a width is known."""
    width = array.shape[-1] if array.dtype.kind == "f" else None
    return keras.KerasTensor([None] * (array.ndim - 1) + [width], dtype=str(array.dtype))


def check_model(make: Callable[..., Any], inputs: dict[str, np.ndarray], directory: Any) -> None:
    """Checks a model: everything of `check_numeric`, saving, checkpoints, padding, any length."""
    model = check_numeric(make, (inputs,))
    expected = model(inputs)

    model.save(directory / "model.keras")
    assert_equal(keras.saving.load_model(directory / "model.keras")(inputs), expected)

    model.save_checkpoint(directory / "checkpoint")
    assert_equal(type(model).from_checkpoint(directory / "checkpoint")(inputs), expected)

    call = compiled(model)
    longer = call({name: _pad(name, array) for name, array in inputs.items()})
    # Of outputs that have a length, the places that both have.
    same_places = keras.tree.map_structure(
        lambda x, y: x[tuple(slice(size) for size in y.shape)], longer, expected
    )
    assert_equal(same_places, expected, 1e-5)
    one = {name: array[:1] for name, array in inputs.items()}
    assert_equal(call(one), keras.tree.map_structure(lambda x: x[:1], expected), 1e-5)


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
    import tensorflow as tf

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
        expected: what the model in memory answers to `exports.probes`: arrays by the names of
            signatures and outputs.
    """
    from exports.verification import check_version

    lines, memory = check_version(directory, expected=expected)
    assert len(lines) == 4
    assert 0 < memory["tensorflow"] <= memory["loaded"] <= memory["peak"]


def check_family(
    predictor: Any, examples: Any, directory: Any, *, tolerance: float = 1e-5
) -> list[dict[str, Any]]:
    """Checks a family of tasks: it trains, is saved, read back, and answers as before.

    Args:
        predictor: a fresh `Predictor`.
        examples: `Examples` with targets; of different lengths.
        directory: where to write.
        tolerance: between numbers of answers.

    Returns:
        The answers.
    """
    import tensorflow as tf

    from keras_bert.tasks.examples import Examples
    from keras_bert.tasks.families import load_predictor
    from keras_bert.training.example_batches import training_batches

    model = predictor.model
    rows = predictor.rows(examples)
    assert sorted(set(rows.example.tolist())) == list(range(len(examples)))
    dataset = training_batches(rows, tf.distribute.get_strategy(), batch_size=3, seed=0)
    model.compile("adam", predictor.loss(), metrics=predictor.metrics())
    before = [np.array(weight) for weight in model.trainable_variables]
    logs = model.fit(dataset, steps_per_epoch=2, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    assert any(
        (np.array(w) != b).any() for w, b in zip(model.trainable_variables, before, strict=True)
    )

    columns = Examples(examples.columns)
    answers = predictor.predict(columns)
    assert len(answers) == len(examples)
    json.dumps(answers, allow_nan=False)
    # One by one, without padding.
    for index, answer in enumerate(answers):
        (alone,) = predictor.predict(columns.part(index, index + 1))
        assert_same_json(alone, answer, tolerance)
    assert predictor.predict(columns.part(0, 0)) == []

    model.save_checkpoint(directory / "model", tokenizer=predictor.tokenizer)
    loaded = load_predictor(directory / "model")
    assert type(loaded) is type(predictor)
    assert loaded.options == predictor.options
    loaded.freeze()
    assert_same_json(loaded.predict(columns), answers, tolerance)
    return answers


def assert_same_json(first: Any, second: Any, tolerance: float) -> None:
    """Asserts that two values of JSON are the same, numbers within a tolerance."""
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for name in first:
            assert_same_json(first[name], second[name], tolerance)
    elif isinstance(first, list):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_same_json(one, other, tolerance)
    elif isinstance(first, float):
        assert abs(first - second) <= tolerance
    else:
        assert first == second
