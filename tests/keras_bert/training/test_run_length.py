"""What may be asked of a run, by what it has done: a table, without any training."""

import json

import numpy as np
import pytest

from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.errors import InputError
from keras_bert.models.encoder import BertEncoder
from keras_bert.training.checkpoint_directory import Snapshot, write_checkpoint
from keras_bert.training.run_directory import RunDirectory

FLAG = {"steps": "--steps", "epochs": "--epochs"}


@pytest.fixture(scope="module")
def weights(tiny_config):
    return Checkpoint.of(BertEncoder(tiny_config))


def options_of(length, value, **more):
    return {length: value, "seed": 1, "output": "unused", **more}


def steps_of(length, value):
    """An epoch has two steps."""
    return value if length == "steps" else 2 * value


def go_on(path, length, value, *, inputs=None, **more):
    """Does what a command does before its first step; returns the checkpoint's step, extensions."""
    with RunDirectory(path, options_of(length, value, **more), length=length) as run:
        run.create(inputs or {"data": "x"}, total_steps=steps_of(length, value))
        if run.saved is not None:
            run.begin()
        return (run.saved[1]["step"] if run.saved else 0), dict(run.extensions)


def save(path, weights, length, value, step):
    with RunDirectory(path, options_of(length, value), length=length) as run:
        run.create({"data": "x"}, total_steps=steps_of(length, value))
        if run.saved is not None:
            run.begin()
        facts = {"event_files": {}, "facts": {}, **run.description()}
        snapshot = Snapshot(step, weights, {"a": np.zeros(1)}, facts)
        write_checkpoint(run.checkpoints, snapshot, keep=0)


def finish(path, step):
    (path / "metrics.json").write_text(json.dumps({"steps": step}))


@pytest.fixture
def state(tmp_path, weights):
    """Makes a run that was to have 12 steps, in some state."""

    def make(name, length):
        path = tmp_path / "run"
        asked = 12 if length == "steps" else 6
        if name == "begun":
            go_on(path, length, asked)
            return path
        done = {"stopped": 6, "early": 6}.get(name, 12)
        save(path, weights, length, asked, done)
        if name not in ("stopped", "unclosed"):
            finish(path, done)
        if name == "gone":
            for checkpoint in (path / "checkpoints").iterdir():
                checkpoint.rename(tmp_path / checkpoint.name)
        if name in ("extending", "extended"):
            longer = 20 if length == "steps" else 10
            go_on(path, length, longer)
            if name == "extended":
                save(path, weights, length, longer, 16)
        return path

    return make


# Steps asked for -> without and with --allow-changes: the words of a refusal, or extensions.
OTHERWISE, HELD, SHORT, GONE = (
    "begun otherwise",
    "holds a run already;",
    "less than is done",
    "gone",
)
TABLE = {
    # Nothing is done: the options alone bind.
    "begun": {8: (OTHERWISE, {}), 12: ({}, {}), 20: (OTHERWISE, {})},
    # 6 of 12: another number is another schedule of the rate.
    "stopped": {
        4: (None, SHORT),
        6: (OTHERWISE, {}),
        8: (OTHERWISE, {}),
        12: ({}, {}),
        20: (OTHERWISE, {}),
    },
    # 12 of 12, but killed before it was closed.
    "unclosed": {4: (None, SHORT), 12: ({}, {}), 20: ({12: 20}, {12: 20})},
    "finished": {4: (SHORT, SHORT), 12: (HELD, HELD), 20: ({12: 20}, {12: 20})},
    # 6 of 12 by --patience.
    "early": {
        4: (SHORT, SHORT),
        8: (None, {6: 8}),
        12: (HELD, {6: 12}),
        20: ({6: 20}, {6: 20}),
    },
    "gone": {4: (GONE, GONE), 12: (GONE, GONE), 20: (GONE, GONE)},
    # From 12 to 20, and killed before a checkpoint: nothing is done of it yet.
    "extending": {
        4: (None, SHORT),
        16: (OTHERWISE, {12: 16}),
        20: ({12: 20}, {12: 20}),
        24: ({12: 24}, {12: 24}),
    },
    # 16 of 20, of which 12 were the first run.
    "extended": {
        12: (None, SHORT),
        18: (OTHERWISE, {12: 20}),
        20: ({12: 20}, {12: 20}),
        24: (OTHERWISE, {12: 20}),
    },
}


