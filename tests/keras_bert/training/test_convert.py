import itertools
import json

import numpy as np
import pytest

from keras_bert.__main__ import main
from keras_bert.checkpoints.formats import FORMATS, format_of
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.text.tokenizer import BertTokenizer


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


def test_heads_and_labels(tiny_config, vocabulary, tmp_path, capsys):
    model = BertClassifier(tiny_config, labels=["no", "yes", "perhaps"])
    model.save_checkpoint(tmp_path / "start", tokenizer=BertTokenizer(vocabulary))

    def convert(source, to):
        return main(["convert", str(tmp_path / source), str(tmp_path / to), "--to", to])

    assert convert("start", "google") == 0
    assert convert("google", "huggingface") == 0
    settings = json.loads((tmp_path / "huggingface" / "config.json").read_text())
    assert settings["architectures"] == ["BertForSequenceClassification"]
    assert len(settings["id2label"]) == 3
    assert_same(arrays_of(tmp_path / "huggingface"), arrays_of(tmp_path / "start"))
    assert convert("start", "keras_hub") == 0
    assert_same(arrays_of(tmp_path / "keras_hub"), arrays_of(tmp_path / "start"))
    assert "left out" not in capsys.readouterr().out
    assert convert("start", "model_garden") == 0
    assert "no equal of them: classifier." in capsys.readouterr().out


def test_wrong_input(tiny_config, tmp_path, capsys):
    BertEncoder(tiny_config).save_checkpoint(tmp_path / "start")
    assert main(["convert", str(tmp_path / "none"), str(tmp_path / "a"), "--to", "google"]) == 2
    arguments = ["convert", str(tmp_path / "start"), str(tmp_path / "start"), "--to", "google"]
    assert main(arguments) == 2
    assert "exists already" in capsys.readouterr().err.splitlines()[-1]
    (tmp_path / "start" / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\n")
    assert main(["convert", str(tmp_path / "start"), str(tmp_path / "a"), "--to", "google"]) == 2
    assert "6 tokens" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "a").exists()
