"""A finished run goes on to more steps, with the bits of one that was as long from the start."""

import dataclasses
import json
import shutil

import keras
import pytest
from safetensors.numpy import load_file

from keras_bert.__main__ import main
from keras_bert.training import pretrain as pretraining
from keras_bert.training.optimizer import BertAdamW
from tests.keras_bert.training.stopping import (
    scalars,
    steps_of,
    without_rates,
    write_rows,
    write_shards,
)


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def work(tmp_path_factory, vocabulary, tiny_config):
    """Shards of two lengths and a model's configuration."""
    directory = tmp_path_factory.mktemp("extension")
    write_shards(directory / "short", vocabulary, length=16, count=7)
    write_shards(directory / "long", vocabulary, length=24, count=5)
    small = dataclasses.replace(tiny_config, num_layers=1, hidden_dim=8, intermediate_dim=8)
    (directory / "model.json").write_text(json.dumps(small.to_dict()))
    return directory


def command(work, output, steps, *extra):
    return [
        "pretrain",
        *("--data", f"{work}/short", "--shuffle-buffer", "8", "--model", f"{work}/model.json"),
        *("--steps", str(steps), "--batch-size", "4", "--log-steps", "4", "--sample-steps", "0"),
        *("--checkpoint-steps", "3", "--learning-rate", "1e-3", "--output", str(output)),
        *extra,
    ]


