"""The whole path through the command lines, on a corpus of a few kilobytes."""

import io
import json
import random
import re

import numpy as np
import pytest
import tensorflow as tf

from data_gen.__main__ import main as data_gen
from exports.__main__ import main as exports
from keras_bert.__main__ import main as keras_bert
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.pretrainer import BertPretrainer

SUBJECTS = {
    "animals": ["cat", "dog", "bird", "fish", "horse"],
    "food": ["bread", "soup", "rice", "apple", "tea"],
}

WATCHED = [
    *("--checkpoint-steps", "10", "--sample-steps", "20"),
    *("--histograms", "10", "--profile-steps", "3,4"),
]


def sentence(rng, subject):
    first, second = rng.choices(SUBJECTS[subject], k=2)
    return rng.choice([f"The {first} and the {second}.", f"One {first} is not a {second}."])


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Text, labelled examples, vocabulary, shards, a pre-trained and a fine-tuned model."""
    directory = tmp_path_factory.mktemp("work")
    rng = random.Random(0)
    documents = [
        "\n".join(sentence(rng, subject) for _ in range(20))
        for _ in range(20)
        for subject in SUBJECTS
    ]
    (directory / "corpus.txt").write_text("\n\n".join(documents))
    for split, count in (("train", 192), ("dev", 40)):
        rows = []
        for _ in range(count):
            subject = rng.choice(list(SUBJECTS))
            rows.append(json.dumps({"text": sentence(rng, subject), "label": subject}))
        (directory / f"{split}.jsonl").write_text("\n".join(rows))
    where = str(directory)
    corpus = ("--input", f"{where}/corpus.txt")
    assert data_gen(["vocab", *corpus, "--output", f"{where}/vocab.txt", "--size", "120"]) == 0
    shards = ("--vocab", f"{where}/vocab.txt", "--output", f"{where}/shards")
    assert data_gen(["pretrain", *corpus, *shards, "--sequence-length", "32"]) == 0
    assert keras_bert(pretraining(directory, "pretrained", *WATCHED)) == 0
    assert keras_bert(finetuning(directory, "finetuned")) == 0
    return directory


def pretraining(directory, output, *extra):
    return [
        "pretrain",
        *("--data", f"{directory}/shards", "--validation", f"{directory}/shards"),
        *("--model", "L2-H128", "--steps", "25", "--batch-size", "8", "--log-steps", "10"),
        *("--learning-rate", "1e-3", "--output", f"{directory}/{output}"),
        *extra,
    ]


def finetuning(directory, output, *extra):
    return [
        "finetune",
        *("--task", "classification", "--data", str(directory), "--epochs", "25"),
        *("--init", f"{directory}/pretrained/model", "--output", f"{directory}/{output}"),
        *("--learning-rate", "1e-3", "--sequence-length", "32", "--batch-size", "16"),
        *extra,
    ]


def test_run_directory_of_pretraining(work):
    run = work / "pretrained"
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["after"]["masked_lm_loss"] < metrics["before"]["masked_lm_loss"]
    # Untrained, a model knows nothing but the number of tokens.
    size = len((work / "vocab.txt").read_text().splitlines())
    assert metrics["before"]["masked_lm_loss"] == pytest.approx(np.log(size), rel=0.05)
    assert metrics["before"]["next_sentence_loss"] == pytest.approx(np.log(2), rel=0.1)
    assert json.loads((run / "config.json").read_text())["steps"] == 25
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == [
        "step-00000010",
        "step-00000020",
        "step-00000025",
    ]
    BertPretrainer.from_checkpoint(run / "checkpoints" / "step-00000020")
    assert (run / "model" / "vocab.txt").read_text() == (work / "vocab.txt").read_text()


def points_of(directory, plugin="scalars"):
    points, kinds = {}, {}
    for path in sorted(directory.glob("events*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                kind = value.metadata.plugin_data.plugin_name or kinds[value.tag]
                kinds[value.tag] = kind
                if kind == plugin:
                    points.setdefault(value.tag, []).append(
                        (event.step, tf.make_ndarray(value.tensor))
                    )
    return points


def test_tensorboard_has_every_scalar_by_name(work):
    points = points_of(work / "pretrained" / "tensorboard")
    validation = {name: points.pop(name) for name in list(points) if name.startswith("validation/")}
    assert {f"learning/{name.partition('/')[2]}" for name in validation} < set(points)
    for name, series in validation.items():
        assert [step for step, _ in series] == [0, 10, 20, 25], name
    assert set(points) == {
        "learning/loss",
        "learning/masked_lm_loss",
        "learning/masked_lm_accuracy",
        "learning/next_sentence_loss",
        "learning/next_sentence_accuracy",
        "optimizer/learning_rate",
        "optimizer/gradient_norm",
        "optimizer/skipped_steps",
        "speed/sequences_per_second",
        "speed/tokens_per_second",
        "speed/share_of_peak",
        "speed/padding_fraction",
        "speed/input_wait_fraction",
    }
    for name, series in points.items():
        assert [step for step, _ in series] == [10, 20, 25], name
        assert all(np.isfinite(value) for _, value in series), name
    assert points["optimizer/learning_rate"][-1][1] == pytest.approx(0, abs=1e-9)
    for (_, total), (_, tokens), (_, pairs) in zip(
        *(points[f"learning/{name}loss"] for name in ("", "masked_lm_", "next_sentence_")),
        strict=True,
    ):
        assert total == pytest.approx(tokens + pairs, rel=1e-3)
    names = {"speed/sequences_per_second", "speed/padding_fraction", "optimizer/learning_rate"}
    fine = points_of(work / "finetuned" / "tensorboard")
    assert {"learning/loss", "learning/accuracy", *names} <= set(fine)
    assert all(0 < share < 1 for _, share in fine["speed/padding_fraction"])


def test_speed_in_metrics(work):
    speed = json.loads((work / "pretrained" / "metrics.json").read_text())["speed"]
    manifest = json.loads((work / "shards" / "manifest.json").read_text())
    tokens = manifest["statistics"]["tokens_per_example"]
    assert speed["padding_fraction"] == pytest.approx(1 - tokens / 32, abs=0.1)
    assert speed["tokens_per_second"] / speed["sequences_per_second"] == pytest.approx(
        tokens, rel=0.1
    )
    assert 0 < speed["input_wait_fraction"] < 1
    assert 0 < speed["share_of_peak"] < 1


def test_what_is_watched_on_request(work):
    directory = work / "pretrained" / "tensorboard"
    samples = points_of(directory, "text")["masks filled by the model"]
    assert [step for step, _ in samples] == [20, 25]
    texts = [text.decode() for text in samples[-1][1]]
    assert len(texts) == 4
    for text in texts:
        assert re.match(r"\d+ of \d+ right\n", text)
        assert all(f"* {name}: " in text for name in ("original", "masked", "filled"))
    histograms = points_of(directory, "histograms")
    model = BertPretrainer.from_checkpoint(work / "pretrained" / "model")
    assert len(histograms) == len(model.trainable_weights)
    steps = [step for step, _ in histograms["weights/block_0/attention/output/kernel"]]
    assert steps == [10, 20, 25]
    assert len(list(directory.glob("plugins/profile/*/*.xplane.pb"))) == 1
    fine = work / "finetuned" / "tensorboard"
    assert not points_of(fine, "histograms")
    assert not (fine / "plugins").exists()


def test_options_reach_the_hparams_plugin(work):
    from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

    found = {}
    for path in sorted((work / "finetuned" / "tensorboard").glob("events*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            for value in tf.compat.v1.Event.FromString(record).summary.value:
                if value.metadata.plugin_data.plugin_name == "hparams":
                    content = value.metadata.plugin_data.content
                    found[value.tag] = plugin_data_pb2.HParamsPluginData.FromString(content)
    start = found["_hparams_/session_start_info"].session_start_info.hparams
    assert start["learning_rate"].number_value == pytest.approx(1e-3)
    end = found["_hparams_/session_end_info"].session_end_info
    assert end.status == api_pb2.STATUS_SUCCESS


def test_finetuning_learns_and_evaluate_agrees(work, tmp_path, capsys):
    metrics = json.loads((work / "finetuned" / "metrics.json").read_text())
    assert metrics["dev"]["accuracy"] > 0.9
    arguments = ["--task", "classification", "--data", str(work)]
    model = ["--model", str(work / "finetuned" / "model"), "--output", str(tmp_path / "m.json")]
    assert keras_bert(["evaluate", *arguments, *model]) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert printed["accuracy"] == metrics["dev"]["accuracy"]
    assert json.loads((tmp_path / "m.json").read_text()) == printed


def test_a_run_repeats_from_its_own_configuration(work, tmp_path):
    config = str(work / "finetuned" / "config.json")
    assert keras_bert(["finetune", "--config", config, "--output", str(tmp_path / "again")]) == 0
    first, second = (
        BertClassifier.from_checkpoint(directory / "model").get_weights()
        for directory in (work / "finetuned", tmp_path / "again")
    )
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(
    "precision",
    # CPUs have no float16 arithmetic; it is emulated, at a hundredth of the speed.
    ["bfloat16", pytest.param("float16", marks=pytest.mark.slow)],
)
def test_lower_precisions_train(work, tmp_path, precision):
    arguments = pretraining(work, "unused", "--precision", precision, "--output", f"{tmp_path}/run")
    assert keras_bert(arguments) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["after"]["masked_lm_loss"] < metrics["before"]["masked_lm_loss"]
    assert {
        value.dtype
        for value in BertPretrainer.from_checkpoint(tmp_path / "run" / "model").trainable_weights
    } == {"float32"}


def test_pretraining_goes_on_from_a_model(work, tmp_path):
    init = ("--init", f"{work}/pretrained/model", "--output", f"{tmp_path}/more")
    assert keras_bert(pretraining(work, "unused", *init)) == 0
    first = json.loads((work / "pretrained" / "metrics.json").read_text())
    more = json.loads((tmp_path / "more" / "metrics.json").read_text())
    assert more["before"]["loss"] == pytest.approx(first["after"]["loss"], rel=1e-5)


def test_mirrored_strategy_trains(work, tmp_path):
    arguments = finetuning(work, "unused", "--strategy", "mirrored", "--epochs", "1")
    assert keras_bert([*arguments, "--output", f"{tmp_path}/run"]) == 0


def ask(monkeypatch, capsys, model, lines):
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    code = keras_bert(["predict", "--model", str(model), "--batch-size", "2"])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err.splitlines()[-1]


@pytest.mark.slow
def test_predict_and_export_answer_alike(work, monkeypatch, capsys):
    texts = ["The cat and the dog.", "One soup is not a tea.", "A bird!"]
    lines = [json.dumps({"text": text}) for text in texts]
    code, answers, _ = ask(monkeypatch, capsys, work / "finetuned" / "model", lines)
    assert code == 0
    answers = [json.loads(line) for line in answers]
    assert [answer["label"] for answer in answers[:2]] == ["animals", "food"]
    arguments = ["--model", f"{work}/finetuned/model", "--output", f"{work}/exported"]
    assert exports(["savedmodel", *arguments]) == 0
    signature = tf.saved_model.load(f"{work}/exported/1").signatures["serving_default"]
    probabilities = signature(text=tf.constant(texts))["probabilities"].numpy()
    for answer, row in zip(answers, probabilities, strict=True):
        np.testing.assert_allclose(list(answer["probabilities"].values()), row, atol=1e-5)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{"], "line 1: not JSON"),
        (['{"text": "a"}', '{"txt": "a"}'], "line 2"),
        (['{"text": 1}'], "line 1"),
        (["[]"], "line 1"),
    ],
)
def test_wrong_lines_to_predict(work, monkeypatch, capsys, lines, message):
    code, _, error = ask(monkeypatch, capsys, work / "finetuned" / "model", lines)
    assert code == 2
    assert error.startswith("error: standard input, ")
    assert message in error


def fails(capsys, arguments, *messages):
    assert keras_bert(arguments) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    for message in messages:
        assert message in error, error


def test_wrong_input_is_one_line_with_exit_code_2(work, tmp_path, capsys):
    pretrain = pretraining(work, "unused", "--output", f"{tmp_path}/run")
    fails(capsys, [*pretrain, "--data", f"{tmp_path}/none"], "no such directory")
    fails(capsys, [*pretrain, "--model", "huge"], "--model", "huge")
    fails(capsys, [*pretrain, "--steps", "0"], "--steps", "Received: 0")
    fails(capsys, [*pretrain, "--warmup-steps", "26"], "--warmup-steps")
    fails(capsys, [*pretrain, "--batch-size", "100000"], "do not fill one batch")
    fails(capsys, [*pretrain, "--output", f"{work}/pretrained"], "holds a run already")
    fails(capsys, [*pretrain, "--mask-rate", "2"], "--mask-rate", "Received: 2")
    fails(capsys, [*pretrain, "--histograms", "-1"], "--histograms", "Received: -1")
    for steps in ("0", "9,8", "a"):
        fails(capsys, [*pretrain, "--profile-steps", steps], "--profile-steps", steps)
    config = tmp_path / "config.json"
    config.write_text('{"vocabulary_size": 7}')
    fails(capsys, [*pretrain, "--model", str(config)], "vocabulary_size=7")
    config.write_text('{"vocab_size": 120, "hidden_size": 100, "num_attention_heads": 12}')
    fails(capsys, [*pretrain, "--model", str(config)], "hidden_size=100, num_attention_heads=12")

    finetune = finetuning(work, "unused", "--output", f"{tmp_path}/run")
    fails(capsys, [*finetune, "--task", "none"], "task='none'")
    fails(capsys, [*finetune, "--data", f"{tmp_path}"], "train")
    fails(capsys, [*finetune, "--init", f"{tmp_path}/none"], "none")
    fails(capsys, [*finetune, "--sequence-length", "1000"], "1000 > 512")
    fails(capsys, [*finetune, "--sequence-length", "3"], "sequence_length=3")
    fails(capsys, [*finetune, "--layer-decay", "0"], "--layer-decay", "Received: 0")
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.jsonl").write_text((work / "train.jsonl").read_text())
    (data / "dev.jsonl").write_text('{"text": "x", "label": "stones"}')
    fails(capsys, [*finetune, "--data", str(data)], "dev.jsonl, line 1", "'stones'")
    counts = ["--batch-size", "0", "--model", f"{work}/finetuned/model"]
    fails(capsys, ["predict", *counts], "--batch-size", "Received: 0")
    fails(
        capsys,
        ["evaluate", "--task", "classification", "--data", str(work), *counts],
        "--batch-size",
    )
    evaluate = ["evaluate", "--task", "sst-2", "--data", str(work)]
    fails(capsys, [*evaluate, "--model", f"{work}/finetuned/model"], "labels", "negative")
    fails(capsys, [*evaluate, "--model", f"{work}/pretrained/model"], "family fill_mask, but sst-2")
    assert not (tmp_path / "run").exists()


def test_a_model_of_another_vocabulary_is_refused(work, tmp_path, capsys):
    model = tmp_path / "model"
    model.mkdir()
    for path in (work / "pretrained" / "model").iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    tokens = (model / "vocab.txt").read_text().splitlines()
    (model / "vocab.txt").write_text("\n".join([*tokens[:-1], "another"]))
    arguments = pretraining(work, "unused", "--init", str(model), "--output", f"{tmp_path}/run")
    fails(capsys, arguments, "a model of another vocabulary")
    (model / "vocab.txt").write_text("\n".join([*tokens, "another"]))
    arguments = finetuning(work, "unused", "--init", str(model), "--output", f"{tmp_path}/run")
    fails(capsys, arguments, "another vocabulary")
