"""Runs are bound to what their inputs are: by any path they go on, and not with another content."""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.models.encoder import BertEncoder
from keras_bert.records import read_manifest
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.registry import task_named
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.training import finetune, pretrain
from keras_bert.training import inputs as sources
from keras_bert.training.checkpoint_directory import Snapshot, write_checkpoint
from keras_bert.training.options import NAMED, FinetuneOptions, PretrainOptions
from keras_bert.training.provenance import fingerprint
from keras_bert.training.run_directory import RunDirectory
from tests.keras_bert.training.stopping import write_rows, write_shards


@pytest.fixture(scope="module")
def encoder(tiny_config):
    return BertEncoder(tiny_config)


@pytest.fixture(scope="module")
def template(tmp_path_factory, vocabulary, tiny_config, encoder):
    directory = tmp_path_factory.mktemp("inputs")
    for name, length in (("short", 16), ("long", 24), ("other", 16)):
        write_shards(directory / name, vocabulary, length=length, count=3)
    (directory / "model.json").write_text(json.dumps(tiny_config.to_dict()))
    encoder.save_checkpoint(directory / "init", tokenizer=BertTokenizer(vocabulary))
    (directory / "init" / "1_Pooling").mkdir()
    (directory / "init" / "1_Pooling" / "config.json").write_text('{"mean": true}')
    write_rows(directory / "rows")
    (directory / "labels.txt").write_text("a\nb\n")
    return directory


