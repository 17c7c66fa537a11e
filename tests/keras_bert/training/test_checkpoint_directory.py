import json
import re
import shutil

import numpy as np
import pytest

from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.errors import InputError
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.training.background_writer import BackgroundWriter
from keras_bert.training.checkpoint_directory import (
    Snapshot,
    newest_checkpoint,
    read_arrays,
    write_checkpoint,
)
from keras_bert.training.event_files import cut_event_files, event_file_sizes
from keras_bert.training.run_directory import RunDirectory


@pytest.fixture(scope="module")
def weights(tiny_config):
    return Checkpoint.of(BertPretrainer(tiny_config))


@pytest.fixture
def checkpoints(tmp_path, weights):
    """Checkpoints of steps 2 and 3; one of step 1 was not kept."""
    for step in (1, 2, 3):
        arrays = {"seeds/0000": np.array([step, 7], "uint32")}
        write_checkpoint(tmp_path / "c", Snapshot(step, weights, arrays, {"a": step}), keep=2)
    return tmp_path / "c"


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_the_newest_checkpoint_is_found(checkpoints):
    assert names(checkpoints) == ["step-00000002", "step-00000003"]
    warnings = []
    path, state = newest_checkpoint(checkpoints, warn=warnings.append)
    assert (path.name, state["step"], state["a"]) == ("step-00000003", 3, 3)
    np.testing.assert_array_equal(read_arrays(path)["seeds/0000"], [3, 7])
    assert not warnings
    assert newest_checkpoint(checkpoints / "none", warn=warnings.append) is None


def test_the_best_checkpoint_is_kept(checkpoints, weights):
    for step in (4, 5, 6):
        snapshot = Snapshot(step, weights, {"seeds/0000": np.zeros(2, "uint32")}, {})
        write_checkpoint(checkpoints, snapshot, keep=1, best=3)
    assert names(checkpoints) == ["step-00000003", "step-00000006"]


def truncate(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip, lambda path: path.unlink()])
@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "config.json",
        "training_state.json",
        "training_state.safetensors",
        "checksums.json",
    ],
)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(checkpoints, name, damage):
    damage(checkpoints / "step-00000003" / name)
    warnings = []
    path, state = newest_checkpoint(checkpoints, warn=warnings.append)
    assert (path.name, state["step"]) == ("step-00000002", 2)
    (warning,) = warnings
    assert f"{checkpoints / 'step-00000003'}: damaged checkpoint: " in warning
    assert warning.endswith(f"going on from {path}")
    assert names(checkpoints) == ["damaged-step-00000003", "step-00000002"]
    # Found whole the next time, without a word.
    assert newest_checkpoint(checkpoints, warn=warnings.append)[0] == path
    assert len(warnings) == 1


def test_a_checkpoint_names_its_own_files_alone(checkpoints):
    path = checkpoints / "step-00000003" / "checksums.json"
    path.write_text(
        json.dumps({**json.loads(path.read_text()), "../step-00000002/config.json": "0"})
    )
    warnings = []
    assert newest_checkpoint(checkpoints, warn=warnings.append)[0].name == "step-00000002"
    assert "../step-00000002" in warnings[0]


def test_no_whole_checkpoint_is_an_error(checkpoints):
    for path in checkpoints.iterdir():
        flip(path / "training_state.safetensors")
    before = names(checkpoints)
    with pytest.raises(InputError, match=r"step-00000003: damaged checkpoint: .* no other"):
        newest_checkpoint(checkpoints, warn=print)
    assert names(checkpoints) == before


def test_the_writer_reports_an_error_once():
    def fail():
        raise OSError("no space")

    writer = BackgroundWriter()
    writer.submit(fail)
    with pytest.raises(OSError, match="no space"):
        writer.wait()
    writer.check()
    done = []
    with writer:
        writer.submit(lambda: done.append(1))
        writer.submit(lambda: done.append(2))
    assert done == [1, 2]


def test_event_files_are_cut_to_earlier_sizes(tmp_path):
    (tmp_path / "plugins").mkdir()
    for name in ("a.tfevents.1", "b.tfevents.1", "plugins/trace"):
        (tmp_path / name).write_bytes(b"1234")
    sizes = {**event_file_sizes(tmp_path), "b.tfevents.1": 0}
    (tmp_path / "a.tfevents.1").write_bytes(b"12345678")
    (tmp_path / "c.tfevents.1").write_bytes(b"1")
    cut_event_files(tmp_path, sizes)
    assert names(tmp_path) == ["a.tfevents.1", "plugins"]
    assert (tmp_path / "a.tfevents.1").read_bytes() == b"1234"
    assert (tmp_path / "plugins" / "trace").exists()


