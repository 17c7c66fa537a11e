"""A run on two workers goes on to the same bits, whichever of them is stopped."""

import json
import random
import signal

import pytest

from tests.keras_bert.training.stopping import (
    assert_same,
    by_workers,
    command,
    fine_tuning,
    random_fault,
    scalars,
    steps_of,
    write_rows,
    write_shards,
)

KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def work(tmp_path_factory, vocabulary, tiny_config):
    """Shards of two lengths, a model's configuration and an uninterrupted run on two workers."""
    directory = tmp_path_factory.mktemp("workers")
    write_shards(directory / "short", vocabulary, length=16, count=7)
    write_shards(directory / "long", vocabulary, length=24, count=5)
    (directory / "model.json").write_text(json.dumps(tiny_config.to_dict()))
    codes, _ = by_workers(on_workers(directory, directory / "whole"))
    assert codes == [0, 0]
    return directory


def on_workers(work, output, *extra):
    return [*command(work, output, *extra), "--strategy", "multi_worker"]


@pytest.mark.slow
def test_the_chief_alone_writes(work):
    run = work / "whole"
    assert steps_of(run) == [9, 12, 14]
    assert [step for step, _ in scalars(run)["learning/loss"]] == [4, 8, 9, 13, 14]
    assert len(list((run / "tensorboard").glob("*tfevents*"))) == 1


@pytest.mark.slow
def test_a_chief_that_dies_while_it_commits(work, tmp_path):
    run = tmp_path / "run"
    arguments = on_workers(work, run)
    codes, errors = by_workers(arguments, "commit", 2, victim=0)
    assert codes == [KILLED, 2]
    assert "another worker of this training has stopped" in errors[1].splitlines()[-1]
    assert steps_of(run) == [3]
    assert by_workers(arguments)[0] == [0, 0]
    assert_same(run, work / "whole")


@pytest.mark.slow
def test_all_workers_end_after_the_same_step(work, tmp_path):
    run = tmp_path / "run"
    arguments = on_workers(work, run)
    codes, errors = by_workers(arguments, "terminate", 5, victim=1)
    assert codes == [143, 143]
    for error in errors:
        assert "stopped after step 5 of 14: saved in" in error.splitlines()[-1]
    assert steps_of(run) == [3, 5]
    assert by_workers(arguments)[0] == [0, 0]
    assert_same(run, work / "whole")


@pytest.mark.slow
def test_workers_refuse_changed_options(work, tmp_path):
    arguments = on_workers(work, tmp_path / "run")
    assert by_workers(arguments, "terminate", 2, victim=0)[0] == [143, 143]
    codes, errors = by_workers([*arguments, "--seed", "1"])
    assert codes == [2, 2]
    for error in errors:
        assert "begun otherwise (--seed: 12345 -> 1)" in error.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_workers_killed_at_a_random_step(work, tmp_path, seed):
    run = tmp_path / "run"
    arguments = on_workers(work, run)
    how, when = random_fault(seed)
    # The chief alone commits.
    victim = 0 if how == "commit" else random.Random(f"victim {seed}").randrange(2)
    codes, _ = by_workers(arguments, how, when, victim)
    assert codes[victim] == KILLED
    assert by_workers(arguments)[0] == [0, 0]
    assert_same(run, work / "whole")


@pytest.mark.slow
def test_fine_tuning_goes_on_too(work, tmp_path):
    write_rows(tmp_path / "data")

    def finetune(output):
        arguments = fine_tuning(tmp_path / "data", work / "whole" / "model", output, batch_size=6)
        return [*arguments, "--strategy", "multi_worker"]

    run, whole = tmp_path / "run", tmp_path / "whole"
    assert by_workers(finetune(whole))[0] == [0, 0]
    # In the second epoch.
    assert by_workers(finetune(run), "kill", 9, victim=0)[0] == [KILLED, 2]
    assert steps_of(run) == [4, 8]
    assert by_workers(finetune(run))[0] == [0, 0]
    assert_same(run, whole, steps=14)
