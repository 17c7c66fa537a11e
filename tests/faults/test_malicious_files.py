"""Files that carry code are never run: not as models, weights, checkpoints or exports."""

import ast
import contextlib
import json
import pickle
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_bert.__main__ import main
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for package in ("keras_bert", "data_gen", "exports", "examples")
    for path in (ROOT / package).rglob("*.py")
)


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.fixture
def trace(tmp_path):
    """A file that appears where code was run."""
    path = tmp_path / "was-run"
    yield path
    assert not path.exists()


@pytest.fixture(scope="module")
def written(tmp_path_factory, tiny_config):
    directory = tmp_path_factory.mktemp("written") / "model"
    BertEncoder(tiny_config).save_checkpoint(directory)
    return directory


@pytest.fixture
def model(written, tmp_path):
    """A model directory, to be changed."""
    return Path(shutil.copytree(written, tmp_path / "model"))


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "training_args.bin", "tf_model.h5", "weights.npz"]
)
def test_pickles_beside_a_model_are_not_read(model, tmp_path, trace, name):
    if name.endswith("npz"):
        np.savez(model / name, weights=np.array([Payload(trace)], object))
    else:
        (model / name).write_bytes(pickle.dumps(Payload(trace)))
    BertEncoder.from_checkpoint(model)
    (model / "model.safetensors").unlink()
    with pytest.raises(InputError):
        BertEncoder.from_checkpoint(model)
    assert main(["convert", str(model), str(tmp_path / "out"), "--to", "google"]) == 2


def test_a_pickle_under_the_name_of_weights_is_damaged(model, trace):
    (model / "model.safetensors").write_bytes(pickle.dumps(Payload(trace)))
    with pytest.raises(InputError, match=r"model\.safetensors"):
        BertEncoder.from_checkpoint(model)


def test_code_in_a_saved_model_of_keras_is_refused(tmp_path, trace):
    """Keras' safe mode stays on for a model that holds one of ours."""
    config = BertConfig(
        vocabulary_size=20,
        num_layers=1,
        hidden_dim=8,
        num_heads=2,
        intermediate_dim=8,
        max_sequence_length=8,
    )
    classifier = BertClassifier(config, num_classes=2)
    types = {"token_ids": "int32", "segment_ids": "int32", "padding_mask": "bool"}
    inputs = {name: keras.Input((8,), dtype=dtype, name=name) for name, dtype in types.items()}

    # A lambda, because Keras stores the code of no other function.
    code = eval(f"lambda x: (__import__('pathlib').Path({str(trace)!r}).touch(), x)[1]")
    outputs = keras.layers.Lambda(code, output_shape=(2,))(classifier(inputs))
    keras.Model(inputs, outputs).save(tmp_path / "model.keras")
    trace.unlink(missing_ok=True)
    with pytest.raises(ValueError, match="Lambda"):
        keras.models.load_model(tmp_path / "model.keras")


@pytest.mark.parametrize(
    "change",
    [
        {"auto_map": {"AutoModel": "evil.Model"}},
        {"architectures": ["__import__('os').system('true')"]},
        {"hidden_act": "__import__('os').getcwd"},
    ],
)
def test_code_that_a_configuration_names_is_not_run(model, trace, change):
    (model / "evil.py").write_text(f"open({str(trace)!r}, 'w')\nclass Model: pass\n")
    settings = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**settings, **change}))
    with contextlib.suppress(InputError):  # Read or refused, but not run.
        BertEncoder.from_checkpoint(model)


def calls(path):
    """Names that a file calls or imports, and the keywords of its calls."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Call):
            yield ast.unparse(node.func)
            yield from (f"{word.arg}={ast.unparse(word.value)}" for word in node.keywords)


@pytest.mark.parametrize("package", ["keras_bert", "data_gen", "exports", "examples"])
def test_nothing_that_runs_code_from_files_is_called(package):
    forbidden = {
        *("pickle", "marshal", "shelve", "dill", "eval", "exec", "torch.load"),
        *("safe_mode=False", "allow_pickle=True", "trust_remote_code=True"),
    }
    for path in SOURCES:
        if path.is_relative_to(ROOT / package):
            found = set(calls(path))
            assert not found & forbidden, path
            assert not [name for name in found if name.endswith("enable_unsafe_deserialization")]
