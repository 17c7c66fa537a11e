import dataclasses
import math

import keras
import numpy as np
import pytest

from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder
from keras_bert.training.lamb import BertLamb
from keras_bert.training.optimizer import (
    BertAdamW,
    WarmUpLinearDecay,
    _rate_factors,
    is_undecayed,
)

INPUTS = {"token_ids": "int32", "segment_ids": "int32", "padding_mask": "bool"}
# Variables of a second and last block, and of what stands on it.
TOP = {
    "{}block_1/attention/output/kernel": 1,
    "{}block_1/output/kernel": 1,
    "{}pooler/dense/kernel": 0,
}


def test_schedule_equals_the_reference():
    schedule = WarmUpLinearDecay(1e-4, total_steps=1000, warmup_steps=100)
    rates = [float(schedule(step)) for step in range(1001)]
    assert rates[0] == 0
    assert rates[50] == pytest.approx(5e-5)
    assert rates[99] == pytest.approx(0.99e-4)
    assert rates[100] == pytest.approx(0.9e-4)  # decay is counted from step 0
    assert rates[1000] == 0
    assert WarmUpLinearDecay.from_config(schedule.get_config()).get_config() == (
        schedule.get_config()
    )


def test_a_continuous_schedule_falls_from_the_peak():
    schedule = WarmUpLinearDecay(1e-4, total_steps=1000, warmup_steps=100, continuous=True)
    rates = [float(schedule(step)) for step in (0, 50, 100, 550, 1000)]
    assert rates == pytest.approx([0, 5e-5, 1e-4, 5e-5, 0])
    assert WarmUpLinearDecay.from_config(schedule.get_config())(550) == rates[3]
    whole = WarmUpLinearDecay(1e-4, total_steps=10, warmup_steps=10, continuous=True)
    assert [float(whole(step)) for step in (5, 10, 11)] == pytest.approx([5e-5, 1e-4, 0])


def reference_step(value, gradient, m, v, rate, decay):
    """`AdamWeightDecayOptimizer` of google-research/bert."""
    m = 0.9 * m + 0.1 * gradient
    v = 0.999 * v + 0.001 * gradient**2
    return value - rate * (m / (np.sqrt(v) + 1e-6) + decay * value), m, v


