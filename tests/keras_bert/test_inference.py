import dataclasses
import platform

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from keras_bert.errors import InputError
from keras_bert.inference import InferenceFunction
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.pretrainer import BertPretrainer
from tests.conformance import assert_equal


def with_random_biases(model):
    """TensorFlow leaves out additions of zero and products with one."""
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if variable.path.endswith(("bias", "beta", "gamma")):
            center = float(variable.path.endswith("gamma"))
            variable.assign(random.normal(center, 0.02, variable.shape))
    return model


@pytest.mark.parametrize("make", [BertEncoder, BertPretrainer])
def test_outputs_are_the_models(tiny_config, pretraining_features, make):
    model = with_random_biases(make(tiny_config))
    infer = InferenceFunction(model)
    assert_equal(infer(pretraining_features), model(pretraining_features), 1e-5)
    longer = {name: np.tile(array, (3, 2)) for name, array in pretraining_features.items()}
    assert_equal(infer(longer), model(longer), 1e-5)


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.02), ("float16", 0.003)]
)
def test_precision(tiny_config, features, precision, tolerance):
    for policy in ("float32", "mixed_bfloat16"):
        model = with_random_biases(BertClassifier(tiny_config, num_classes=3, dtype=policy))
        exact = BertClassifier(tiny_config, num_classes=3)
        exact.set_weights(model.get_weights())
        infer = InferenceFunction(model, precision=precision)
        assert_equal(infer(features), exact(features), tolerance)


def test_optional_inputs(tiny_config, features):
    encoder = BertEncoder(tiny_config)
    infer = InferenceFunction(encoder)
    plain = infer(features)
    more = {**features, "position_ids": np.tile(np.arange(9, dtype="int32") + 3, (2, 1))}
    assert_equal(infer(more), encoder(more), 1e-5)
    assert_equal(infer(features), plain)


def test_training_goes_on_and_leaves_the_function_as_it_is(tiny_config, features):
    model = BertClassifier(tiny_config, num_classes=2)
    infer = InferenceFunction(model)
    before = infer(features)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(features, np.array([0, 1]), verbose=0)
    assert_equal(infer(features), before)
    assert not np.allclose(model(features), before)


@pytest.mark.parametrize("precision", [None, "float32"])
def test_low_rank_additions_count(tiny_config, features, precision):
    model = BertClassifier(tiny_config, num_classes=2)
    model.encoder.enable_lora(2)
    for variable in model.encoder.trainable_variables:
        variable.assign(np.full(variable.shape, 0.1, "float32"))
    infer = InferenceFunction(model, precision=precision)
    assert_equal(infer(features), model(features), 1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_model_of_the_precision_is_not_copied(tiny_config, features, precision, monkeypatch):
    model = BertClassifier(tiny_config, num_classes=2, dtype=precision)
    other = {"float32": "bfloat16", "bfloat16": "float32"}[precision]

    def copied(*_):
        raise RuntimeError("a second model")

    monkeypatch.setattr(BertClassifier, "from_config", copied)
    infer = InferenceFunction(model, precision=precision)
    assert_equal(infer(features), model(features), 1e-5 if precision == "float32" else 0.02)
    with pytest.raises(RuntimeError, match="a second model"):
        InferenceFunction(model, precision=other)
    model.encoder.enable_lora(2)
    # Additions become sums with the weights, which is work saved in each call.
    with pytest.raises(RuntimeError, match="a second model"):
        InferenceFunction(model, precision=precision)


def test_unknown_precision(tiny_config):
    with pytest.raises(InputError, match=r"float32, bfloat16.*'int8'"):
        InferenceFunction(BertEncoder(tiny_config), precision="int8")


def rewritten_operations(function, features):
    """Operations that TensorFlow runs in the end, by name and kind."""
    # There is no public way to see them.
    running = context.context()
    running.enable_graph_collection()
    try:
        function(**{name: tf.constant(array) for name, array in features.items()})
        metadata = running.export_run_metadata()
    finally:
        running.disable_graph_collection()
    graphs = [part for found in metadata.function_graphs for part in found.partition_graphs]
    return [node for graph in graphs for node in graph.node]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_is_constant(tiny_config, features, precision):
    encoder = BertEncoder(tiny_config)
    infer = InferenceFunction(encoder, precision=precision)
    names = [variable.name for variable in infer.variables]
    assert len(set(names)) == len(names)
    tables = {v.path.split("/")[-2] for v in encoder.variables if v.path.endswith("embeddings")}
    outside = {name.split("/")[-2] for name in names}
    if precision == "float32":
        matrices = sum(len(variable.shape) == 2 for variable in encoder.variables)
        assert tables < outside
        assert len(names) == matrices
    else:
        assert tables == outside
    captured = infer.concrete_function(features).variables
    assert {id(variable) for variable in captured} == {id(v) for v in infer.variables}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="oneDNN rewrites graphs on x86 alone")
@pytest.mark.parametrize("activation", ["gelu_tanh", "gelu"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_products_and_layer_norms_are_fused(tiny_config, features, precision, activation):
    config = dataclasses.replace(tiny_config, activation=activation)
    encoder = with_random_biases(BertEncoder(config, pooler=False))
    function = InferenceFunction(encoder, precision=precision).concrete_function(features)
    nodes = rewritten_operations(function, features)
    if not any("MatMul" in node.op and node.op.startswith("_Mkl") for node in nodes):
        pytest.skip("oneDNN is switched off, or does not know the type on this processor")
    operations = [node.op for node in nodes]
    # Of bfloat16, whose statistics must be float32 where nothing is rewritten too, none is.
    layer_norms = 2 * config.num_layers + 1 if precision == "float32" else 0
    assert operations.count("_MklLayerNorm") == layer_norms
    fused = [b"+".join(node.attr["fused_ops"].list.s) for node in nodes if "FusedMatMul" in node.op]
    gelu = {"gelu_tanh": b"BiasAdd+GeluApproximate", "gelu": b"BiasAdd+GeluExact"}[activation]
    assert fused.count(gelu) == config.num_layers
    # Both sums with the residual.
    assert fused.count(b"BiasAdd+Add") == 2 * config.num_layers
    assert len(fused) == 4 * config.num_layers
