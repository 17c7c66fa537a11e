import dataclasses

import numpy as np
import pytest

from exports.portable.models import answer
from exports.portable.verification import probes
from tests.exports.portable.models import KINDS, make

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def written(model):
    from exports.portable.onnx_model import onnx_model

    result = onnx_model(model)
    onnx.checker.check_model(result, full_check=True)
    return result.SerializeToString()


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_those_of_the_model(kind, tiny_config):
    model = make(kind, tiny_config)
    session = onnxruntime.InferenceSession(written(model))
    assert {each.name for each in session.get_inputs()} == set(model.input_signature())
    assert {each.type for each in session.get_inputs()} == {"tensor(int32)"}
    for call in probes(model):
        expected = answer(model, call)
        assert {each.name for each in session.get_outputs()} == set(expected)
        for output in session.get_outputs():
            (found,) = session.run([output.name], call)
            np.testing.assert_allclose(found, expected[output.name], rtol=1e-5, atol=1e-5)
            sizes = zip(found.shape, output.shape, strict=True)
            assert all(size == told for size, told in sizes if isinstance(told, int))


@pytest.mark.parametrize("kind", ["no_pooler", "choices"])
def test_runtime_fuses_what_it_can(kind, tiny_config, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    # The file is for this machine, of which the runtime warns.
    options.log_severity_level = 3
    model = make(kind, dataclasses.replace(tiny_config, activation="gelu"))
    onnxruntime.InferenceSession(written(model), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert kinds.count("SkipLayerNormalization") == 2 * tiny_config.num_layers
    assert kinds.count("BiasGelu") == tiny_config.num_layers


def test_rows_without_tokens_are_numbers(tiny_config):
    model = make("embedder", tiny_config)
    session = onnxruntime.InferenceSession(written(model))
    empty = {name: np.zeros((1, 3), "int32") for name in model.input_signature()}
    np.testing.assert_array_equal(session.run(None, empty)[0], np.zeros((1, 32)))