def test_steps_equal_the_reference():
    random = np.random.default_rng(0)
    kernel = keras.Variable(random.normal(size=(4, 3)).astype("float32"), name="kernel")
    bias = keras.Variable(random.normal(size=(3,)).astype("float32"), name="bias")
    optimizer = BertAdamW(WarmUpLinearDecay(1e-2, total_steps=20, warmup_steps=4))
    values = [np.asarray(kernel), np.asarray(bias)]
    moments = [(np.zeros_like(v), np.zeros_like(v)) for v in values]
    for step in range(10):
        gradients = [random.normal(size=v.shape).astype("float32") for v in values]
        norm = np.sqrt(sum((g**2).sum() for g in gradients))
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], [kernel, bias])
        assert float(np.asarray(optimizer.gradient_norm)) == pytest.approx(norm, rel=1e-5)
        rate = 1e-2 * (step / 4 if step < 4 else 1 - step / 20)
        for index, decay in enumerate((0.01, 0.0)):  # biases do not decay
            clipped = gradients[index] / max(norm, 1)
            values[index], *moments[index] = reference_step(
                values[index], clipped, *moments[index], rate, decay
            )
    np.testing.assert_allclose(kernel, values[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(bias, values[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("amsgrad", [False, True])  # Keras' own step where it is asked for
def test_bias_correction_is_that_of_adam(amsgrad):
    random = np.random.default_rng(0)
    start = np.linspace(-1, 1, 6)
    # Down to where epsilon decides.
    sizes = np.array([1, 1e-2, 1e-4, 1e-6, 1e-7, 1e-8])
    optimizer = BertAdamW(1e-2, bias_correction=True, global_clipnorm=None, amsgrad=amsgrad)
    variable = keras.Variable(start.astype("float32"), name="kernel")
    value, mean, square, largest = start, 0, 0, 0
    for step in range(1, 6):
        gradient = sizes * random.normal(size=6)
        optimizer.apply([keras.ops.convert_to_tensor(gradient.astype("float32"))], [variable])
        # Algorithm 1 of Kingma & Ba 2015, arXiv:1412.6980, with decoupled decay.
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        largest = np.maximum(largest, square) if amsgrad else square
        corrected = mean / (1 - 0.9**step), largest / (1 - 0.999**step)
        value = value - 1e-2 * (corrected[0] / (np.sqrt(corrected[1]) + 1e-6) + 0.01 * value)
    np.testing.assert_allclose(variable, value, rtol=1e-5)


def test_layer_norm_and_biases_do_not_decay(tiny_config):
    from keras_bert.models.pretrainer import BertPretrainer

    model = BertPretrainer(tiny_config)
    optimizer = BertAdamW(1e-2)
    optimizer.build(model.trainable_variables)
    before = {v.path: np.asarray(v) for v in model.trainable_variables}
    zeros = [keras.ops.zeros_like(v) for v in model.trainable_variables]
    optimizer.apply(zeros, model.trainable_variables)
    for variable in model.trainable_variables:
        factor = 1 if "layer_norm" in variable.path or variable.path.endswith("bias") else 0.9999
        np.testing.assert_allclose(variable, before[variable.path] * factor, rtol=1e-5)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # Names of models and layers do not count.
        ("debias/encoder/block_0/output/kernel", False),
        ("bias_study/dense/kernel", False),
        ("layer_norm_study/encoder/embeddings/token/embeddings", False),
        ("encoder_bias/bias_head/kernel", False),
        ("model/bias", True),
        ("kernel", False),
        ("bias", True),
        ("head/debias", False),
        ("head/bias_table", False),
        ("head/output_bias", True),
        # LayerNorm by any name, and one with weights of its own names.
        ("head/norm/gamma", True),
        ("head/norm_1/beta", True),
        ("head/layer_normalization_2/scale", True),
        ("head/my_layer_norm/offset", True),
        ("head/layer_norm_probe/kernel", False),
        ("lstm/lstm_cell/recurrent_kernel", False),
        ("encoder/block_0/attention/query_key_value/lora_kernel_a", False),
    ],
)
def test_what_does_not_decay(path, expected):
    assert is_undecayed(path) == expected


@pytest.mark.parametrize("optimizer", [BertAdamW, BertLamb])
def test_decay_in_a_model_of_models(tiny_config, optimizer):
    """Its name has words of the rule; what the user excludes stays excluded."""
    config = dataclasses.replace(tiny_config, num_layers=1)
    encoder = BertEncoder(config, name="layer_norm_debias")
    inputs = {n: keras.Input((8,), dtype=d, name=n) for n, d in INPUTS.items()}
    outputs = keras.layers.Dense(2, name="bias_probe")(encoder(inputs)["pooled_output"])
    model = keras.Model(inputs, outputs, name="bias_study")
    optimizer = optimizer(1e-2, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["embeddings"])
    variables = model.trainable_variables
    optimizer.build(variables)
    before = [np.asarray(variable) for variable in variables]
    optimizer.apply([keras.ops.zeros_like(variable) for variable in variables], variables)
    moved = {
        variable.name
        for variable, old in zip(variables, before, strict=True)
        if not np.array_equal(variable, old)
    }
    assert moved == {"kernel"}


def test_configuration_round_trip():
    optimizer = BertAdamW(1e-3, bias_correction=True, weight_decay=0.1)
    twin = BertAdamW.from_config(optimizer.get_config())
    assert twin.get_config() == optimizer.get_config()


def test_wrong_schedule():
    with pytest.raises(ValueError, match="total_steps=10, warmup_steps=11"):
        WarmUpLinearDecay(1e-3, total_steps=10, warmup_steps=11)


def test_layer_decay_slows_lower_layers(tiny_config, features):
    model = BertClassifier(tiny_config, num_classes=2)
    optimizer = BertAdamW(0.1, layer_decay=0.5, weight_decay=0.1)
    optimizer.build(model.trainable_variables)
    before = [np.array(variable) for variable in model.trainable_variables]
    # Without gradients only the decay acts, in proportion to each variable's rate.
    optimizer.apply([keras.ops.zeros(v.shape) for v in model.trainable_variables])
    shares = {}
    for variable, old in zip(model.trainable_variables, before, strict=True):
        if variable.path.endswith("kernel") or "table" in variable.path:
            shares[variable.path] = 1 - float(np.mean(np.array(variable) / old))
    expected = {"classification_head": 1, "pooler": 1, "block_1": 0.5, "block_0": 0.25}
    for path, share in shares.items():
        factor = next((f for part, f in expected.items() if part in path), 0.125)
        np.testing.assert_allclose(share, 0.01 * factor, rtol=1e-3, err_msg=path)
    # The first step of Adam moves every variable by its rate, but for epsilon.
    optimizer = BertAdamW(0.1, layer_decay=0.5, weight_decay=0, bias_correction=True)
    optimizer.build(model.trainable_variables)
    before = [np.array(variable) for variable in model.trainable_variables]
    optimizer.apply([keras.ops.ones(v.shape) for v in model.trainable_variables])
    for variable, old in zip(model.trainable_variables, before, strict=True):
        parts = [f for part, f in expected.items() if part in variable.path]
        factor = parts[0] if parts else 0.125
        np.testing.assert_allclose(old - np.array(variable), 0.1 * factor, rtol=1e-2)
    with pytest.raises(ValueError, match="layer_decay"):
        BertAdamW(layer_decay=0)


@pytest.mark.parametrize(
    ("paths", "prefixes"),
    [
        # An encoder alone, one within models that are called as its parts are, and a user's layer.
        ({"{}embeddings/token/embeddings": 3, "{}block_0/intermediate/kernel": 2, **TOP}, ["e/"]),
        (
            {"{}embeddings/layer_norm/gamma": 3, **TOP},
            ["", "block_7/e/", "m/embeddings/block_1/e/"],
        ),
        ({**TOP, "head/block_0/kernel": 0, "e_2/block_0/output/kernel": 0}, ["e/"]),
        ({**TOP, "head/embeddings/table": 0, "x/e/embeddings/table": 0}, ["e/"]),
        # Two of them, not equally deep.
        ({**TOP, "b/block_0/attention/output/kernel": 1, "b/embeddings/a": 2}, ["a/"]),
        # Where the lower parts are frozen, or all but the normalisations.
        ({"{}block_1/output_layer_norm/beta": 1, "{}pooler/dense/bias": 0}, ["e/"]),
        ({"{}block_1/attention/query_key_value/lora_kernel_a": 1, "head/kernel": 0}, ["e/"]),
    ],
)
def test_layer_decay_by_the_place_in_the_encoder(paths, prefixes):
    for prefix in prefixes:
        factors = _rate_factors([path.format(prefix) for path in paths], 0.5)
        assert factors == [0.5**steps for steps in paths.values()]


def test_float16_scales_its_loss(tiny_config, features):
    keras.utils.set_random_seed(0)
    model = BertClassifier(tiny_config, num_classes=2, dtype="mixed_float16")
    model.compile(
        BertAdamW(1e-3, bias_correction=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    losses = model.fit(features, np.array([0, 1]), epochs=30, verbose=0).history["loss"]
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert float(np.asarray(model.optimizer.dynamic_scale)) > 1
    assert losses[-1] < 0.5 * losses[0]
    # A step that overflows halves the scale and changes no weight.
    before = [np.array(weight) for weight in model.trainable_variables]
    model.optimizer.dynamic_scale.assign(3e38)
    model.fit(features, np.array([0, 1]), verbose=0)
    for weight, old in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert float(np.asarray(model.optimizer.dynamic_scale)) == pytest.approx(1.5e38)


@pytest.mark.parametrize("make", [BertAdamW, BertLamb])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("learning_rate", value) for value in (-1e-4, math.nan, math.inf)),
        *(("weight_decay", value) for value in (-0.01, math.nan, math.inf)),
        *(("epsilon", value) for value in (-1e-6, math.nan)),
        *(("global_clipnorm", value) for value in (0.0, -1.0, math.nan)),
    ],
)
def test_numbers_out_of_range(make, name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be .* Received: {value}"):
        make(**{name: value})


@pytest.mark.parametrize("peak", [-1e-4, math.nan, math.inf])
def test_peaks_out_of_range(peak):
    with pytest.raises(ValueError, match=f"`peak` must be .* Received: {peak}"):
        WarmUpLinearDecay(peak, total_steps=10)
