"""Pre-training goes on from any encoder, whatever stands on it."""

import json
import logging
import shutil

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from data_gen.__main__ import main as data_gen
from keras_bert.__main__ import main
from keras_bert.checkpoints import google, keras_hub, model_garden
from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.config import BertConfig
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.embedder import BertEmbedder
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.models.tagger import BertTagger
from keras_bert.text.tokenizer import BertTokenizer
from tests.conformance import assert_equal

MLM, NSP = "masked language model", "next sentence"
POOLER, CLASSES, SPANS = "pooler", "classes", "answer spans"

# What is written, in which form, and which heads are new and left out with next sentences.
SOURCES = {
    "encoder": (BertEncoder, {}, "huggingface", (MLM, NSP), ()),
    "encoder without pooler": (
        BertEncoder,
        {"pooler": False},
        "huggingface",
        (POOLER, MLM, NSP),
        (),
    ),
    "classifier": (BertClassifier, {"num_classes": 3}, "huggingface", (MLM, NSP), (CLASSES,)),
    "tagger": (BertTagger, {"num_tags": 3}, "huggingface", (POOLER, MLM, NSP), (CLASSES,)),
    "span": (BertSpanPredictor, {}, "huggingface", (POOLER, MLM, NSP), (SPANS,)),
    "choices": (BertMultipleChoice, {}, "huggingface", (MLM, NSP), (CLASSES,)),
    "sentence vectors": (BertEmbedder, {}, "huggingface", (POOLER, MLM, NSP), ()),
    "masked": (BertPretrainer, {"next_sentence": False}, "huggingface", (POOLER, NSP), ()),
    "whole": (BertPretrainer, {}, "huggingface", (), ()),
    "google encoder": (BertEncoder, {}, "google", (MLM, NSP), ()),
    "google classifier": (BertClassifier, {"num_classes": 3}, "google", (MLM, NSP), (CLASSES,)),
    "google whole": (BertPretrainer, {}, "google", (), ()),
    "garden encoder": (BertEncoder, {}, "model_garden", (MLM, NSP), ()),
    "garden whole": (BertPretrainer, {}, "model_garden", (), ()),
    "preset": (BertEncoder, {}, "keras_hub", (MLM, NSP), ()),
    "preset classifier": (BertClassifier, {"num_classes": 3}, "keras_hub", (MLM, NSP), (CLASSES,)),
}


@pytest.fixture(scope="module")
def config(vocabulary):
    return BertConfig(
        vocabulary_size=len(vocabulary),
        num_layers=1,
        hidden_dim=16,
        num_heads=2,
        intermediate_dim=24,
        max_sequence_length=32,
        initializer_range=0.05,
    )


@pytest.fixture(scope="module")
def source(config, vocabulary, tmp_path_factory):
    """A function that writes a source once and returns its place."""
    root = tmp_path_factory.mktemp("sources")

    def source(name):
        make, arguments, form, _, _ = SOURCES[name]
        path = root / name.replace(" ", "-")
        if path.exists():
            return path
        model = make(config, **arguments)
        if form == "huggingface":
            model.save_checkpoint(path, tokenizer=BertTokenizer(vocabulary))
            return path
        writer = {"google": google, "model_garden": model_garden, "keras_hub": keras_hub}[form]
        writer.write(Checkpoint.of(model), path)
        if form != "keras_hub":
            vocabulary.save(path / "vocab.txt")
        return path

    return source


def words(heads):
    return tuple(head.split(" (")[0] for head in heads)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("pairs", [True, False], ids=["pairs", "masks-alone"])
def test_what_is_there_is_taken(source, name, pairs, caplog):
    *_, new, left = SOURCES[name]
    if not pairs:
        of_pairs = {POOLER, NSP} - set(new)
        left = {*left, *of_pairs}
        new = set(new) & {MLM}
    path = source(name)
    keras.utils.set_random_seed(7)
    model = BertPretrainer.from_checkpoint(path, next_sentence=pairs)
    encoder = BertEncoder.from_checkpoint(path, pooler=model.encoder.pooler is not None)
    kept = 5 + 12  # The embeddings and the only block.
    count = kept if POOLER in new else len(encoder.get_weights())
    assert_equal(model.encoder.get_weights()[:count], encoder.get_weights()[:count])
    assert model.encoder.get_weights()[0].any()
    if MLM in new:
        kernel = np.asarray(model.masked_lm_head.dense.kernel)
        # A truncated normal has .88 of its deviation; the rest begins as ones and zeros.
        deviation = 0.88 * model.config.initializer_range
        assert np.std(kernel) == pytest.approx(deviation, rel=0.15)
        assert np.all(np.asarray(model.masked_lm_head.layer_norm.gamma) == 1)
        assert not np.asarray(model.masked_lm_head.bias).any()
    if NSP in new:
        kernel = np.asarray(model.next_sentence_head.dense.kernel)
        assert np.std(kernel) == pytest.approx(model.config.initializer_range, rel=0.5)
    keras.utils.set_random_seed(7)
    caplog.clear()
    with caplog.at_level(logging.INFO, "keras_bert.checkpoints.checkpoint"):
        again = BertPretrainer.from_checkpoint(path, next_sentence=pairs)
    assert_equal(model.get_weights(), again.get_weights())
    lines = [r for r in caplog.records if "BertPretrainer" in r.getMessage()]
    assert len(lines) == bool(new or left)
    for record in lines:
        assert (record.levelno == logging.WARNING) == bool(new)
        assert all(word in record.getMessage() for word in (*new, *left))
        assert len(record.getMessage().splitlines()) == 1


