import numpy as np
import pytest

from exports.portable.litert_model import litert_model
from exports.portable.models import answer
from exports.portable.verification import probes
from tests.exports.portable.models import make

interpreter = pytest.importorskip("ai_edge_litert.interpreter")


def convert(model, shape=(None, None), weights="float32"):
    shapes = dict.fromkeys(model.input_signature(), shape)
    content = litert_model(
        lambda **features: answer(model, features), shapes, model.variables, weights=weights
    )
    return content, interpreter.Interpreter(model_content=content)


def gaps(model, loaded, calls):
    signature = loaded.get_signature_runner("serving_default")
    for call in calls:
        found, expected = signature(**call), answer(model, call)
        assert found.keys() == expected.keys()
        for name, array in found.items():
            assert array.shape == expected[name].shape
            yield np.max(np.abs(array - expected[name]))


@pytest.mark.parametrize(
    ("kind", "axes"), [("encoder", 2), ("choices", 3), ("pretrainer", 2), ("embedder", 2)]
)
def test_outputs_are_those_of_the_model(kind, axes, tiny_config):
    model = make(kind, tiny_config)
    _, loaded = convert(model, (None,) * axes)
    assert max(gaps(model, loaded, probes(model))) < 1e-5


def test_phones_have_all_operators(tiny_config):
    _, loaded = convert(make("encoder", tiny_config), (1, 16))
    names = {operator["op_name"] for operator in loaded._get_ops_details()}
    assert not [name for name in names if name.startswith("Flex") or name == "CUSTOM"]
    # Sizes are known, as delegates need it.
    assert "SHAPE" not in names


def test_lower_precisions_are_smaller_and_near(tiny_config):
    model = make("encoder", tiny_config)
    exact, _ = convert(model, (1, 16))
    for weights, most in (("float16", 1e-2), ("int8", 0.3)):
        content, loaded = convert(model, (1, 16), weights)
        assert len(content) < 0.8 * len(exact)
        assert 1e-5 < max(gaps(model, loaded, probes(model, 16))) < most
