"""What of Keras' and TensorFlow's private names is used is still there, and does what it did.

A test that fails here after an upgrade names the symbol; `keras_internals.py` says where it is
used.
"""

import ast
import importlib
import inspect
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert import keras_internals
from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier

ROOT = Path(__file__).parents[2]
PACKAGES = ("keras_bert", "data_gen", "exports")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
# Python's own, and methods of named tuples.
PUBLIC_IN_SPITE_OF_ITS_NAME = {"_exit", "_replace", "_asdict", "_fields"}
PRIVATE_MODULES = ("tensorflow.python", "keras.src")


def compiled_model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae", keras.metrics.CosineSimilarity()])
    model.train_on_batch(np.ones((2, 2)), np.zeros((2, 1)))
    return model


@pytest.fixture(scope="module")
def model():
    return compiled_model()


def resolved(name):
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize(("owner", "name", "user"), [use[:3] for use in keras_internals.INHERITED])
def test_inherited_names_are_there(owner, name, user):
    place, owner = resolved(user), resolved(owner)
    if name in ("_momentums", "_velocities"):
        optimizer = owner()
        optimizer.build([keras.Variable(1.0)])
        assert len(getattr(optimizer, name)) == 1, place
    elif name in ("_kernel", "_mask_token_rate", "_random_token_rate"):
        assert f"self.{name} =" in inspect.getsource(owner), place
    elif name in vars(place) or "Signature" not in user:
        assert callable(getattr(owner, name)) or isinstance(getattr(owner, name), property), place


def test_overridden_methods_take_the_same_arguments():
    for owner, name, user, _ in keras_internals.INHERITED:
        own = vars(resolved(user)).get(name)
        theirs = getattr(resolved(owner), name, None)
        if inspect.isfunction(own) and inspect.isfunction(theirs):
            expected = list(inspect.signature(theirs).parameters)
            assert list(inspect.signature(own).parameters) == expected, f"{user}.{name}"


def test_training(model):
    y = np.zeros((2, 1), "float32")
    loss = keras_internals.compute_loss(model, None, y, tf.ones((2, 1)), None, training=True)
    assert float(loss) == 1.0
    assert keras_internals.loss_tracker(model).name == "loss"
    compiled = keras_internals.compiled_loss(model)
    (entry,) = keras_internals.compiled_losses(compiled)
    assert (entry.path, entry.loss.name, entry.loss_weights) == ((), "mse", None)
    replaced = entry._replace(loss=keras.losses.MeanAbsoluteError())
    keras_internals.set_compiled_losses(compiled, [replaced])
    assert float(compiled(y, tf.fill((2, 1), 3.0))) == 3.0
    keras_internals.set_compiled_losses(compiled, [entry])
    assert float(compiled(y, tf.fill((2, 1), 3.0))) == 9.0


def test_layers(model):
    layers = keras_internals.layers_of(model)
    assert {layer.name for layer in layers} >= {layer.name for layer in model.layers}
    generators = [g for layer in layers for g in keras_internals.seed_generators(layer)]
    assert [type(generator) for generator in generators] == [keras.random.SeedGenerator]
    layer = keras.layers.ActivityRegularization(l2=0.5)
    layer(np.ones((1, 2), "float32"))
    assert [float(loss) for loss in keras_internals.added_losses(layer)] == [1.0]


def test_masks_are_attached():
    masked = keras.layers.Masking()(np.array([[[1.0], [0.0]]], "float32"))
    np.testing.assert_array_equal(keras_internals.mask_of(masked), [[True, False]])
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    values = loss.call(tf.constant([0, -1]), tf.constant([[0.5, 0.5], [0.5, 0.5]]))
    np.testing.assert_array_equal(keras_internals.mask_of(values), [True, False])
    assert keras_internals.mask_of(tf.ones(2)) is None


def test_metrics():
    metric = keras.metrics.CosineSimilarity(axis=0)
    assert keras_internals.wrapped_arguments(metric) == {"axis": 0}
    keras_internals.set_wrapped_function(metric, lambda y, p, axis: p)
    assert keras_internals.wrapped_function(metric)(0, 7, axis=0) == 7
    assert float(metric([0.0], [7.0])) == 7.0


