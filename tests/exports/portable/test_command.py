import importlib.util
import json

import pytest

from exports.__main__ import main
from exports.portable import command
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.text.tokenizer import BertTokenizer


def needs(*packages):
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


needs_onnx = needs("onnx", "onnxruntime")
needs_litert = needs("ai_edge_litert")


def run(form, model, output, *flags):
    return main([form, "--model", str(model), "--output", str(output), *flags])


def refused(capsys, message):
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error


@needs_onnx
def test_onnx(model_directory, tmp_path, capsys):
    output = tmp_path / "new" / "out"
    assert run("onnx", model_directory, output) == 0
    size, cost, path = capsys.readouterr().out.splitlines()
    assert "runs in a process of its own" in size
    assert cost.startswith("float32 against the model in memory, over 7 probes: logits by ")
    assert path == str(output)
    names = ["config.json", "model.onnx", "tokenizer_config.json", "vocab.txt"]
    assert sorted(each.name for each in output.iterdir()) == names
    assert json.loads((output / "config.json").read_text())["id2label"]["2"] == "perhaps"
    assert (output / "vocab.txt").read_bytes() == (model_directory / "vocab.txt").read_bytes()
    assert run("onnx", model_directory, output) == 2
    refused(capsys, "`--output` must not exist yet")


@needs_litert
def test_litert(model_directory, tmp_path, capsys):
    assert run("litert", model_directory, tmp_path / "out", "--encoder-only") == 0
    assert "sequence_output by " in capsys.readouterr().out
    assert json.loads((tmp_path / "out/config.json").read_text())["architectures"] == ["BertModel"]
    flags = ("--weights", "int8", "--length", "16")
    assert run("litert", model_directory, tmp_path / "small", *flags) == 0
    assert "int8 against the model in memory, over 4 probes" in capsys.readouterr().out
    sizes = [(tmp_path / name / "model.tflite").stat().st_size for name in ("out", "small")]
    assert sizes[1] < sizes[0]


@needs_litert
def test_lengths_that_are_none(model_directory, tiny_config, vocabulary, tmp_path, capsys):
    for length, rule in (("0", "at least 1"), ("65", "from 1 to 64")):
        assert run("litert", model_directory, tmp_path / "out", "--length", length) == 2
        refused(capsys, f"`--length` must be {rule}")
    model = BertMultipleChoice(tiny_config)
    model.save_checkpoint(tmp_path / "model", tokenizer=BertTokenizer(vocabulary))
    assert run("litert", tmp_path / "model", tmp_path / "out", "--length", "8") == 2
    refused(capsys, "BertMultipleChoice have other sizes")


@needs_onnx
@pytest.mark.parametrize("broken", ["other", "damaged"])
def test_a_file_that_answers_otherwise_never_appears(
    broken, model_directory, tmp_path, capsys, monkeypatch
):
    from exports.portable import onnx_model
    from exports.portable.models import load

    if broken == "other":
        # The same network with a layer less.
        other = load(str(model_directory))
        del other.encoder.blocks[1:]
        monkeypatch.setattr(other, "config", _with_layers(other.config, 1))
        written = onnx_model.onnx_model(other)
    else:
        written = onnx_model.onnx_model(load(str(model_directory)))
        written.graph.node[3].op_type = "Unknown"
    monkeypatch.setattr(onnx_model, "onnx_model", lambda model: written)
    assert run("onnx", model_directory, tmp_path / "out") == 2
    message = "answers otherwise: logits differ" if broken == "other" else "does not run"
    refused(capsys, message)
    assert list(tmp_path.iterdir()) == []


def _with_layers(config, count):
    return type(config).from_dict({**config.to_dict(), "num_layers": count})


@pytest.mark.parametrize(
    ("form", "missing"), [("onnx", "onnx, onnxruntime"), ("litert", "ai_edge_litert")]
)
def test_missing_packages_are_named(form, missing, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    assert run(form, tmp_path / "model", tmp_path / "out") == 2
    refused(capsys, f"needs the package {missing} (the extra `{form}`)")
