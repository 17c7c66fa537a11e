import numpy as np
import pytest

from keras_bert.layers.layer_combination import LayerCombination
from keras_bert.models.encoder import BertEncoder
from tests.conformance import check_numeric

STATES = [np.random.default_rng(i).normal(size=(2, 5, 4)).astype("float32") for i in range(4)]


@pytest.mark.parametrize("mode", ["weighted_sum", "concatenation"])
def test_conformance(mode):
    check_numeric(lambda dtype: LayerCombination([0, -1, -2], mode, dtype=dtype), (STATES,))


def test_weighted_sum():
    layer = LayerCombination([0, -1])
    layer(STATES)
    layer.set_weights([np.log([3.0, 1.0]).astype("float32"), np.array([2], "float32")])
    expected = 2 * (0.75 * STATES[0] + 0.25 * STATES[3])
    np.testing.assert_allclose(layer(STATES), expected, atol=1e-6)


def test_concatenation_of_an_encoder_s_layers(tiny_config, features):
    states = BertEncoder(tiny_config)(features, return_hidden_states=True)["hidden_states"]
    joined = LayerCombination([-2, -1], "concatenation")(states)
    expected = np.concatenate([np.array(state) for state in states[-2:]], axis=-1)
    np.testing.assert_array_equal(joined, expected)


@pytest.mark.parametrize("arguments", [{"layers": []}, {"layers": [1], "mode": "mean"}])
def test_wrong_arguments(arguments):
    with pytest.raises(ValueError, match="must"):
        LayerCombination(**arguments)
