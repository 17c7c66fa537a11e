"""Pre-training from shards of every kind, and from two lengths."""

import json
import random
import shutil

import pytest
import tensorflow as tf

from data_gen.__main__ import main as data_gen
from keras_bert.__main__ import main as keras_bert
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.pretrainer import BertPretrainer
from tests.conftest import WORDS


@pytest.fixture(scope="module")
def make_shards(tmp_path_factory, vocabulary):
    directory = tmp_path_factory.mktemp("objectives")
    rng = random.Random(0)
    documents = [
        "\n".join(" ".join(rng.choices(WORDS[:40], k=6)) + "." for _ in range(rng.randint(3, 12)))
        for _ in range(150)
    ]
    (directory / "corpus.txt").write_text("\n\n".join(documents))
    (directory / "phrases.txt").write_text(f"{WORDS[0]} {WORDS[1]}\n{WORDS[2]} {WORDS[3]}\n")
    vocabulary.save(directory / "vocab.txt")

    def make_shards(name, *extra):
        arguments = ["--input", f"{directory}/corpus.txt", "--vocab", f"{directory}/vocab.txt"]
        output = directory / name
        if not output.exists():
            length = () if "--sequence-length" in extra else ("--sequence-length", "32")
            arguments += ["--output", str(output), *length, *extra]
            assert data_gen(["pretrain", *arguments]) == 0
        return str(output)

    make_shards.directory = directory
    return make_shards


def pretraining(data, output, *extra):
    return [
        *("pretrain", "--data", data, "--validation", data, "--model", "L2-H128"),
        *("--steps", "24", "--batch-size", "8", "--log-steps", "12", "--learning-rate", "1e-3"),
        *("--output", str(output), *extra),
    ]


@pytest.mark.parametrize(
    ("objective", "flags", "training"),
    [
        ("left_to_right", ["--packed"], []),
        pytest.param(
            "document_sentences",
            ["--static-masks", "--mask-units", "whole_word"],
            [],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "single_sequence", ["--packed"], ["--mask-units", "span"], marks=pytest.mark.slow
        ),
    ],
)
def test_objectives_without_pairs(make_shards, tmp_path, objective, flags, training):
    data = make_shards(objective, "--objective", objective, *flags)
    assert keras_bert(pretraining(data, tmp_path / "run", *training)) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert set(metrics["after"]) == {"loss", "masked_lm_loss", "masked_lm_accuracy"} or set(
        metrics["after"]
    ) == {"loss", "accuracy"}
    assert metrics["after"]["loss"] < metrics["before"]["loss"]
    model = tmp_path / "run" / "model"
    assert json.loads((model / "config.json").read_text())["architectures"] == ["BertForMaskedLM"]
    assert BertPretrainer.from_checkpoint(model).next_sentence_head is None
    # A classifier begins with a pooler of its own.
    BertClassifier.from_checkpoint(model, num_classes=2)


def test_sentence_order_and_phrases(make_shards, tmp_path):
    lexicon = f"{make_shards.directory}/phrases.txt"
    data = make_shards("sop", "--objective", "sop", "--sentences", "lines", "--lexicon", lexicon)
    arguments = pretraining(data, tmp_path / "run", "--mask-units", "phrase", "--steps", "4")
    assert keras_bert(arguments) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert "next_sentence_loss" in metrics["after"]


@pytest.mark.slow
def test_two_lengths_in_one_run(make_shards, tmp_path, capsys):
    short = make_shards("nsp")
    long = make_shards("long", "--sequence-length", "64")
    arguments = pretraining(short, tmp_path / "run", "--long-data", long, "--long-share", "0.25")
    assert keras_bert([*arguments, "--checkpoint-steps", "9"]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "sequences/s" in line]
    assert [line.split("  ")[0] for line in lines] == [
        "pre-training, 32 tokens: step 12/18",
        "pre-training, 32 tokens: step 18/18",
        "pre-training, 64 tokens: step 6/6",
    ]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["after"]["loss"] < metrics["before"]["loss"]
    # 18 steps of 8 sequences of 32 tokens, then 6 of 4 of 64.
    assert metrics["sequences_per_second"] * metrics["seconds"] == pytest.approx(18 * 8 + 6 * 4)
    copies = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert copies == ["step-00000009", "step-00000018", "step-00000024"]


def test_shards_that_do_not_fit_the_flags_are_refused(make_shards, tmp_path, capsys):
    nsp = make_shards("nsp")
    other = make_shards("left_to_right", "--objective", "left_to_right", "--packed")
    static = make_shards("static", "--static-masks")
    long = make_shards("long", "--sequence-length", "64")

    def fails(*flags, message):
        assert keras_bert(pretraining(nsp, tmp_path / "run", *flags)) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]

    fails("--data", static, "--mask-rate", "0.2", message="`--mask-rate` has no use. Received: 0.2")
    fails("--data", other, "--mask-units", "span", message="left-to-right, so `--mask-units`")
    fails("--mask-units", "phrase", message="needs shards with units")
    fails("--validation", other, message="pairs of segments must be in both or in neither")
    fails("--long-data", nsp, message="must have longer sequences than `--data`, 32. Received: 32")
    fails("--long-data", long, "--long-share", "1", message="`--long-share`")
    fails("--long-data", long, "--long-share", "0.001", message="at least one step for each")
    fails("--long-data", long, "--long-batch-size", "9999", message="do not fill one batch of 9999")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--max-predictions", "0"), "`--max-predictions` must be at least 1. Received: 0"),
        (
            ("--mask-rate", "0"),
            "`--mask-rate` must be above 0 and at most 1. Received: 0.0",
        ),
        (("--long-batch-size", "0"), "`--long-batch-size` must be at least 1. Received: 0"),
        (("--long-batch-size", "-4"), "`--long-batch-size` must be at least 1. Received: -4"),
        (
            ("--long-batch-size", "4"),
            "`--long-data` is not given, so `--long-batch-size` has no use. Received: 4",
        ),
        (
            ("--long-share", "0.2"),
            "`--long-data` is not given, so `--long-share` has no use. Received: 0.2",
        ),
    ],
)
def test_options_out_of_range_or_without_use(make_shards, tmp_path, capsys, flags, message):
    assert keras_bert(pretraining(make_shards("nsp"), tmp_path / "run", *flags)) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {message}"
    assert not (tmp_path / "run").exists()


def damage(path):
    """Changes a byte of a payload."""
    data = bytearray(path.read_bytes())
    data[40] ^= 0x01
    path.write_bytes(bytes(data))


def add_wrong_ids(path):
    """Writes the shard anew, with an id above the vocabulary in every example."""
    records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            example = tf.train.Example.FromString(record)
            example.features.feature["token_ids"].int64_list.value[1] = 10_000
            writer.write(example.SerializeToString())


@pytest.mark.parametrize(
    ("change", "message"),
    [(damage, "corrupted record"), (add_wrong_ids, "ids must lie in 0..")],
)
def test_damaged_shards_end_training_in_one_line(make_shards, tmp_path, capsys, change, message):
    shards = tmp_path / "shards"
    shutil.copytree(make_shards("nsp"), shards)
    (shard,) = shards.glob("*.tfrecord")
    change(shard)
    manifest = json.loads((shards / "manifest.json").read_text())
    manifest["shards"][0]["bytes"] = shard.stat().st_size
    (shards / "manifest.json").write_text(json.dumps(manifest))
    arguments = ["--data", str(shards), "--validation", make_shards("nsp")]
    assert keras_bert(pretraining(str(shards), tmp_path / "run", *arguments)) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {shards}: damaged shards: ")
    assert message in error
    assert "data_gen verify" in error
