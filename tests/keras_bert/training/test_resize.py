import json

import numpy as np
import pytest

from keras_bert.__main__ import main
from keras_bert.checkpoints import huggingface, sentence_transformers
from keras_bert.checkpoints.formats import FORMATS
from keras_bert.config import BertConfig
from keras_bert.models.embedder import BertEmbedder
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.tasks.families import load_predictor, load_tokenizer
from keras_bert.text.tokenizer import BertTokenizer

TABLE, BIAS = "bert/embeddings/word_embeddings", "cls/predictions/output_bias"


@pytest.fixture(scope="module")
def config(vocabulary):
    return BertConfig(
        vocabulary_size=len(vocabulary),
        num_layers=1,
        hidden_dim=8,
        num_heads=2,
        intermediate_dim=8,
        max_sequence_length=16,
    )


@pytest.fixture(scope="module")
def model(config, vocabulary, tmp_path_factory):
    directory = tmp_path_factory.mktemp("model") / "pretrainer"
    BertPretrainer(config).save_checkpoint(directory, tokenizer=BertTokenizer(vocabulary))
    return directory


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "words.txt"
    # Repeated, empty, spaced, with a byte order mark, and one that is there already.
    path.write_bytes("\ufeffcatdog\r\n\r\n  walked-by \r\ncatdog\r\nthe\r\n".encode())
    return path


def resize(*arguments):
    return main(["resize", *map(str, arguments)])


def test_words_become_tokens(model, words, vocabulary, tmp_path, capsys):
    larger = tmp_path / "larger"
    assert resize(model, larger, "--add-tokens", words, "--pad-to", 8) == 0
    printed = capsys.readouterr()
    assert f"{larger}: 2 tokens added, 1 were there" in printed.out
    beside = json.loads((tmp_path / "larger.config.json").read_text())
    assert beside == json.loads(printed.err.splitlines()[0])
    old, new = BertTokenizer.from_checkpoint(model), load_tokenizer(larger)
    assert len(new.vocabulary) == len(vocabulary) + 2
    ids = new(["the catdog walked-by"]).to_list()[0]
    assert ids == [vocabulary.ids["the"], len(vocabulary), len(vocabulary) + 1]
    before, after = (huggingface.read(path).arrays for path in (model, larger))
    assert len(after[TABLE]) == len(after[BIAS]) == -(-(len(vocabulary) + 2) // 8) * 8
    for word, row in (("catdog", len(vocabulary)), ("walked-by", len(vocabulary) + 1)):
        pieces = old([word]).to_list()[0]
        assert len(pieces) > 1
        np.testing.assert_allclose(after[TABLE][row], before[TABLE][pieces].mean(0), rtol=1e-5)
    # It is a model like any other: it answers, and never with a row of padding.
    predictor = load_predictor(larger)
    predictor.set_options(top_k=len(new.vocabulary))
    # The options written beside it make it again.
    again = tmp_path / "again"
    command = ["--config", str(tmp_path / "larger.config.json"), str(model), str(again)]
    assert main(["resize", *command]) == 0
    np.testing.assert_array_equal(huggingface.read(again).arrays[TABLE], after[TABLE])


@pytest.mark.parametrize("form", ["google", "model_garden"])
def test_every_format_can_be_resized(model, words, vocabulary, tmp_path, form):
    assert main(["convert", str(model), str(tmp_path / form), "--to", form]) == 0
    assert resize(tmp_path / form, tmp_path / "larger", "--add-tokens", words) == 0
    expected = huggingface.read(model).arrays
    for name, array in huggingface.read(tmp_path / "larger").arrays.items():
        np.testing.assert_array_equal(array[: len(expected[name])], expected[name])
    for to in set(FORMATS) - {"keras_hub"}:
        assert (
            main(["convert", str(tmp_path / "larger"), str(tmp_path / f"to-{to}"), "--to", to]) == 0
        )


def test_vectors_of_texts_stay(config, vocabulary, words, tmp_path):
    model = BertEmbedder(config, pooling="cls", normalize=False)
    model.save_checkpoint(tmp_path / "model", tokenizer=BertTokenizer(vocabulary))
    assert resize(tmp_path / "model", tmp_path / "larger", "--add-tokens", words) == 0
    found = sentence_transformers.read(tmp_path / "larger")
    assert found == {"pooling": "cls", "normalize": False}


def test_padding_alone(model, vocabulary, tmp_path):
    assert resize(model, tmp_path / "padded", "--pad-to", 64) == 0
    rows = huggingface.read_config(tmp_path / "padded").vocabulary_size
    assert rows % 64 == 0
    assert len(load_tokenizer(tmp_path / "padded").vocabulary) == len(vocabulary)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pad-to", "1"], "nothing to change"),
        (["--pad-to", "0"], "--pad-to.*0"),
        (["--add-tokens", "none.txt"], "none.txt: cannot read"),
        (["--add-tokens", "empty.txt"], "empty.txt: must hold a token"),
        (["--add-tokens", "old.txt"], "nothing to change"),
        (["--pad-to", "8", "--initialize", "random"], "--initialize"),
        (["--add-tokens", "old.txt", "--seed", "3"], "--seed"),
    ],
)
def test_wrong_input_leaves_nothing(model, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "old.txt").write_text("the\n")
    before = sorted(tmp_path.iterdir())
    assert resize(model, "larger", *arguments) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert line.startswith("error: ")
    for part in message.split(".*"):
        assert part in line
    assert sorted(tmp_path.iterdir()) == before


def test_a_model_without_a_vocabulary(model, words, tmp_path, capsys):
    (tmp_path / "bare").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "bare" / name).write_bytes((model / name).read_bytes())
    assert resize(tmp_path / "bare", tmp_path / "larger", "--add-tokens", words) == 2
    assert "no vocabulary" in capsys.readouterr().err
    assert resize(model, tmp_path / "bare", "--add-tokens", words) == 2
    assert "exists already" in capsys.readouterr().err