@pytest.fixture
def place(template, tmp_path, monkeypatch):
    """Everything that options name, in the working directory."""
    shutil.copytree(template, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def shards(path):
    return sources.shards_input(path, read_manifest(path))


def config(path):
    return sources.config_input(BertConfig.from_file(path), path)


def rows(path):
    task = task_named("classification")
    labels = task.labels(path)
    splits = {split: task.read(path, split, labels=labels) for split in ("train", "dev")}
    return sources.examples_input(path, labels, splits)


def change_shards(path):
    """As if they had been made anew of another text, with as many bytes."""
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["shards"][0]["sha256"] = "0" * 64
    (path / "manifest.json").write_text(json.dumps(manifest))


def change_config(path):
    path.write_text(path.read_text().replace('"dropout": 0.1', '"dropout": 0.2'))


def change_weights(path):
    content = bytearray((path / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (path / "model.safetensors").write_bytes(content)


def change_rows(path):
    text = (path / "dev.jsonl").read_text()
    (path / "dev.jsonl").write_text(text.replace("the cat", "the dog", 1))


@dataclasses.dataclass(frozen=True)
class Named:
    """What an option names, how it is read, and how another content comes about."""

    path: str
    read: Callable
    change: Callable


INPUTS = {
    "data": Named("short", shards, change_shards),
    "long_data": Named("long", shards, change_shards),
    "validation": Named("short", shards, change_shards),
    "model": Named("model.json", config, change_config),
    "init": Named("init", sources.checkpoint_input, change_weights),
    "task_data": Named("rows", rows, change_rows),
}


def same(path):
    return str(path.name)


def absolute(path):
    return str(path)


def dotted(path):
    return f"./{path.name}" if path.is_file() else f"short/../{path.name}/"


def moved(path):
    (path.parent / "elsewhere").mkdir()
    return str(path.rename(path.parent / "elsewhere" / f"other-{path.name}"))


def copied(path):
    copy = shutil.copytree if path.is_dir() else shutil.copyfile
    return str(copy(path, path.with_name(f"copy-{path.name}")))


def linked(path):
    link = path.with_name(f"link-{path.name}")
    link.symlink_to(path)
    return link.name


def from_elsewhere(path):
    (path.parent / "deep" / "er").mkdir(parents=True)
    os.chdir(path.parent / "deep" / "er")
    return f"../../{path.name}"


def begin(run, options, inputs, named=None):
    """Begins a run, or goes on with one, as a command does."""
    named = {name: (name,) for name in INPUTS} if named is None else named
    with RunDirectory(run, options, defaults={"labels": None}, named=named) as directory:
        directory.create(inputs)
        return directory.saved and directory.saved[1]["step"]


@pytest.mark.parametrize("spelled", [same, absolute, dotted, moved, copied, linked, from_elsewhere])
@pytest.mark.parametrize("name", INPUTS)
def test_a_run_is_bound_to_what_its_inputs_are(place, name, spelled):
    what = INPUTS[name]
    run = place / "run"
    begin(run, {name: what.path, "seed": 1}, {name: what.read(what.path)})
    path = spelled(place / what.path)
    begin(run, {name: path, "seed": 1}, {name: what.read(path)})
    assert json.loads((run / "config.json").read_text())[name] == path
    # The run can be moved too.
    run = run.rename(place / "run-2")
    begin(run, {name: path, "seed": 1}, {name: what.read(path)})
    # And another content is refused, under whatever path.
    changed = Path(path).resolve()
    what.change(changed)
    flag = f"--{name.replace('_', '-')}"
    with pytest.raises(InputError, match=rf"begun otherwise \(what {flag} names: \w+... -> "):
        begin(run, {name: path, "seed": 1}, {name: what.read(path)})
    os.chdir(place)
    changed = copied(changed)
    with pytest.raises(InputError) as error:
        begin(run, {name: changed, "seed": 1}, {name: what.read(changed)})
    assert f"{flag}: {path} -> {changed}; what {flag} names: " in str(error.value)
    begin(run, {name: changed, "seed": 1, "allow_changes": True}, {name: what.read(changed)})
    begin(run, {name: changed, "seed": 1}, {name: what.read(changed)})


@pytest.mark.parametrize("name", ["long_data", "validation", "init"])
def test_what_is_given_now_or_no_longer_is_refused(place, name):
    what = INPUTS[name]
    given, nothing = {name: what.read(what.path)}, {name: sources.NOTHING}
    for first, path, then, now in (
        (given, what.path, nothing, None),
        (nothing, None, given, what.path),
    ):
        run = place / f"run-{path}"
        begin(run, {name: path}, first)
        with pytest.raises(InputError, match=rf"--{name.replace('_', '-')}: {path} -> {now}; what"):
            begin(run, {name: now}, then)


def test_shards_are_told_by_their_content(place):
    before = shards("short").digest
    path = place / "short" / "manifest.json"
    manifest = json.loads(path.read_text())
    # Written otherwise, made from another place: the same.
    path.write_text(json.dumps({**manifest, "settings": {"input": "/x"}, "statistics": {"a": 1}}))
    assert shards("short").digest == before
    for change in (
        {"lowercase": False},
        {"vocabulary_sha256": "1"},
        {"shards": manifest["shards"][::-1]},
        {"objective": "sop"},
    ):
        path.write_text(json.dumps({**manifest, **change}))
        assert shards("short").digest != before, change


def test_networks_are_told_by_their_shape(place, tiny_config):
    before = config("model.json").digest
    (place / "hub.json").write_text(json.dumps(tiny_config.to_hugging_face()))
    assert config("hub.json").digest == before
    named = BertConfig.from_name("tiny", vocabulary_size=99)
    (place / "named.json").write_text(json.dumps(named.to_dict()))
    assert config("named.json").digest == sources.config_input(named, "tiny").digest != before


def test_checkpoints_are_told_by_what_is_read_of_them(place, encoder):
    folder = place / "init"
    before = sources.checkpoint_input(folder).digest
    (folder / ".git").mkdir()
    (folder / "gone.json").symlink_to("nowhere")
    others = ("README.md", ".DS_Store", "pytorch_model.bin", "tf_model.h5", ".git/config.json")
    for name in others:
        (folder / name).write_text("more")
    assert sources.checkpoint_input(folder).digest == before
    (folder / "1_Pooling" / "config.json").write_text("{}")
    assert sources.checkpoint_input(folder).digest != before
    before = sources.checkpoint_input(folder).digest
    (folder / "assets" / "tokenizer").mkdir(parents=True)
    (folder / "assets" / "tokenizer" / "vocabulary.txt").write_text("[PAD]")
    assert sources.checkpoint_input(folder).digest != before
    # An address of something to download is all that is known of it.
    names = ("kaggle://keras/bert/a", "kaggle://keras/bert/b")
    addresses = {sources.checkpoint_input(name).digest for name in names}
    assert len(addresses) == 2


def test_one_of_several_checkpoints_is_told_from_the_others(place):
    folder = place / "google"
    folder.mkdir()
    (folder / "bert_config.json").write_text("{}")
    for step in (1, 2):
        (folder / f"model.ckpt-{step}.index").write_text(str(step))
        (folder / f"model.ckpt-{step}.data-00000-of-00001").write_text(str(step))
    first, second = (
        sources.checkpoint_input(folder / f"model.ckpt-{step}").digest for step in (1, 2)
    )
    assert first != second
    # By the name of one of its files, alone in the folder, and under another name.
    assert sources.checkpoint_input(folder / "model.ckpt-1.index").digest == first
    for path in folder.glob("model.ckpt-2*"):
        path.unlink()
    assert sources.checkpoint_input(folder).digest == first
    for path in folder.glob("model.ckpt-1*"):
        path.rename(folder / path.name.replace("model.ckpt-1", "bert_model.ckpt"))
    assert sources.checkpoint_input(folder).digest == first


def test_data_of_a_task_are_told_by_their_examples(place):
    before = rows("rows").digest
    # Other files beside them, and the same rows as a table.
    (place / "rows" / "test.jsonl").write_text("{}")
    assert rows("rows").digest == before
    for split in ("train", "dev"):
        path = place / "rows" / f"{split}.jsonl"
        table = [json.loads(line) for line in path.read_text().splitlines()]
        lines = ["text\tlabel", *(f"{row['text']}\t{row['label']}" for row in table)]
        path.with_suffix(".tsv").write_text("\n".join(lines))
        path.unlink()
    assert rows("rows").digest == before


@pytest.mark.parametrize(
    "other",
    [
        Examples({"text": ["b", "a"]}, [1, 0]),
        Examples({"text": ["a", "b"]}, [1, 1]),
        Examples({"text": ["a", "b"]}),
        Examples({"question": ["a", "b"]}, [1, 0]),
        Examples({"text": ["a", "b"]}, [1, 0], ids=["x", "y"]),
        Examples({"text": ["ab", ""]}, [1, 0]),
    ],
)
def test_examples_are_told_by_everything_in_them(other):
    examples = Examples({"text": ["a", "b"]}, [1, 0])
    assert examples.sha256 == Examples({"text": ["a", "b"]}, [1, 0], ids=["0", "1"]).sha256
    assert other.sha256 != examples.sha256


def test_examples_of_every_kind_have_a_fingerprint():
    columns = {"words": [["a", "\ud800"]], "choices": [np.array([1])], "more": [{"a": np.int64(1)}]}
    assert Examples(columns, [{2, 1}]).sha256 == Examples(columns, [frozenset((1, 2))]).sha256


def test_how_files_are_written_may_change_where_the_examples_do_not(place):
    run, named = place / "run", NAMED
    options = {"data": "rows", "delimiter": None, "encoding": "utf-8", "labels": None, "seed": 1}
    inputs = {"data": rows("rows")}
    begin(run, options, inputs, named)
    begin(run, {**options, "delimiter": "tab", "labels": "labels.txt"}, inputs, named)
    other = {"data": sources.examples_input("rows", ("b", "a"), {})}
    with pytest.raises(InputError) as error:
        begin(run, {**options, "labels": "b,a"}, other, named)
    assert "--labels: labels.txt -> b,a; what --data names" in str(error.value)


def test_every_option_that_names_something_is_bound_to_it():
    """A path that is an option of its own would bind to its spelling."""
    values = {"output", "mix", "task", "columns", "profile_steps", "grid"}
    for options, named in (
        (PretrainOptions, dict.fromkeys(pretrain._NAMED, ())),
        (FinetuneOptions, NAMED),
    ):
        covered = {option for name, names in named.items() for option in (name, *names)}
        fields = dataclasses.fields(options)
        texts = {field.name for field in fields if field.type in (str, str | None)}
        assert texts - covered <= values


@pytest.fixture
def earlier_run(place, encoder):
    """A stopped run of a version without `run.json`, whose options had to be spelled the same."""
    options = {"data": "short", "init": "init", "strategy": "auto", "steps": 9, "seed": 1}
    inputs = {
        "data": fingerprint("short/manifest.json"),
        "init": fingerprint("init"),
        "strategy": "1 device",
    }
    run = place / "run"
    begin(run, options, inputs)
    (run / "run.json").unlink()
    facts = {"event_files": {}, "options": options, "defaults": {}, "inputs": inputs}
    with RunDirectory(run, options) as directory:
        facts["versions"] = directory.description()["versions"]
    snapshot = Snapshot(3, Checkpoint.of(encoder), {"a": np.zeros(1)}, facts)
    write_checkpoint(run / "checkpoints", snapshot, keep=0)
    return run, options


def test_a_run_of_an_earlier_version_goes_on(place, earlier_run):
    run, options = earlier_run
    with pytest.raises(InputError, match=r"begun otherwise \(--data: short -> ./short\)"):
        begin(run, {**options, "data": "./short"}, {"data": shards("short")})
    change_weights(place / "init")
    inputs = {"data": shards("short"), "init": sources.checkpoint_input("init")}
    with pytest.raises(InputError, match=r"begun otherwise \(what --init names: "):
        begin(run, options, inputs)
    change_weights(place / "init")
    inputs = {"data": shards("short"), "init": sources.checkpoint_input("init")}
    with RunDirectory(run, options, named={"data": ("data",), "init": ("init",)}) as directory:
        directory.create(inputs)
        assert directory.saved[1]["step"] == 3
        directory.begin()
    # From now on it is bound to what they are.
    inputs = {"data": shards("./short"), "init": sources.checkpoint_input(place / "init")}
    moved_options = {**options, "data": "./short", "init": str(place / "init")}
    assert begin(run, moved_options, inputs) == 3


def test_commands_tell_runs_of_all_their_inputs(place, monkeypatch):
    """What reaches the run directory has a fingerprint for all that is given."""
    found = {}

    class CreatedError(Exception):
        pass

    def create(self, inputs, total_steps):
        found.update({name: each.digest for name, each in inputs.items()}, total=total_steps)
        raise CreatedError

    monkeypatch.setattr(RunDirectory, "create", create)
    options = PretrainOptions(
        *("short", "run", "model.json"),
        validation="other",
        long_data="long",
        steps=10,
        batch_size=4,
        warmup_steps=0,
    )
    with pytest.raises(CreatedError):
        pretrain.pretrain(options)
    assert found.pop("total") == 10
    assert set(found) == set(pretrain._NAMED)
    assert found.pop("init") is None
    assert found.pop("strategy") == "one_device, 1 device"
    assert len(set(found.values())) == 4 - (found["data"] == found["validation"])
    found.clear()
    options = FinetuneOptions("classification", "rows", "init", "run", epochs=2, batch_size=8)
    with pytest.raises(CreatedError):
        finetune.finetune(options)
    assert found.pop("total") == 10
    assert found.pop("strategy") == "one_device, 1 device"
    init = sources.checkpoint_input("init").digest
    assert found == {"data": rows("rows").digest, "init": init}
