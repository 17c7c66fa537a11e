"""Models of others, padded tables and heads of other tasks go through the commands."""

import io
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.__main__ import main
from keras_bert.checkpoints import google, huggingface
from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.checkpoints.resizing import resized
from keras_bert.config import BertConfig
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.text.tokenizer import BertTokenizer
from tests.keras_bert.training.stopping import write_rows

BIAS = "cls/predictions/output_bias"


@pytest.fixture(scope="module")
def work(vocabulary, tmp_path_factory):
    """A Google folder with two checkpoints, slots and a padded table; a fine-tuned model."""
    directory = tmp_path_factory.mktemp("foreign")
    config = BertConfig(
        vocabulary_size=len(vocabulary),
        num_layers=1,
        hidden_dim=8,
        num_heads=2,
        intermediate_dim=8,
        max_sequence_length=32,
    )
    checkpoint = resized(Checkpoint.of(BertPretrainer(config)), len(vocabulary), pad_to=64)
    # What would be the answer to every mask, were it a token.
    checkpoint.arrays[BIAS][len(vocabulary) :] = 50
    slots = {f"{name}/BERTAdam": array for name, array in checkpoint.arrays.items()}
    for step in (1000, 2000):
        folder = directory / f"step-{step}"
        arrays = {**checkpoint.arrays, **slots, "global_step": np.array(step)}
        google.write(Checkpoint(checkpoint.config, arrays), folder)
        for path in folder.iterdir():
            name = path.name.replace("bert_model.ckpt", f"model.ckpt-{step}")
            (directory / "google").mkdir(exist_ok=True)
            shutil.move(path, directory / "google" / name)
    vocabulary.save(directory / "google" / "vocab.txt")
    write_rows(directory / "data")
    command = finetune(directory, directory / "google" / "model.ckpt-1000", directory / "run")
    assert main(command) == 0
    return directory


def finetune(work, init, output, *extra):
    return [
        *("finetune", "--task", "classification", "--data", f"{work}/data", "--init", str(init)),
        *("--output", str(output), "--epochs", "1", "--batch-size", "8", "--log-steps", "5"),
        *("--sequence-length", "16", "--checkpoint-steps", "0", "--final-model", "last", *extra),
    ]


def last_line(capsys):
    return capsys.readouterr().err.strip().splitlines()[-1]


def predict(model, row, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(row) + "\n"))
    capsys.readouterr()
    assert main(["predict", "--model", str(model)]) == 0
    return json.loads(capsys.readouterr().out)


def test_one_of_several_checkpoints_is_fine_tuned(work, vocabulary, tmp_path, capsys):
    settings = json.loads((work / "run" / "model" / "config.json").read_text())
    assert settings["vocab_size"] % 64 == 0
    assert settings["vocab_size"] > len(vocabulary)
    capsys.readouterr()
    assert main(finetune(work, work / "google", tmp_path / "run")) == 2
    line = last_line(capsys)
    assert "model.ckpt-1000, model.ckpt-2000" in line
    assert not (tmp_path / "run" / "model").exists()


def test_a_fine_tuned_model_is_evaluated_and_answers(work, monkeypatch, capsys):
    model = work / "run" / "model"
    command = ["evaluate", "--task", "classification", "--data", f"{work}/data"]
    assert main([*command, "--model", str(model)]) == 0
    answer = predict(model, {"text": "the cat"}, monkeypatch, capsys)
    assert answer["label"] in answer["probabilities"]


@pytest.mark.parametrize("form", ["google", "huggingface"])
def test_padding_is_no_answer(work, vocabulary, tmp_path, monkeypatch, capsys, form):
    model = work / "google" / "model.ckpt-2000"
    if form == "huggingface":
        assert main(["convert", str(model), str(tmp_path / "model"), "--to", form]) == 0
        model = tmp_path / "model"
    answer = predict(model, {"text": "the [MASK] ran"}, monkeypatch, capsys)
    assert all(choice["token"] in vocabulary.ids for choice in answer["masks"][0])


def test_slots_are_not_converted(work, tmp_path):
    model = work / "google" / "model.ckpt-2000"
    for to in ("huggingface", "google"):
        assert main(["convert", str(model), str(tmp_path / to), "--to", to]) == 0
    assert len(huggingface.read(tmp_path / "huggingface").arrays) == 5 + 16 + 2 + 5 + 2
    reader = tf.train.load_checkpoint(str(tmp_path / "google" / "bert_model.ckpt"))
    assert len(reader.get_variable_to_shape_map()) == 5 + 16 + 2 + 5 + 2


def test_a_conversion_that_reads_back_otherwise_is_removed(work, tmp_path, monkeypatch, capsys):
    write = google.write

    def write_wrongly(checkpoint, directory):
        checkpoint.arrays["bert/embeddings/LayerNorm/beta"] += 1
        write(checkpoint, directory)
        checkpoint.arrays["bert/embeddings/LayerNorm/beta"] -= 1

    monkeypatch.setattr(google, "write", write_wrongly)
    model = work / "run" / "model"
    shutil.copytree(model, tmp_path / "model")
    assert main(["convert", str(tmp_path / "model"), str(tmp_path / "a"), "--to", "google"]) == 2
    assert "LayerNorm/beta" in last_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_fewer_rows_than_tokens(work, tmp_path, capsys):
    shutil.copytree(work / "run" / "model", tmp_path / "model")
    rows = huggingface.read_config(tmp_path / "model").vocabulary_size
    tokenizer = BertTokenizer.from_checkpoint(tmp_path / "model")
    words = (*tokenizer.vocabulary.tokens, *(f"new{index}" for index in range(rows)))
    BertTokenizer(words).save_assets(tmp_path / "model")
    assert main(["predict", "--model", str(tmp_path / "model")]) == 2
    line = last_line(capsys)
    assert f"{len(words)} tokens" in line
    assert "resize" in line


def test_another_task_begins_from_a_fine_tuned_model(work, tmp_path, capsys):
    rows = work / "data"
    others = tmp_path / "others"
    others.mkdir()
    for path in rows.iterdir():
        lines = path.read_text().splitlines()
        (others / path.name).write_text("".join(f"{relabelled(line)}\n" for line in lines))
    labels = tuple(json.loads((work / "run" / "model" / "config.json").read_text())["label2id"])
    init = work / "run" / "model"
    command = finetune(work, init, tmp_path / "warned")
    command[command.index("--data") + 1] = str(others)
    assert main(command) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning: " in line]
    assert len([line for line in warnings if "--new-head" in line]) == 1
    assert all(repr(label) in " ".join(warnings) for label in labels)
    command[command.index("--output") + 1] = str(tmp_path / "new")
    assert main([*command, "--new-head"]) == 0
    assert "taken over" not in capsys.readouterr().err
    regression = finetune(work, init, tmp_path / "random", "--new-head", "--random-weights")
    assert main(regression) == 2
    assert "--new-head" in last_line(capsys)


def relabelled(line):
    row = json.loads(line)
    return json.dumps({**row, "label": f"other {row['label']}"})