@pytest.mark.parametrize("length", ["steps", "epochs"])
@pytest.mark.parametrize("name", TABLE)
def test_what_is_refused_leaves_a_run_as_it_is(state, name, length):
    path = state(name, length)
    done = {"begun": 0, "stopped": 6, "early": 6, "gone": 0, "extended": 16}.get(name, 12)

    def content():
        return {each: each.read_bytes() for each in path.rglob("*") if each.is_file()}

    before = content()
    for steps, results in TABLE[name].items():
        value = steps if length == "steps" else steps // 2
        for expected, more in zip(results, ({}, {"allow_changes": True}), strict=True):
            if isinstance(expected, dict):
                continue
            with pytest.raises(InputError) as error:
                go_on(path, length, value, **more)
            message = str(error.value)
            assert content() == before
            assert (expected or "") in message
            if expected == SHORT:
                assert f"`{FLAG[length]}`" in message
                assert f"{done} steps" in message
                assert f"Received: {value}" in message


@pytest.mark.parametrize("length", ["steps", "epochs"])
@pytest.mark.parametrize(
    ("name", "steps", "is_allowed"),
    [
        (name, steps, is_allowed)
        for name, row in TABLE.items()
        for steps, results in row.items()
        for is_allowed, expected in zip((False, True), results, strict=True)
        if isinstance(expected, dict)
    ],
)
def test_what_goes_on(state, name, length, steps, is_allowed):
    path = state(name, length)
    done = {"begun": 0, "stopped": 6, "early": 6, "extended": 16}.get(name, 12)
    expected = TABLE[name][steps][is_allowed]
    value = steps if length == "steps" else steps // 2
    more = {"allow_changes": True} if is_allowed else {}
    assert go_on(path, length, value, **more) == (done, expected)
    assert not (path / "metrics.json").exists()
    # Killed and started again, without --allow-changes.
    assert go_on(path, length, value) == (done, expected)
    assert json.loads((path / "config.json").read_text())[length] == value


@pytest.mark.parametrize("stop", ["metrics-step", "config.json"])
@pytest.mark.parametrize("name", ["finished", "early"])
def test_a_run_that_is_killed_while_it_is_extended(state, name, monkeypatch, stop):
    """Before its metrics are put aside, or before its options are written."""
    from keras_bert.training import run_directory

    path = state(name, "epochs")

    def stopped(*arguments):
        raise KeyboardInterrupt

    target = (
        (run_directory.os, "replace") if stop == "metrics-step" else (run_directory, "write_json")
    )
    with monkeypatch.context() as patch:
        patch.setattr(*target, stopped)
        with pytest.raises(KeyboardInterrupt):
            go_on(path, "epochs", 10)
    done = 12 if name == "finished" else 6
    assert go_on(path, "epochs", 10) == (done, {done: 20})


def test_what_was_let_through_is_said_and_kept(state, capsys):
    path = state("stopped", "steps")
    inputs = {"data": "y" * 3}
    with pytest.raises(InputError) as error:
        go_on(path, "steps", 12, inputs=inputs, seed=2)
    assert "(--seed: 1 -> 2)" in str(error.value)
    go_on(path, "steps", 12, inputs=inputs, seed=2, allow_changes=True)
    changes = ["--seed: 1 -> 2", "what --data names: x -> yyy"]
    assert f"lets through after step 6: {'; '.join(changes)}" in capsys.readouterr().err
    with RunDirectory(path, options_of("steps", 12, seed=2), length="steps") as run:
        run.create(inputs, total_steps=12)
        assert run.history() == {"changed": [{"step": 6, "changes": changes}]}
    assert "lets through" not in capsys.readouterr().err


def test_a_finished_run_of_an_earlier_version_can_be_extended(state):
    """It has no record, and its metrics say what was asked for."""
    path = state("finished", "steps")
    (path / "run.json").unlink()
    finish(path, 10)
    (path / "config.json").write_text(json.dumps(options_of("steps", 10)))
    for steps in (4, 10, 11):
        with pytest.raises(InputError, match=r"`--steps` must not .* done: .* 12 steps"):
            go_on(path, "steps", steps)
    with pytest.raises(InputError, match="holds a run already; choose"):
        go_on(path, "steps", 12)
    assert go_on(path, "steps", 20) == (12, {12: 20})


def test_a_damaged_record_is_named(state):
    path = state("stopped", "steps")
    for content in ("{", "{}", '{"inputs": {}, "total_steps": 1, "events": [{"a": 1}]}'):
        (path / "run.json").write_text(content)
        with pytest.raises(InputError, match=r"run.json: damaged"):
            go_on(path, "steps", 12)


def test_only_runs_that_know_their_length_can_be_extended(state):
    path = state("finished", "steps")
    with pytest.raises(InputError, match="holds a run already"):
        RunDirectory(path, options_of("steps", 20))
