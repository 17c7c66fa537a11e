import keras
import numpy as np
import pytest

from keras_bert.training.lamb import BertLamb


@pytest.mark.parametrize("bias_correction", [True, False])
def test_steps_equal_the_algorithm(bias_correction):
    random = np.random.default_rng(0)
    values = [random.normal(size=shape).astype("float32") for shape in ((4, 3), (3,))]
    kernel, bias = (
        keras.Variable(value, name=name)
        for value, name in zip(values, ("kernel", "bias"), strict=True)
    )
    optimizer = BertLamb(1e-2, bias_correction=bias_correction)
    moments = [[np.zeros_like(v), np.zeros_like(v)] for v in values]
    for step in range(1, 6):
        gradients = [random.normal(size=v.shape).astype("float32") for v in values]
        norm = np.sqrt(sum((g**2).sum() for g in gradients))
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], [kernel, bias])
        for index, value in enumerate(values):
            gradient = gradients[index] / max(norm, 1)
            m, v = moments[index]
            moments[index] = m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
            if bias_correction:
                m, v = m / (1 - 0.9**step), v / (1 - 0.999**step)
            update, ratio = m / (np.sqrt(v) + 1e-6), 1.0
            if index == 0:  # a bias neither decays nor is its step's length set
                update = update + 0.01 * value
                ratio = np.linalg.norm(value) / np.linalg.norm(update)
            values[index] = value - 1e-2 * ratio * update
    np.testing.assert_allclose(kernel, values[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(bias, values[1], rtol=1e-5, atol=1e-6)


def test_a_variable_of_zeros_moves():
    kernel = keras.Variable(np.zeros((2, 2), "float32"), name="kernel")
    BertLamb(1e-2).apply([keras.ops.ones((2, 2))], [kernel])
    np.testing.assert_allclose(kernel, np.full((2, 2), -1e-2), rtol=1e-4)


def test_configuration_round_trip():
    optimizer = BertLamb(1e-3, bias_correction=False, weight_decay=0.1)
    assert BertLamb.from_config(optimizer.get_config()).get_config() == optimizer.get_config()