def killed_after(monkeypatch, arguments, steps):
    """Runs a command that ends as roughly as can be within a process."""
    done = 0
    call = keras.callbacks.CallbackList.on_train_batch_end

    def count(self, *arguments, **keywords):
        nonlocal done
        done += 1
        if done > steps:
            raise Killed
        return call(self, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(keras.callbacks.CallbackList, "on_train_batch_end", count)
        with pytest.raises(Killed):
            main(arguments)


def error_of(capsys, arguments):
    assert main(arguments) == 2
    return capsys.readouterr().err.splitlines()[-1]


def assert_same_state(run, whole, step):
    checkpoint = f"checkpoints/step-{step:08d}"
    for name in ("model/model.safetensors", f"{checkpoint}/model.safetensors"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()
    states = [load_file(each / checkpoint / "training_state.safetensors") for each in (run, whole)]
    assert states[0].keys() == states[1].keys()
    assert all((states[0][name] == states[1][name]).all() for name in states[0])


def metrics_of(run):
    return json.loads((run / "metrics.json").read_text())


@pytest.mark.parametrize("lengths", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_extended_run_is_one_of_all_its_steps(work, tmp_path, monkeypatch, capsys, lengths):
    """Where the rate does not depend on the number of steps, and through a kill."""
    monkeypatch.setattr(pretraining, "_optimizer", lambda options: BertAdamW(1e-3))
    run, whole = tmp_path / "run", tmp_path / "whole"

    def of(output, steps, share, *extra):
        long = ("--long-data", f"{work}/long", "--long-share", str(share)) * (lengths - 1)
        return command(work, output, steps, *long, *extra)

    # Of two lengths, five short ones and five long ones, of which the first run does two.
    assert main(of(whole, 10, 0.5)) == 0
    assert main(of(run, 7, 0.3)) == 0
    assert steps_of(run)[-1] == 7
    assert metrics_of(run)["steps"] == 7
    refused = error_of(capsys, of(run, 5, 0.3, "--allow-changes"))
    assert all(word in refused for word in ("`--steps`", "Received: 5", "7 steps"))
    assert "holds a run already" in error_of(capsys, of(run, 7, 0.3, "--allow-changes"))
    assert "--seed: 12345 -> 1" in error_of(capsys, of(run, 10, 0.3, "--seed", "1"))
    assert metrics_of(run)["steps"] == 7

    killed_after(monkeypatch, of(run, 10, 0.3), 2)
    error = capsys.readouterr().err
    assert f"{run}: extended from 7 to 10 steps; from step 8 on the learning rate" in error
    assert (f"5 on {work}/short, 5 on {work}/long" in error) == (lengths == 2)
    assert not (run / "metrics.json").exists()
    assert json.loads((run / "metrics-step-00000007.json").read_text())["steps"] == 7
    assert steps_of(run)[-1] == 9
    assert main(of(run, 10, 0.3)) == 0
    assert "extended from" not in capsys.readouterr().err

    extra = {"extended": [{"from": 7, "to": 10}]}
    assert {**without_rates(whole), **extra} == without_rates(run)
    found = metrics_of(run)
    assert (found["steps"], found["steps_asked"], found["stopped_early"]) == (10, 10, False)
    # The point at which the first run ended is one more.
    points = dict(scalars(run)["learning/loss"])
    del points[7]
    assert points == dict(scalars(whole)["learning/loss"])
    assert_same_state(run, whole, 10)


@pytest.mark.slow
def test_the_rate_of_an_extension_is_that_of_a_run_of_all_its_steps(work, tmp_path, capsys):
    run = tmp_path / "run"
    options = ("--warmup-steps", "2", "--log-steps", "1")
    assert main(command(work, run, 4, *options)) == 0
    assert main(command(work, run, 6, *options)) == 0
    rates = dict(scalars(run)["optimizer/learning_rate"])
    assert rates[4] == pytest.approx(0, abs=1e-9)
    assert [rates[step] for step in (5, 6)] == pytest.approx([1e-3 / 6, 0], abs=1e-9)
    assert metrics_of(run)["steps"] == 6
    # What --allow-changes lets through is said, and stays to be read.
    assert main(command(work, run, 7, *options, "--seed", "1", "--allow-changes")) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if "lets through" in line]
    assert warnings[0].endswith("lets through after step 6: --seed: 12345 -> 1")
    found = metrics_of(run)
    assert found["changed"] == [{"step": 6, "changes": ["--seed: 12345 -> 1"]}]
    assert found["extended"] == [{"from": 4, "to": 6}, {"from": 6, "to": 7}]
    names = sorted(path.name for path in run.glob("metrics*"))
    assert names == ["metrics-step-00000004.json", "metrics-step-00000006.json", "metrics.json"]


@pytest.mark.slow
def test_a_run_goes_on_from_its_configuration_in_another_place(work, tmp_path, monkeypatch):
    shutil.copytree(work / "short", tmp_path / "first" / "short")
    shutil.copyfile(work / "model.json", tmp_path / "first" / "model.json")
    monkeypatch.chdir(tmp_path / "first")
    assert main(command(".", "run", 3)) == 0
    (tmp_path / "first").rename(tmp_path / "second")
    monkeypatch.chdir(tmp_path)
    arguments = ["pretrain", "--config", "second/run/config.json", "--output", "second/run"]
    paths = ("--data", "second/short", "--model", "second/model.json")
    assert main([*arguments, *paths, "--steps", "4"]) == 0
    found = metrics_of(tmp_path / "second" / "run")
    assert (found["steps"], found["extended"]) == (4, [{"from": 3, "to": 4}])
    assert "changed" not in found


@pytest.fixture(scope="module")
def rows(work, tmp_path_factory):
    from keras_bert.config import BertConfig
    from keras_bert.models.encoder import BertEncoder
    from keras_bert.text.tokenizer import BertTokenizer

    directory = tmp_path_factory.mktemp("rows")
    write_rows(directory / "data")
    tokenizer = BertTokenizer.from_vocabulary(f"{work}/short/vocab.txt")
    encoder = BertEncoder(BertConfig.from_file(f"{work}/model.json"))
    encoder.save_checkpoint(directory / "init", tokenizer=tokenizer)
    return directory


def fine_tuning(rows, output, epochs, *extra):
    """Five steps an epoch."""
    return [
        "finetune",
        *("--task", "classification", "--data", f"{rows}/data", "--init", f"{rows}/init"),
        *("--output", str(output), "--epochs", str(epochs), "--batch-size", "8"),
        *("--sequence-length", "16", "--log-steps", "5", "--checkpoint-steps", "2", *extra),
    ]


@pytest.mark.slow
def test_fine_tuning_that_stopped_early_can_be_extended(rows, tmp_path, capsys):
    run = tmp_path / "run"
    still = ("--learning-rate", "0", "--patience", "2")
    assert main(fine_tuning(rows, run, 3, *still)) == 0
    found = metrics_of(run)
    assert (found["steps"], found["steps_asked"], found["stopped_early"]) == (6, 15, True)
    # As many epochs again, or fewer, are no extension.
    assert "holds a run already" in error_of(capsys, fine_tuning(rows, run, 3, *still))
    for allowed in ((), ("--allow-changes",)):
        refused = error_of(capsys, fine_tuning(rows, run, 1, *still, *allowed))
        assert all(word in refused for word in ("`--epochs`", "Received: 1", "6 steps"))
    # Patience begins anew: two measurements more.
    assert main(fine_tuning(rows, run, 4, *still)) == 0
    found = metrics_of(run)
    assert (found["steps"], found["steps_asked"], found["stopped_early"]) == (10, 20, True)
    assert found["extended"] == [{"from": 6, "to": 20}]
    assert found["best"]["step"] == 2
    # Another patience, up to the end that was asked for.
    changed = ("--learning-rate", "0", "--patience", "9", "--allow-changes")
    assert main(fine_tuning(rows, run, 4, *changed)) == 0
    found = metrics_of(run)
    assert (found["steps"], found["stopped_early"]) == (20, False)
    assert found["changed"] == [{"step": 10, "changes": ["--patience: 2 -> 9"]}]


@pytest.mark.slow
def test_an_extension_that_is_killed_at_any_step(work, tmp_path, monkeypatch):
    monkeypatch.setattr(pretraining, "_optimizer", lambda options: BertAdamW(1e-3))
    whole = tmp_path / "whole"
    assert main(command(work, whole, 12)) == 0
    for steps in (0, 2, 5):
        run = tmp_path / f"run-{steps}"
        assert main(command(work, run, 6)) == 0
        killed_after(monkeypatch, command(work, run, 12), steps)
        assert main(command(work, run, 12)) == 0
        assert_same_state(run, whole, 12)
        extra = {"extended": [{"from": 6, "to": 12}]}
        assert without_rates(run) == {**without_rates(whole), **extra}