def test_strategies_and_iterators(model):
    assert keras_internals.own_strategy(model) is None
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        optimizer = keras.optimizers.Adam()
        placed = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    assert keras_internals.own_strategy(placed) is strategy
    assert keras_internals.strategy_of(optimizer) is strategy
    assert keras_internals.replica_specs(tf.TensorSpec([2])) is None
    module = importlib.import_module("keras.src.backend.tensorflow.trainer")
    iterator = module.TFEpochIterator(x=np.ones((2, 3)), distribute_strategy=strategy)
    (spec,) = keras.tree.flatten(keras_internals.element_spec(iterator))
    assert spec.shape[1:] == (3,)
    assert keras_internals.updates_in_replicas() in (True, False)


def test_a_step_gets_none_for_what_is_missing(model):
    step = keras_internals.autoconvert_optionals(model, lambda data: data)
    assert step((1, tf.experimental.Optional.empty(tf.TensorSpec([])))) == (1, None)


def test_a_symbolic_build_makes_all_variables():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    keras_internals.symbolic_build(
        model, (keras.KerasTensor((None, 2)), keras.KerasTensor((None, 1)))
    )
    assert model.optimizer.built
    assert len(model.metrics_variables) == 4


def test_optimizers():
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0), initial_scale=4.0)
    variable = keras.Variable(1.0)
    optimizer.build([variable])
    keras_internals.apply_finite(optimizer, [tf.constant(2.0)], [variable])
    assert float(variable.value) == 0.5
    keras_internals.handle_not_finite(optimizer)
    assert float(optimizer.dynamic_scale.value) == 2.0
    plain = keras.optimizers.SGD(1.0)
    keras_internals.replace_gradient_sum(plain, lambda original, pairs: original(pairs))
    plain.apply([tf.constant(0.25)], [variable])
    assert float(variable.value) == 0.25


def test_layers_of_strings_and_built_models():
    class Length(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            keras_internals.take_arguments_as_they_are(self)

        def call(self, text):
            return tf.constant([len(text)])

    assert int(Length()("four")[0]) == 4

    class Built(keras.Model):
        def build(self, shape=None):
            self.built = True

    model = Built()
    model.build()
    keras_internals.unlock(model)
    model.added = keras.layers.Dense(1)
    assert model.layers == [model.added]


def test_tensorflow():
    assert not keras_internals.graph_is_compiled()
    found = []

    @tf.function(jit_compile=True)
    def within(x):
        found.append(keras_internals.graph_is_compiled())
        return x

    within(tf.ones(1))
    assert found == [True]
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        with keras_internals.stopped_tapes():
            y = x * x
        keras_internals.record_gradient("Seven", [y], [x], lambda upstream: [7 * upstream])
    assert float(tape.gradient(y, x)) == 7.0


def test_keras_hub():
    keras_hub = pytest.importorskip("keras_hub")
    layer = keras_hub.layers.TransformerEncoder(4, 2)
    layer(np.ones((1, 3, 8), "float32"))
    block = keras_internals.hub_block(layer)
    assert [type(part).__name__ for part in block] == [
        "CachedMultiHeadAttention" if "Cached" in type(block[0]).__name__ else "MultiHeadAttention",
        "LayerNormalization",
        "Dense",
        "Dense",
        "LayerNormalization",
    ]


def test_errors_stay_one_line_within_a_call(tiny_config, features):
    """Keras and TensorFlow would wrap what lacks the two names that `InputError` has."""
    model = BertClassifier(tiny_config, num_classes=2)
    wrong = {name: rows for name, rows in features.items() if name != "padding_mask"}
    for call in (model, tf.function(lambda inputs: model(inputs))):
        with pytest.raises(InputError) as error:
            call(wrong)
        assert "\n" not in str(error.value)


def private_uses(path):
    """Attributes with a private name, and private modules, that a file uses."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            if not node.attr.endswith("__") or node.attr == "__internal__":
                yield node.attr
        elif isinstance(node, ast.ImportFrom) and node.module.startswith(PRIVATE_MODULES):
            yield node.module


def own_names():
    """Private names that our own code defines."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node.name
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for name in (n for target in targets for n in ast.walk(target)):
                    if isinstance(name, ast.Attribute):
                        yield name.attr
                    elif isinstance(name, ast.Name):
                        yield name.id


def test_private_names_of_others_stand_in_one_module():
    allowed = {*own_names(), *PUBLIC_IN_SPITE_OF_ITS_NAME}
    allowed |= {name for _, name, *_ in keras_internals.INHERITED}
    found = {
        path.relative_to(ROOT).as_posix(): sorted({*private_uses(path)} - allowed)
        for path in MODULES
        if path.name != "keras_internals.py"
    }
    assert {name: uses for name, uses in found.items() if uses} == {}
