"""What every layer, model and preprocessing step must do, checked by one call.

Each function takes a way to make the object and an example of its inputs, and asserts. What is
asked of layers and models holds on every backend of Keras, so TensorFlow is imported only where a
check is about it.
"""

import importlib.util
import json
import pickle
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from tests.backends import assert_equal, call_with_gradients, compiled, flatten

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "bfloat16")
# Of whole models: their layers are checked under all of them, and float16 is slow on a CPU.
MODEL_POLICIES = ("float32", "mixed_bfloat16")


def mean_square(outputs: Any) -> Any:
    """A loss that depends on every output."""
    squares = (ops.square(ops.cast(output, "float32")) for output in keras.tree.flatten(outputs))
    return sum(ops.mean(square) for square in squares)


def check_numeric(
    make: Callable[..., Any],
    inputs: tuple,
    tolerance: float = 1e-5,
    policies: tuple[str, ...] = POLICIES,
) -> Any:
    """Checks a layer or a model.

    Configuration round trip, eager = compiled, unknown batch and length, shapes and types told
    without a call, values and gradients under every precision policy.

    Args:
        make: takes `dtype` and returns the object.
        inputs: positional arguments of a call; NumPy arrays or dictionaries of them.
        tolerance: between eager and compiled values.
        policies: of precision.

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

    _check_told_shapes(layer, inputs, expected)

    for policy in policies:
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


def _check_told_shapes(layer: Any, inputs: tuple, expected: Any) -> None:
    specs = layer.compute_output_spec(*keras.tree.map_structure(_known, inputs))
    for spec, tensor in zip(keras.tree.flatten(specs), keras.tree.flatten(expected), strict=True):
        assert tuple(spec.shape) == tuple(tensor.shape)
        assert spec.dtype == keras.backend.standardize_dtype(tensor.dtype)
    # As `summary` asks for them.
    built = layer.get_build_config()
    if "shapes_dict" in built:
        shapes = layer.compute_output_shape(**built["shapes_dict"])
    else:
        shapes = layer.compute_output_shape(built["input_shape"])
    leaves = []
    keras.tree.map_shape_structure(leaves.append, shapes)
    for shape, tensor in zip(leaves, keras.tree.flatten(expected), strict=True):
        assert len(shape) == len(tensor.shape)
        for size, real in zip(shape, tensor.shape, strict=True):
            assert size is None or size == real


def _known(array: np.ndarray) -> keras.KerasTensor:
    return keras.KerasTensor(array.shape, dtype=str(array.dtype))


def _unknown(array: np.ndarray) -> keras.KerasTensor:
    """The array as a graph sees it: of unknown batch and length, while a width is known."""
    width = array.shape[-1] if array.dtype.kind == "f" else None
    return keras.KerasTensor([None] * (array.ndim - 1) + [width], dtype=str(array.dtype))


def check_model(make: Callable[..., Any], inputs: dict[str, np.ndarray], directory: Any) -> None:
    """Checks a model.

    Everything of `check_numeric` and `check_composition`, saving, checkpoints, padding, any length.
    """
    model = check_numeric(make, (inputs,), policies=MODEL_POLICIES)
    expected = model(inputs)

    model.save(directory / "model.keras")
    assert_equal(keras.saving.load_model(directory / "model.keras")(inputs), expected)

    model.save_checkpoint(directory / "checkpoint")
    assert_equal(type(model).from_checkpoint(directory / "checkpoint")(inputs), expected)

    without = {name: array for name, array in inputs.items() if name != "segment_ids"}
    zeros = {**without, "segment_ids": np.zeros_like(inputs["segment_ids"])}
    assert_equal(model(without), model(zeros), 1e-6)
    check_composition(model, inputs, directory)

    call = compiled(model)
    longer = call({name: _pad(name, array) for name, array in inputs.items()})
    # Of outputs that have a length, the places that both have.
    same_places = keras.tree.map_structure(
        lambda x, y: x[tuple(slice(size) for size in y.shape)], longer, expected
    )
    assert_equal(same_places, expected, 1e-5)
    one = {name: array[:1] for name, array in inputs.items()}
    assert_equal(call(one), keras.tree.map_structure(lambda x: x[:1], expected), 1e-5)


@keras.saving.register_keras_serializable("tests")
class _Mean(keras.layers.Layer):
    """Any outputs of a model to one number of each for each row."""

    def call(self, outputs):
        # Logits of padding are far below any other.
        means = [
            ops.tanh(ops.mean(ops.cast(x, "float32"), axis=tuple(range(1, len(x.shape)))))
            for x in keras.tree.flatten(outputs)
        ]
        return ops.stack(means, axis=-1)


@keras.saving.register_keras_serializable("tests")
class _Around(keras.Model):
    """A subclassed model around another one."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner
        self.mean = _Mean()

    def build(self, inputs_shape):
        pass

    def call(self, inputs):
        return self.mean(self.inner(inputs))

    def get_config(self):
        return {"inner": keras.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["inner"]))


