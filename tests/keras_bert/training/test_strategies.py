"""A global batch gives one step, however it is split."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.training.optimizer import BertAdamW
from keras_bert.training.strategy import make_strategy
from tests.keras_bert.training import cluster, strategy_worker

ROOT = Path(__file__).parents[3]
TASKS = ("pretrainer", "masked_lm", "classifier", "tagger", "spans")
WAYS = ("mirrored", "accumulated", "worker_0", "worker_1")


def start(mode, directory, log, environment):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    command = [sys.executable, "-m", "tests.keras_bert.training.strategy_worker", mode, directory]
    with log.open("wb") as file:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    directory = tmp_path_factory.mktemp("strategies")
    workers = [("workers", environment) for environment in cluster.environments(2)]
    logs = [directory / f"{number}.log" for number in range(3)]
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(start(mode, directory, log, environment))
            for (mode, environment), log in zip([("local", {}), *workers], logs, strict=True)
        ]
        try:
            for process, log in zip(processes, logs, strict=True):
                assert process.wait(timeout=500) == 0, log.read_text()[-4000:]
        finally:
            for process in processes:
                process.kill()
    return {path.stem: dict(np.load(path, allow_pickle=False)) for path in directory.glob("*.npz")}


def differences(one, other):
    """The greatest difference in logs, predictions and weights."""
    assert other.keys() <= one.keys()
    found = {}
    for name in other:
        value = one[name]
        assert value.shape == other[name].shape, name
        part = name.split("/")[0]
        found[part] = max(found.get(part, 0.0), float(np.abs(value - other[name]).max()))
    return found


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("way", WAYS)
def test_every_split_gives_the_step_of_one_device(results, task, way):
    expected = results[f"{task}-one"]
    assert expected["iterations"] == 20
    for part, difference in differences(expected, results[f"{task}-{way}"]).items():
        assert difference <= 1e-5, part


@pytest.mark.parametrize("way", ["mirrored_accumulated", "mirrored_execution"])
def test_splits_combine(results, way):
    expected = results["pretrainer-one"]
    for part, difference in differences(expected, results[f"pretrainer-{way}"]).items():
        assert difference <= 1e-5, part


@pytest.mark.parametrize("task", TASKS)
def test_workers_end_with_equal_weights(results, task):
    workers = [results[f"{task}-worker_{index}"] for index in range(2)]
    assert set(differences(*workers).values()) == {0.0}


def pretrainer(**options):
    keras.utils.set_random_seed(0)
    return strategy_worker.compiled("pretrainer", **options)


def first_rows(count):
    """That many rows of the pre-training data, in batches of one size."""
    arrays = strategy_worker.data()["pretrainer"]
    dataset = tf.data.Dataset.from_tensor_slices(arrays).take(count)
    return dataset.batch(strategy_worker.BATCH, drop_remainder=True)


def test_the_step_compiles_with_xla():
    dataset = first_rows(4 * strategy_worker.BATCH)
    found = []
    for options, accumulation in (({}, 1), ({"jit_compile": True}, 2)):
        model = pretrainer(**options)
        model.gradient_accumulation_steps = accumulation
        logs = model.fit(dataset, verbose=0, shuffle=False).history
        weights = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
        found.append([*(value[-1] for value in logs.values()), *weights])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    model.gradient_accumulation_steps = 4
    with pytest.raises(InputError, match="6 rows in 4 steps"):
        model.fit(dataset, verbose=0, shuffle=False)


def state(model):
    variables = [*model.weights, *model.optimizer.variables]
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def test_a_step_that_is_not_finite_changes_no_weight():
    inputs, targets, weights = next(iter(first_rows(strategy_worker.BATCH)))
    bad = {**weights, "masked_lm_logits": weights["masked_lm_logits"] * np.nan}
    model = pretrainer(run_eagerly=True)
    model.gradient_accumulation_steps = 2
    model.build_training((inputs, targets, weights))
    model.train_step((inputs, targets, weights))
    before = state(model)
    for count in (1, 2):
        logs = model.train_step((inputs, targets, bad))
        assert np.isnan(logs["loss"])
        assert model.skipped_steps == model.skipped_steps_in_a_row == count
    for one, other in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(one, other)
    model.reset_metrics()
    assert np.isfinite(model.train_step((inputs, targets, weights))["loss"])
    assert (model.skipped_steps, model.skipped_steps_in_a_row) == (2, 0)
    assert any((one != other).any() for one, other in zip(before, state(model), strict=True))


def test_wrong_accumulation_steps(tiny_config):
    model = BertClassifier(tiny_config, num_classes=2)
    for steps in (0, 1.5):
        with pytest.raises(InputError, match=f"Received: {steps}"):
            model.gradient_accumulation_steps = steps


def test_wrong_losses(tiny_config, features):
    model = BertClassifier(tiny_config, num_classes=2)
    model.gradient_accumulation_steps = 2
    model.compile(BertAdamW(), keras.losses.MeanSquaredError(reduction="none"), run_eagerly=True)
    with pytest.raises(InputError, match="`reduction`"):
        model.train_on_batch(features, np.eye(2, dtype="float32"))


def test_the_found_strategy_is_named(monkeypatch, capsys):
    for name in ("TF_CONFIG", "SLURM_PROCID", "TPU_NAME"):
        monkeypatch.delenv(name, raising=False)
    strategy = make_strategy("auto", 8)
    assert strategy.num_replicas_in_sync == 1
    assert "strategy: one_device, because there is no GPU" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "configuration", "message"),
    [
        ("auto", '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}}', "supported: auto, one_device"),
        ("auto", "[1]", "`TF_CONFIG` must be JSON"),
        ("auto", "{", "`TF_CONFIG` must be JSON"),
        ("multi_worker", "", "needs a cluster"),
        # TensorFlow looks for one for half a minute.
        pytest.param("tpu", "", "needs a TPU; supported: auto, one_device", marks=pytest.mark.slow),
        ("parameter_server", "", "must be one of auto, one_device, mirrored, multi_worker, tpu"),
    ],
)
def test_strategies_that_cannot_be(monkeypatch, name, configuration, message):
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    monkeypatch.setenv("TF_CONFIG", configuration)
    with pytest.raises(InputError, match=message):
        make_strategy(name, 8)


TWO = ["localhost:23991", "localhost:23992"]


@pytest.mark.parametrize("name", ["auto", "multi_worker"])
@pytest.mark.parametrize(
    ("cluster", "task", "messages"),
    [
        (TWO, None, ("`task`", "{}")),
        (TWO, {}, ("`task`", "{}")),
        (TWO, {"index": 0}, ("`type`", "worker")),
        (TWO, {"type": "bogus", "index": 0}, ("`type`", "bogus")),
        (TWO, {"type": "evaluator", "index": 0}, ("`type`", "evaluator")),
        (TWO, {"type": "chief", "index": 0}, ("`type`", "chief")),
        (TWO, {"type": ["worker"], "index": 0}, ("`type`", "['worker']")),
        (TWO, {"type": "worker"}, ("`index`", "None")),
        (TWO, {"type": "worker", "index": 2}, ("`index`", "from 0 to 1", "2")),
        (TWO, {"type": "worker", "index": -1}, ("`index`", "-1")),
        (TWO, {"type": "worker", "index": "0"}, ("`index`", "'0'")),
        (TWO, {"type": "worker", "index": True}, ("`index`", "True")),
        (TWO[:1], {"type": "worker", "index": 1}, ("`index`", "from 0 to 0")),
        ("localhost:1", {"type": "worker", "index": 0}, ("host:port", "'localhost:1'")),
        ([], {"type": "worker", "index": 0}, ("host:port", "[]")),
        ([7, *TWO], {"type": "worker", "index": 0}, ("host:port", "7")),
        (["localhost", *TWO], {"type": "worker", "index": 0}, ("host:port", "'localhost'")),
        (["a:0", *TWO], {"type": "worker", "index": 0}, ("1 to 65535", "'a:0'")),
        (["a:65536", *TWO], {"type": "worker", "index": 0}, ("1 to 65535", "'a:65536'")),
        (["a:-1", *TWO], {"type": "worker", "index": 0}, ("1 to 65535", "'a:-1'")),
        (
            ["nowhere.invalid:23993", *TWO],
            {"type": "worker", "index": 1},
            ("cannot find the host nowhere.invalid:23993",),
        ),
        (
            [f"{'n' * 70}.invalid:23993", *TWO],
            {"type": "worker", "index": 1},
            ("cannot find the host", "invalid:23993"),
        ),
    ],
)
def test_clusters_that_cannot_be(monkeypatch, name, cluster, task, messages):
    from keras_bert.training import strategy

    monkeypatch.setattr(strategy, "_PATIENCE", 0)
    configuration = {"cluster": {"worker": cluster}, **({} if task is None else {"task": task})}
    monkeypatch.setenv("TF_CONFIG", json.dumps(configuration))
    with pytest.raises(InputError, match="TF_CONFIG") as caught:
        make_strategy(name, 8)
    for message in messages:
        assert message in str(caught.value)


def test_a_port_that_is_taken(monkeypatch):
    with socket.create_server(("", 0)) as listener:
        own = f"localhost:{listener.getsockname()[1]}"
        cluster = {"worker": [own, "localhost:23994"]}
        configuration = {"cluster": cluster, "task": {"type": "worker", "index": 0}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(configuration))
        with pytest.raises(InputError, match=f"cannot listen on {own}: Address already in use"):
            make_strategy("auto", 8)


@pytest.mark.parametrize(
    "environment",
    [
        {"SLURM_PROCID": "0"},
        {"SLURM_PROCID": "x", "SLURM_NTASKS": "2"},
        {"KUBERNETES_SERVICE_HOST": "a", "KERAS_BERT_TASK_INDEX": "x"},
        {"KUBERNETES_SERVICE_HOST": "a", "KERAS_BERT_TASK_INDEX": "0"},
    ],
)
def test_schedulers_that_say_too_little(monkeypatch, environment):
    for name in ("TF_CONFIG", "SLURM_PROCID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"Slurm|Kubernetes|KERAS_BERT_TASK_INDEX"):
        make_strategy("multi_worker", 8)


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({"TF_CONFIG": '{"cluster": {"worker": ["a:1", "b:1"]}}'}, "TF_CONFIG names 2 workers"),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "3"}, "Slurm runs 3 tasks"),
    ],
)
def test_a_cluster_is_found(monkeypatch, environment, found):
    from keras_bert.training import strategy

    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert strategy._found() == ("multi_worker", found)
