"""A stopped run goes on to the same bits as one that was not stopped."""

import fcntl
import json
import signal
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from keras_bert.__main__ import main
from keras_bert.models.pretrainer import BertPretrainer
from tests.keras_bert.training.stopping import (
    assert_same,
    command,
    fine_tuning,
    random_fault,
    scalars,
    steps_of,
    stopped,
    without_rates,
    write_rows,
    write_shards,
)


@pytest.fixture(scope="module")
def work(tmp_path_factory, vocabulary, tiny_config):
    """Shards of two lengths, a model's configuration and an uninterrupted run."""
    directory = tmp_path_factory.mktemp("resume")
    write_shards(directory / "short", vocabulary, length=16, count=7)
    write_shards(directory / "long", vocabulary, length=24, count=5)
    (directory / "model.json").write_text(json.dumps(tiny_config.to_dict()))
    assert main(command(directory, directory / "whole")) == 0
    return directory


def test_state_of_the_whole_run(work):
    assert steps_of(work / "whole") == [9, 12, 14]
    assert [step for step, _ in scalars(work / "whole")["learning/loss"]] == [4, 8, 9, 13, 14]
    newest = work / "whole" / "checkpoints" / "step-00000012"
    model = BertPretrainer.from_checkpoint(newest)
    assert model.count_params() == without_rates(work / "whole")["parameters"]
    arrays = load_file(newest / "training_state.safetensors")
    # Every dropout has been drawn from.
    assert all(array[1] > 0 for name, array in arrays.items() if name.startswith("seeds/"))


def test_validation_at_each_checkpoint(work):
    run = work / "whole"
    losses = dict(scalars(run)["validation/loss"])
    assert list(losses) == [0, 3, 6, 9, 12, 14]
    metrics = without_rates(run)
    step = min(losses, key=losses.get)
    assert metrics["best"] == {"step": step, "loss": pytest.approx(losses[step])}
    assert step in steps_of(run)
    assert metrics["before"]["loss"] == pytest.approx(losses[0])
    assert metrics["after"]["loss"] == pytest.approx(losses[14])


def test_a_run_that_diverges_stops(work, tmp_path, capsys):
    arguments = command(work, tmp_path / "run", "--learning-rate", "1e30", "--skip-limit", "2")
    assert main(arguments) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: the last ")
    assert "not finite" in error
    assert not (tmp_path / "run" / "metrics.json").exists()


@pytest.mark.slow
def test_a_run_stopped_again_and_again(work, tmp_path, capsys):
    run = tmp_path / "run"
    arguments = command(work, run)
    # Within an interval, after one checkpoint.
    assert stopped(arguments, "kill", 5).returncode == -signal.SIGKILL
    assert steps_of(run) == [3]
    # When the second of its own, that of step 9, is written and not yet committed.
    assert stopped(arguments, "commit", 2).returncode == -signal.SIGKILL
    assert steps_of(run) == [3, 6]
    assert list((run / "checkpoints").glob(".incomplete-*"))
    # In the second phase, whose steps the first one's are not a multiple of.
    result = stopped(arguments, "terminate", 5)
    assert result.returncode == 143
    assert "stopped after step 11 of 14: saved in" in result.stderr.splitlines()[-1]
    # The last three, and the best so far.
    assert steps_of(run) == [3, 6, 9, 11]

    refuses_what_does_not_belong(arguments, run, capsys)

    newest = run / "checkpoints" / "step-00000011"
    flip_a_bit(newest / "training_state.safetensors")
    assert main(arguments) == 0
    warning = next(line for line in capsys.readouterr().err.splitlines() if "warning" in line)
    assert f"{newest}: damaged checkpoint: training_state.safetensors" in warning
    assert warning.endswith(f"going on from {newest.with_name('step-00000009')}")
    assert newest.with_name(f"damaged-{newest.name}").is_dir()
    assert_same(run, work / "whole")
    assert main(arguments) == 2
    assert "holds a run already; choose" in capsys.readouterr().err


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def refuses_what_does_not_belong(arguments, run, capsys):
    def error(*more):
        assert main([*arguments, *more]) == 2
        return capsys.readouterr().err.splitlines()[-1]

    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with open(run / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process is training here" in error()
    changed = error("--seed", "1", "--batch-size", "8", "--keep-checkpoints", "1")
    assert "(--batch-size: 4 -> 8; --seed: 12345 -> 1); " in changed
    assert "--allow-changes" in changed
    # Another content under the same name.
    model = Path(arguments[arguments.index("--model") + 1])
    content = model.read_text()
    model.write_text(content.replace('"dropout": 0.1', '"dropout": 0.2'))
    assert "what --model names: " in error()
    model.write_text(content)
    # The state is of this network's size.
    model.write_text(content.replace('"num_layers": 2', '"num_layers": 3'))
    assert "is missing" in error("--allow-changes")
    model.write_text(content)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.slow
def test_a_run_that_hangs_ends_at_the_second_signal(work, tmp_path):
    run = tmp_path / "run"
    arguments = command(work, run)
    result = stopped(arguments, "hang", 5)
    assert result.returncode == 143
    assert "checkpoint stands" in result.stderr.splitlines()[-1]
    assert steps_of(run) == [3]
    assert main(arguments) == 0
    assert_same(run, work / "whole")


@pytest.mark.slow
def test_a_full_disk(work, tmp_path):
    """Nothing larger than the configuration can be written any more."""
    run = tmp_path / "run"
    arguments = command(work, run)
    result = stopped(arguments, "disk", 5)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(f"error: {run / 'checkpoints'}: cannot write")
    assert steps_of(run) == [3]
    assert main(arguments) == 0
    assert_same(run, work / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_run_killed_at_a_random_step(work, tmp_path, seed):
    run = tmp_path / "run"
    arguments = command(work, run)
    assert stopped(arguments, *random_fault(seed)).returncode == -signal.SIGKILL
    assert main(arguments) == 0
    assert_same(run, work / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precisions_go_on_too(work, tmp_path, precision):
    # Of float16 the scale of the loss is part of the state.
    run, whole = tmp_path / "run", tmp_path / "whole"
    assert main(command(work, whole, "--precision", precision)) == 0
    arguments = command(work, run, "--precision", precision)
    assert stopped(arguments, "kill", 8).returncode == -signal.SIGKILL
    assert main(arguments) == 0
    assert_same(run, whole)


@pytest.mark.slow
def test_an_interrupted_run_under_changed_options(work, tmp_path, capsys):
    run = tmp_path / "run"
    arguments = command(work, run)
    assert stopped(arguments, "interrupt", 2).returncode == 130
    assert steps_of(run) == [2]
    assert main([*arguments, "--allow-changes", "--seed", "1"]) == 0
    assert json.loads((run / "config.json").read_text())["seed"] == 1
    assert scalars(run)["learning/loss"] != scalars(work / "whole")["learning/loss"]


@pytest.mark.slow
def test_fine_tuning_goes_on_too(work, tmp_path):
    write_rows(tmp_path / "data")

    def finetune(output):
        return fine_tuning(tmp_path / "data", work / "whole" / "model", output)

    assert main(finetune(tmp_path / "whole")) == 0
    # In the second epoch.
    assert stopped(finetune(tmp_path / "run"), "kill", 9).returncode == -signal.SIGKILL
    assert steps_of(tmp_path / "run") == [4, 8]
    assert main(finetune(tmp_path / "run")) == 0
    assert_same(tmp_path / "run", tmp_path / "whole", steps=12)
