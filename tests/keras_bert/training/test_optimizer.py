import keras
import numpy as np
import pytest

from keras_bert.models.classifier import BertClassifier
from keras_bert.training.optimizer import BertAdamW, WarmUpLinearDecay


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