def test_the_head_of_next_sentences_alone(source, tmp_path):
    directory = tmp_path / "next"
    shutil.copytree(source("whole"), directory)
    arrays = load_file(directory / "model.safetensors")
    arrays = {n: a for n, a in arrays.items() if not n.startswith("cls.predictions")}
    save_file(arrays, directory / "model.safetensors")
    model = BertPretrainer.from_checkpoint(directory)
    whole = BertPretrainer.from_checkpoint(source("whole"))
    assert_equal(model.next_sentence_head.get_weights(), whole.next_sentence_head.get_weights())


@pytest.fixture(scope="module")
def shards(vocabulary, tmp_path_factory):
    """Shards of pairs and of single sequences."""
    directory = tmp_path_factory.mktemp("shards")
    document = "\n".join(f"the {a} and the {b} ran away." for a in ("cat", "dog") for b in "abcd")
    (directory / "corpus.txt").write_text("\n\n".join([document] * 8))
    vocabulary.save(directory / "vocab.txt")
    arguments = ["--input", f"{directory}/corpus.txt", "--vocab", f"{directory}/vocab.txt"]
    for objective in ("nsp", "full_sentences"):
        output = ("--output", f"{directory}/{objective}", "--sequence-length", "32")
        assert data_gen(["pretrain", *arguments, *output, "--objective", objective]) == 0
    return directory


def pretrain(data, init, output, *extra):
    return [
        *("pretrain", "--data", str(data), "--init", str(init), "--output", str(output)),
        *("--steps", "1", "--batch-size", "2", "--log-steps", "1", "--sample-steps", "0"),
        *("--checkpoint-steps", "0", "--strategy", "one_device", *extra),
    ]


def test_the_command_begins_from_it(source, shards, tmp_path, capsys, caplog):
    command = pretrain(shards / "nsp", source("sentence vectors"), tmp_path / "run")
    assert main(command) == 0
    lines = [*caplog.messages, *capsys.readouterr().err.splitlines()]
    lines = [line for line in lines if "new heads, " in line or "left out: " in line]
    assert len(lines) == 1
    assert all(word in lines[0] for word in (POOLER, MLM, NSP))
    arrays = load_file(tmp_path / "run" / "model" / "model.safetensors")
    assert {"cls.seq_relationship.weight", "cls.predictions.bias"} < arrays.keys()
    # `config.json` says the model that was taken, not a size that was not asked for.
    assert json.loads((tmp_path / "run" / "config.json").read_text())["model"] is None


def test_masks_alone_leave_the_head_of_pairs_out(source, shards, tmp_path, capsys):
    init = source("google whole")
    assert main(pretrain(shards / "full_sentences", init, tmp_path / "run")) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "left out: " in line]
    assert len(lines) == 1
    assert str(init) in lines[0]
    assert all(word in lines[0] for word in (POOLER, NSP))
    arrays = load_file(tmp_path / "run" / "model" / "model.safetensors")
    assert not any(name.startswith(("bert.pooler", "cls.seq_relationship")) for name in arrays)


def test_another_network_than_that_of_init_is_refused(source, shards, config, tmp_path, capsys):
    init = source("encoder")

    def fails(*extra, messages):
        assert main(pretrain(shards / "nsp", init, tmp_path / "run", *extra)) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert all(message in error for message in messages), error

    fails("--model", "base", messages=("`--model`", str(init), "num_layers=12, not 1"))
    fails("--model", "tiny", messages=("`--model`", "hidden_dim=128, not 16"))
    fails("--model", "nothing", messages=("`--model`", "'nothing'"))
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**config.to_dict(), "dropout": 0.5}))
    fails("--model", str(other), messages=("`--model`", "dropout=0.5, not 0.1"))
    command = pretrain(shards / "nsp", init, tmp_path / "run", "--new-head")
    place = command.index("--init")
    assert main([*command[:place], *command[place + 2 :]]) == 2
    assert "`--new-head`" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_new_heads_on_request(source, shards, config, tmp_path):
    """As for a model that predicts with weights of its own, in place of the table of tokens."""
    directory = tmp_path / "untied"
    shutil.copytree(source("whole"), directory)
    arrays = load_file(directory / "model.safetensors")
    table = arrays["bert.embeddings.word_embeddings.weight"]
    arrays["cls.predictions.decoder.weight"] = table + 1
    save_file(arrays, directory / "model.safetensors")
    settings = json.loads((directory / "config.json").read_text())
    settings["tie_word_embeddings"] = False
    (directory / "config.json").write_text(json.dumps(settings))
    command = pretrain(shards / "full_sentences", directory, tmp_path / "run")
    assert main(command) == 2
    # The network may be named, if it is the same.
    same = tmp_path / "same.json"
    same.write_text(json.dumps(config.to_dict()))
    assert main([*command, "--new-head", "--model", str(same)]) == 0
