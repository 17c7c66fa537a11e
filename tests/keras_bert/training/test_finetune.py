"""Options of fine-tuning: what is frozen, when it ends, which weights it ends with, grids."""

import fcntl
import json
from pathlib import Path

import numpy as np
import pytest

from keras_bert.__main__ import main
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.training.grid import combinations, read_grid, search
from keras_bert.training.options import FinetuneOptions
from tests.keras_bert.training.stopping import write_rows

CLUSTER = json.dumps(
    {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
)


@pytest.fixture(scope="module")
def work(tmp_path_factory, tiny_config, vocabulary):
    """Labelled rows and an encoder with random weights."""
    directory = tmp_path_factory.mktemp("finetune")
    write_rows(directory / "data")
    encoder = BertEncoder(tiny_config)
    encoder.save_checkpoint(directory / "init", tokenizer=BertTokenizer(vocabulary))
    return directory


def arguments(work, output, *extra):
    return [
        "finetune",
        *("--task", "classification", "--data", f"{work}/data", "--init", f"{work}/init"),
        *("--output", str(output), "--epochs", "3", "--batch-size", "8", "--log-steps", "5"),
        *("--sequence-length", "16"),
        *extra,
    ]


def metrics_of(directory):
    return json.loads((directory / "metrics.json").read_text())


def test_the_best_weights_are_those_of_the_best_checkpoint(work, tmp_path):
    """A rate that destroys the model later on: the best measurement is not the last."""
    rates = ("--learning-rate", "0.02", "--warmup-share", "0", "--checkpoint-steps", "3")
    accuracies = {}
    for which in ("best", "last"):
        run = tmp_path / which
        command = arguments(work, run, *rates, "--final-model", which, "--keep-checkpoints", "0")
        assert main(command) == 0
        accuracies[which] = metrics_of(run)["dev"]["accuracy"]
        best = metrics_of(run)["best"]
        step = best["step"] if which == "best" else 15
        weights = run / "checkpoints" / f"step-{step:08d}" / "model.safetensors"
        assert weights.read_bytes() == (run / "model" / "model.safetensors").read_bytes()
    assert accuracies["best"] == best["accuracy"] >= accuracies["last"]
    assert best["step"] < 15


def test_it_ends_where_dev_gets_no_better(work, tmp_path):
    still = ("--learning-rate", "0", "--checkpoint-steps", "2", "--patience", "2")
    assert main(arguments(work, tmp_path / "run", *still)) == 0
    metrics = metrics_of(tmp_path / "run")
    assert (metrics["steps"], metrics["best"]["step"]) == (6, 2)


def test_frozen_layers_stay_as_they_are(work, tmp_path):
    assert main(arguments(work, tmp_path / "run", "--freeze-layers", "1")) == 0
    before = BertEncoder.from_checkpoint(work / "init")
    after = BertClassifier.from_checkpoint(tmp_path / "run" / "model").encoder
    for first, second, same in (
        (before.embeddings, after.embeddings, True),
        (before.blocks[0], after.blocks[0], True),
        (before.blocks[1], after.blocks[1], False),
    ):
        pairs = zip(first.get_weights(), second.get_weights(), strict=True)
        assert all(np.array_equal(one, other) for one, other in pairs) == same


def test_a_grid(work, tmp_path, capsys):
    grid = tmp_path / "grid.json"
    grid.write_text('{"learning_rate": [0.001, 0]}')
    command = arguments(work, tmp_path / "runs", "--grid", str(grid), "--epochs", "1")
    # The first run is there already, as after a search that was stopped.
    done = tmp_path / "runs" / "learning_rate=0.001" / "seed=12345"
    assert main(arguments(work, done, "--epochs", "1", "--learning-rate", "0.001")) == 0
    before = (done / "metrics.json").read_bytes()
    assert main(command) == 0
    assert "±" in capsys.readouterr().out
    assert (done / "metrics.json").read_bytes() == before
    found = metrics_of(tmp_path / "runs")
    assert [row["learning_rate"] for row in found["grid"]] == [0.001, 0]
    evaluate = ["evaluate", "--task", "classification", "--data", f"{work}/data"]
    assert main([*evaluate, "--model", str(tmp_path / "runs" / "model")]) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert printed["accuracy"] == max(found["best"]["values"])
    assert main(command) == 2
    assert "holds a run already" in capsys.readouterr().err
    (tmp_path / "runs" / "metrics.json").unlink()
    assert main([*command, "--precision", "bfloat16"]) == 2
    assert "begun otherwise (--precision: float32 -> bfloat16)" in capsys.readouterr().err


def test_wrong_input_to_a_grid_leaves_nothing(work, tmp_path, capsys):
    command = arguments(work, tmp_path / "run", "--grid", "paper", "--data", f"{tmp_path}/none")
    assert main(command) == 2
    assert f"{tmp_path}/none" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("environment", "strategy", "grid"),
    [
        ({"TF_CONFIG": CLUSTER}, "auto", '{"epochs": [1]}'),
        ({"TF_CONFIG": CLUSTER}, "multi_worker", '{"epochs": [1]}'),
        ({"TF_CONFIG": CLUSTER}, "one_device", '{"strategy": ["one_device", "multi_worker"]}'),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "2"}, "auto", '{"epochs": [1]}'),
        ({"KUBERNETES_SERVICE_HOST": "a"}, "multi_worker", '{"epochs": [1]}'),
    ],
)
def test_a_grid_is_for_one_process(
    work, tmp_path, capsys, monkeypatch, environment, strategy, grid
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "grid.json").write_text(grid)
    options = ("--grid", f"{tmp_path}/grid.json", "--strategy", strategy)
    assert main(arguments(work, tmp_path / "run", *options)) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "`--grid`" in error
    assert "`--strategy`" in error
    assert not (tmp_path / "run").exists()