def test_a_run_directory_knows_its_own(tmp_path):
    path = tmp_path / "run"
    with RunDirectory(path, {"steps": 1, "keep_checkpoints": 1}) as run:
        run.create({"data": "x"})
        with (
            pytest.raises(InputError, match="another process is training here"),
            RunDirectory(path, {"steps": 1, "keep_checkpoints": 1}),
        ):
            pass
    changed = {"steps": 2, "keep_checkpoints": 9}
    with pytest.raises(InputError, match=r"begun otherwise \(--steps: 1 -> 2\)"):
        RunDirectory(path, changed).__enter__()
    with RunDirectory(path, {**changed, "allow_changes": True}) as run:
        run.create({"data": "y"})
    with RunDirectory(path, {**changed, "keep_checkpoints": 3}) as run:
        run.create({"data": "y"})
    (path / "config.json").write_text("{")
    with pytest.raises(InputError, match="damaged configuration of a run"):
        RunDirectory(path, changed).__enter__()
    (path / "config.json").write_text('{"vocab_size": 3}')
    with pytest.raises(InputError, match="not the configuration of such a run"):
        RunDirectory(path, changed).__enter__()
    shutil.rmtree(path)
    path.write_text("a file")
    with pytest.raises(InputError, match="must be a directory"):
        RunDirectory(path, changed)


OPTIONS = {"steps": 9, "seed": 1, "rate": 0.1, "output": "run", "data": "shards", "units": "token"}
DEFAULTS = {"seed": 1, "rate": 0.1, "units": "token"}


def begun(path, weights, options, defaults=None):
    """A stopped run of another version, with a checkpoint that says what `options` say."""
    with RunDirectory(path, options, defaults=defaults) as run:
        run.create({"data": "x"})
        facts = {"event_files": {}, **run.description()}
        write_checkpoint(run.checkpoints, Snapshot(3, weights, {"a": np.zeros(1)}, facts), keep=0)


@pytest.mark.parametrize(
    ("earlier", "known_defaults", "given", "refusal"),
    [
        # An option that is gone, of a version that wrote no defaults; at its default; and not.
        ({"stride": 4}, {}, {}, None),
        ({"stride": 4}, {"stride": 4}, {}, None),
        ({"stride": 4}, {"stride": 2}, {}, "--stride: 4 -> no option"),
        # Under a new name, with a value that is no default, or another one.
        ({"-rate": None, "learning_rate": 0.5}, {"learning_rate": 0.1}, {"rate": 0.5}, None),
        ({"-rate": None, "learning_rate": 0.5}, {}, {"rate": 0.7}, "--rate: 0.1 -> 0.7"),
        # A new one, at its default and not.
        ({"-units": None}, {}, {}, None),
        ({"-units": None}, {}, {"units": "word"}, "--units: token -> word"),
        # What does not bind, and a required one that the run did not know.
        ({"sample_steps": 3}, {"sample_steps": 1}, {}, None),
        ({"-data": None}, {}, {}, None),
    ],
)
def test_a_run_of_another_version_goes_on(
    tmp_path, weights, capsys, earlier, known_defaults, given, refusal
):
    path = tmp_path / "run"
    old = {**OPTIONS, **earlier}
    for name in [name for name in old if name.startswith("-")]:
        del old[name], old[name[1:]]
    begun(path, weights, old, known_defaults)
    new = {**OPTIONS, **given}
    lost = [name for name in old if name not in new]

    def go_on(options):
        with RunDirectory(path, options, defaults=DEFAULTS) as run:
            # An input that this version looks at and the other did not.
            run.create({"data": "x", "validation": "y"})
            assert run.saved[1]["step"] == 3

    if refusal:
        with pytest.raises(InputError, match=rf"begun otherwise \({re.escape(refusal)}\)"):
            go_on(new)
        new = {**new, "allow_changes": True}
    go_on(new)
    lines = capsys.readouterr().err.splitlines()
    warnings = [line for line in lines if "no option for" in line]
    assert all(f"--{name.replace('_', '-')} {old[name]}" in warnings[0] for name in lost)
    assert bool(warnings) == bool(lost)
    assert any(f"lets through after step 3: {refusal}" in line for line in lines) == bool(refusal)


def test_the_run_of_another_command_is_refused(tmp_path, weights):
    path = tmp_path / "run"
    begun(path, weights, {"task": "a", "init": "b", "epochs": 3, "output": "run", "stride": 4})
    with pytest.raises(InputError, match="not the configuration of such a run"):
        RunDirectory(path, OPTIONS, defaults=DEFAULTS).__enter__()
