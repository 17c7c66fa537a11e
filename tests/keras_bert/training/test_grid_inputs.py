"""A search goes on with what it began with, and takes no run of something else for one of its own.

No model is trained here.
"""

import dataclasses
import json
from pathlib import Path

import pytest

from keras_bert.atomic import write_json
from keras_bert.command_line import resolved
from keras_bert.errors import InputError
from keras_bert.training import finetune
from keras_bert.training.grid import search
from keras_bert.training.options import FinetuneOptions
from keras_bert.training.run_record import Input, RunRecord


class Stopped(BaseException):
    pass


@pytest.fixture
def search_in(tmp_path, monkeypatch):
    """A search for two runs, which can be stopped before one of them."""
    monkeypatch.setattr("keras.utils.clear_session", lambda **options: None)  # Takes a second.
    trained = []

    def call(*, data="data", digest="1", stop_before=None, grid=None, **changes):
        inputs = {"data": Input(digest), "init": Input("2")}

        def train(options):
            if len(trained) == stop_before:
                raise Stopped
            directory = Path(options.output)
            directory.mkdir(parents=True)
            (directory / "model").mkdir()
            write_json(directory / "config.json", resolved(options))
            digests = {name: each.digest for name, each in inputs.items()}
            RunRecord({**digests, "strategy": "one_device, 1 device"}).write(directory)
            metrics = {"dev": {"accuracy": options.learning_rate}}
            write_json(directory / "metrics.json", metrics)
            trained.append(options.learning_rate)
            return metrics

        path = tmp_path / "grid.json"
        path.write_text(json.dumps(grid or {"learning_rate": [0.1, 0.2]}))
        options = FinetuneOptions("classification", data, "init", f"{tmp_path}/runs", seed=1)
        options = dataclasses.replace(options, **{"grid": str(path), **changes})
        search(options, train, lambda options: inputs)
        return trained

    return call


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data": "/elsewhere/data"},
        {"data": "../data", "encoding": "utf8", "delimiter": "tab"},
        {"grid": {"learning_rate": [0.2, 0.1]}},
    ],
)
def test_a_search_goes_on_with_the_same_things(search_in, changes):
    with pytest.raises(Stopped):
        search_in(stop_before=1)
    assert search_in(**changes) == [0.1, 0.2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"digest": "9"}, "what --data names: 1 -> 9"),
        ({"grid": {"learning_rate": [0.1, 0.3]}}, "what --grid names"),
        ({"epochs": 9}, "--epochs: 3 -> 9"),
    ],
)
def test_a_search_of_other_things_is_refused(search_in, changes, words):
    with pytest.raises(Stopped):
        search_in(stop_before=1)
    with pytest.raises(InputError) as error:
        search_in(**changes)
    assert "begun otherwise" in str(error.value)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "run.json",
            {"inputs": {"data": "9"}, "total_steps": 1, "events": []},
            "what --data names",
        ),
        ("config.json", {"batch_size": 9}, "--batch-size: 9 -> 32"),
    ],
)
def test_a_finished_run_of_something_else_is_none_of_the_search(
    search_in, tmp_path, name, content, words
):
    with pytest.raises(Stopped):
        search_in(stop_before=1)
    path = tmp_path / "runs" / "learning_rate=0.1" / "seed=1" / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **content}))
    with pytest.raises(InputError) as error:
        search_in()
    assert f"{path.parent}: holds a run already, begun otherwise" in str(error.value)
    assert words in str(error.value)


def test_a_search_of_an_earlier_version_goes_on(search_in, tmp_path):
    with pytest.raises(Stopped):
        search_in(stop_before=1)
    for path in tmp_path.rglob("run.json"):
        path.unlink()
    with pytest.raises(InputError, match=r"--data: data -> \./data"):
        search_in(data="./data")
    assert search_in() == [0.1, 0.2]


@pytest.mark.parametrize("changes", [{}, {"epochs": 9}, {"restarts": 2}, {"allow_changes": True}])
def test_a_finished_search_cannot_go_on(search_in, changes):
    search_in()
    with pytest.raises(
        InputError, match="holds a run already, a finished search, whose runs keep no"
    ):
        search_in(**changes)


def test_the_command_tells_a_search_of_its_inputs(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        "keras_bert.training.grid.search",
        lambda options, train, inputs: seen.update(inputs(options)) or {},
    )
    for split in ("train", "dev"):
        rows = [{"text": text, "label": text} for text in "ab"]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    options = FinetuneOptions("classification", str(tmp_path), "none", "run", grid="paper")
    finetune.finetune(options)
    assert set(seen) == {"data", "init"}