def test_a_second_process_cannot_search_there(work, tmp_path, capsys):
    (tmp_path / "grid.json").write_text('{"epochs": [1]}')
    (tmp_path / "run").mkdir()
    with open(tmp_path / "run" / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(arguments(work, tmp_path / "run", "--grid", f"{tmp_path}/grid.json")) == 2
    assert "another process is training here" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_means_deviations_and_the_best_of_a_grid(tmp_path):
    values = {(0.1, 1): 0.5, (0.1, 2): 0.9, (0.2, 1): 0.8, (0.2, 2): 0.8}
    seeds = []

    def train(options):
        directory = Path(options.output)
        value = values[options.learning_rate, options.seed]
        metrics = {"dev": {"accuracy": value}}
        for name in ("checkpoints", "model"):
            (directory / name).mkdir(parents=True)
        (directory / "model" / "weights").write_text(str((options.learning_rate, options.seed)))
        (directory / "metrics.json").write_text(json.dumps(metrics))
        seeds.append(options.seed)
        return metrics

    (tmp_path / "grid.json").write_text('{"learning_rate": [0.1, 0.2]}')
    options = FinetuneOptions(
        *("classification", "data", "init", f"{tmp_path}/runs"),
        grid=f"{tmp_path}/grid.json",
        restarts=2,
        seed=1,
    )
    found = search(options, train)
    assert seeds == [1, 2, 1, 2]
    assert [row["mean"] for row in found["grid"]] == pytest.approx([0.7, 0.8])
    assert [row["deviation"] for row in found["grid"]] == pytest.approx([np.sqrt(0.08), 0])
    # The best mean, not the best run.
    assert found["best"] == found["grid"][1]
    assert found["best"]["best_run"] == "learning_rate=0.2/seed=1"
    assert (tmp_path / "runs" / "model" / "weights").read_text() == "(0.2, 1)"
    left = {path.name for path in (tmp_path / "runs").glob("*/*/*")}
    assert left == {"metrics.json"}
    assert metrics_of(tmp_path / "runs") == found


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--restarts", "2"], "`--restarts` needs `--grid`"),
        (["--patience", "1", "--checkpoint-steps", "0"], "`--patience` counts checkpoints"),
        (["--freeze-layers", "3"], "from 0 to 2"),
        (["--threshold", "0.4"], "`--threshold` has no use for classification. Received: 0.4"),
        (["--task", "regression", "--class-weights", "balanced"], "field 'score' is missing"),
        (["--task", "ax"], "only for evaluate"),
        (["--grid", "none.json"], "none.json: cannot read the grid"),
        (["--data", "tfds:none"], "must be prepared"),
        (["--sequence-length", "0"], "at least 1"),
    ],
)
def test_what_does_not_fit(work, tmp_path, capsys, extra, message):
    assert main(arguments(work, tmp_path / "run", *extra)) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("[]", "an object of lists"),
        ('{"rate": [1]}', "'rate' must be one of"),
        ('{"epochs": 3}', "'epochs' must have a list"),
        ('{"seed": [1]}', "'seed' must be one of"),
    ],
)
def test_wrong_grids(work, tmp_path, capsys, grid, message):
    (tmp_path / "grid.json").write_text(grid)
    assert main(arguments(work, tmp_path / "run", "--grid", f"{tmp_path}/grid.json")) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_the_grid_of_the_paper():
    points = list(combinations(read_grid("paper")))
    assert len(points) == 18
    assert {"batch_size": 32, "learning_rate": 2e-5, "epochs": 4} in points


def test_evaluate_writes_predictions_of_a_file_without_labels(work, tmp_path, capsys):
    assert main(arguments(work, tmp_path / "run", "--epochs", "1")) == 0
    data = tmp_path / "data"
    write_rows(data)
    (data / "test.jsonl").write_text('{"text": "the cat"}\n{"text": "a dog"}')
    command = ["evaluate", "--task", "classification", "--data", str(data), "--split", "test"]
    command += ["--model", f"{tmp_path}/run/model"]
    assert main(command) == 2
    assert "--predictions FILE writes what the model says" in capsys.readouterr().err
    precision = ("--precision", "bfloat16")
    assert main([*command, *precision, "--predictions", f"{tmp_path}/out.jsonl"]) == 0
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["0", "1"]
    assert main([*command, "--task", "sts-b"]) == 2
    assert "sts-b needs one of regression" in capsys.readouterr().err
