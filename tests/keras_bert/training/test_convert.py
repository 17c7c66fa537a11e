import dataclasses
import itertools
import json

import numpy as np
import pytest

from keras_bert.__main__ import main
from keras_bert.checkpoints.formats import FORMATS, format_of
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.models.tagger import BertTagger
from keras_bert.text.tokenizer import BertTokenizer


@pytest.fixture(scope="module")
def tiny_config(tiny_config):
    """A smaller one: whole models are written and read many times."""
    return dataclasses.replace(tiny_config, num_layers=1, hidden_dim=8, intermediate_dim=16)


def arrays_of(path):
    return format_of(path).read(path).arrays


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])
        assert array.dtype == second[name].dtype


@pytest.mark.parametrize(("there", "back"), list(itertools.permutations(FORMATS, 2)))
def test_there_and_back_keeps_every_bit(tiny_config, vocabulary, tmp_path, there, back):
    make = BertEncoder if "keras_hub" in (there, back) else BertPretrainer
    make(tiny_config).save_checkpoint(tmp_path / "start", tokenizer=BertTokenizer(vocabulary))
    expected = arrays_of(tmp_path / "start")
    for number, name in enumerate((there, back, there, "huggingface")):
        source = tmp_path / (str(number - 1) if number else "start")
        assert main(["convert", str(source), str(tmp_path / str(number)), "--to", name]) == 0
        assert format_of(tmp_path / str(number)) is FORMATS[name]
        assert_same(arrays_of(tmp_path / str(number)), expected)
    assert BertTokenizer.from_checkpoint(tmp_path / "3").vocabulary == vocabulary
    assert make.from_checkpoint(tmp_path / "3").config == tiny_config


LABELS = ["no", "yes", "perhaps"]
MODELS = {
    BertEncoder: {},
    BertPretrainer: {},
    BertClassifier: {"labels": LABELS},
    BertTagger: {"labels": LABELS},
    BertSpanPredictor: {},
    BertMultipleChoice: {},
}


def settings_of(path):
    return json.loads((path / "config.json").read_text())


@pytest.mark.parametrize("make", MODELS)
def test_heads_and_labels(tiny_config, tmp_path, make):
    model = make(tiny_config, **MODELS[make])
    model.save_checkpoint(tmp_path / "start")
    # Hugging Face's layout to itself, to Google's and back.
    for source, to in (("start", "same"), ("same", "google"), ("google", "back")):
        name = "google" if to == "google" else "huggingface"
        assert main(["convert", str(tmp_path / source), str(tmp_path / to), "--to", name]) == 0
        assert_same(arrays_of(tmp_path / to), arrays_of(tmp_path / "start"))
        loaded = make.from_checkpoint(tmp_path / to)
        for one, other in zip(model.weights, loaded.weights, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())
    start, same, back = (settings_of(tmp_path / name) for name in ("start", "same", "back"))
    assert start["architectures"] == same["architectures"] == back["architectures"]
    if "labels" in MODELS[make]:
        assert start["id2label"] == same["id2label"] == dict(zip("012", LABELS, strict=True))
        # Google's format has no place for names.
        assert back["id2label"] == {place: f"LABEL_{place}" for place in "012"}


def test_keras_hub_takes_classifiers_and_the_model_garden_does_not(tiny_config, tmp_path, capsys):
    BertClassifier(tiny_config, labels=LABELS).save_checkpoint(tmp_path / "start")
    for to, left_out in (("keras_hub", False), ("model_garden", True)):
        assert main(["convert", str(tmp_path / "start"), str(tmp_path / to), "--to", to]) == 0
        assert ("no equal of them: classifier." in capsys.readouterr().out) == left_out
    assert_same(arrays_of(tmp_path / "keras_hub"), arrays_of(tmp_path / "start"))


def test_keras_hub_takes_no_other_heads(tiny_config, tmp_path, capsys):
    BertMultipleChoice(tiny_config).save_checkpoint(tmp_path / "start")
    arguments = ["convert", str(tmp_path / "start"), str(tmp_path / "a"), "--to", "keras_hub"]
    assert main(arguments) == 0
    assert "left out, because the format has no equal of them: classifier." in (
        capsys.readouterr().out
    )
    BertSpanPredictor(tiny_config).save_checkpoint(tmp_path / "start")
    assert main([*arguments[:2], str(tmp_path / "b"), *arguments[3:]]) == 2
    assert "bert.pooler.dense.weight is missing" in capsys.readouterr().err.splitlines()[-1]


def test_wrong_input(tiny_config, tmp_path, capsys):
    BertEncoder(tiny_config).save_checkpoint(tmp_path / "start")
    assert main(["convert", str(tmp_path / "none"), str(tmp_path / "a"), "--to", "google"]) == 2
    arguments = ["convert", str(tmp_path / "start"), str(tmp_path / "start"), "--to", "google"]
    assert main(arguments) == 2
    assert "exists already" in capsys.readouterr().err.splitlines()[-1]
    special = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
    words = "".join(f"w{index}\n" for index in range(tiny_config.vocabulary_size - 4))
    (tmp_path / "start" / "vocab.txt").write_text(special + words)
    assert main(["convert", str(tmp_path / "start"), str(tmp_path / "a"), "--to", "google"]) == 2
    assert f"{tiny_config.vocabulary_size + 1} tokens" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "a").exists()