def check_composition(model: Any, inputs: dict[str, np.ndarray], directory: Any) -> None:
    """Checks that a model is a part of others as any of Keras' is.

    In a functional model, in one inside of another and called twice, in a sequential and in a
    subclassed one; each is trained and comes back from disk in every format with equal outputs.
    """

    # One layer is enough. A model of its own: symbolic calls of other checks stay in its graph.
    config = model.get_config()
    model = type(model).from_config({**config, "config": {**config["config"], "num_layers": 1}})

    def symbolic(prefix=""):
        return {
            name: keras.Input([None] * (array.ndim - 1), dtype=str(array.dtype), name=prefix + name)
            for name, array in inputs.items()
        }

    def train(model, inputs):
        model.compile("sgd", keras.losses.MeanSquaredError(), run_eagerly=True)
        rows = len(keras.tree.flatten(inputs)[0])
        history = model.fit(inputs, np.ones((rows, 2), "float32"), batch_size=rows, verbose=0)
        assert np.isfinite(history.history["loss"]).all()

    def load(model, suffix):
        model.save(directory / f"part{suffix}")
        return keras.saving.load_model(directory / f"part{suffix}")

    tensors = symbolic()
    functional = keras.Model(tensors, keras.layers.Dense(2)(_Mean()(model(tensors))))
    train(functional, inputs)
    expected = functional(inputs)
    assert_equal(load(functional, ".keras")(inputs), expected)
    functional.save_weights(directory / "part.weights.h5")
    rebuilt = keras.models.model_from_json(functional.to_json())
    rebuilt.load_weights(directory / "part.weights.h5")
    assert_equal(rebuilt(inputs), expected)
    clone = keras.models.clone_model(functional)
    clone.set_weights(functional.get_weights())
    assert_equal(clone(inputs), expected)
    assert_equal(load(functional, ".h5")(inputs), expected)
    part = keras.Model(functional.inputs, functional.get_layer(model.name).output)
    assert_equal(part(inputs), model(inputs))

    branch = keras.Model(tensors, _Mean()(model(tensors)))
    pair = [symbolic("first_"), symbolic("second_")]
    twice = keras.layers.Concatenate()([branch(tensors) for tensors in pair])
    siamese = keras.Model(pair, keras.layers.Dense(2)(twice))
    train(siamese, [inputs, inputs])
    again = load(siamese, ".keras")
    assert_equal(again([inputs, inputs]), siamese([inputs, inputs]))
    assert again.count_params() == siamese.count_params()

    for around in (keras.Sequential([model, _Mean()]), _Around(model)):
        expected = around(inputs)
        assert_equal(load(around, ".keras")(inputs), expected)

    expected = model(inputs)
    assert_equal(pickle.loads(pickle.dumps(model))(inputs), expected)
    assert_equal(load(model, ".h5")(inputs), expected)
    for options in ({}, {"expand_nested": True}, {"show_trainable": True}):
        for described in (model, functional, siamese):
            lines: list[str] = []
            described.summary(print_fn=lines.append, **options)
            assert "?" not in lines[0]
    if importlib.util.find_spec("pydot"):
        keras.utils.model_to_dot(siamese, expand_nested=True, show_shapes=True)
    if keras.backend.backend() == "tensorflow":
        _check_exported(model, inputs, directory / "exported")


def _check_exported(model: Any, inputs: dict[str, np.ndarray], directory: Any) -> None:
    """Checks `model.export`: names and types of the inputs, any batch, answers of both loaders."""
    import tensorflow as tf

    model.export(directory, verbose=False)
    expected = flatten(model(inputs))
    loaded = tf.saved_model.load(directory)
    assert_equal(loaded.serve({n: tf.constant(a) for n, a in inputs.items()}), expected, 1e-5)
    one = {name: tf.constant(array[:1, ..., :6]) for name, array in inputs.items()}
    loaded.serve({**one, **{n: t[:, :2] for n, t in one.items() if n == "masked_positions"}})
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        # TensorFlow Serving loads in this way.
        graph = tf.compat.v1.saved_model.load(session, ["serve"], str(directory))
        signature = graph.signature_def["serving_default"]
        assert {n: tf.dtypes.as_dtype(info.dtype) for n, info in signature.inputs.items()} == {
            name: array.dtype for name, array in inputs.items()
        }
        feed = {signature.inputs[name].name: array for name, array in inputs.items()}
        outputs = session.run({n: info.name for n, info in signature.outputs.items()}, feed)
    assert len(outputs) == len(expected)
    for array in outputs.values():
        assert any(array.shape == x.shape and np.allclose(array, x, atol=1e-5) for x in expected)


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
