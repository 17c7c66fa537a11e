"""Shards are bound to what they are made of: by any path the run goes on, or has been done."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from data_gen import engine
from data_gen.engine import generate
from data_gen.options import PretrainingDataOptions
from keras_bert.errors import InputError

# The lexicon of these few lines matches nothing, which is told.
pytestmark = pytest.mark.filterwarnings("ignore:.*--lexicon:keras_bert.errors.InputWarning")


@pytest.fixture
def place(corpus, vocabulary_file, tmp_path, monkeypatch):
    """A corpus of two files, a vocabulary and a lexicon, in the working directory."""
    monkeypatch.chdir(tmp_path)
    documents = corpus.read_text().split("\n\n")[:20]
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("\n\n".join(documents[:10]) + "\n")
    (tmp_path / "texts" / "b.txt").write_text("\n\n".join(documents[10:]) + "\n")
    (tmp_path / "phrases.txt").write_text("the cat\n")
    return tmp_path


def options(**changes):
    values = {
        "input": "texts/*.txt",
        "vocab": "vocab.txt",
        "output": "shards",
        "lexicon": "phrases.txt",
        "sequence_length": 32,
        "partition_bytes": 2000,
    }
    return PretrainingDataOptions(**{**values, **changes})


def begin(monkeypatch, state):
    """Makes the shards, or all but the last word that they are finished."""
    if state == "finished":
        generate(options())
        return

    def stop(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine, "write_manifest", stop)
        with pytest.raises(KeyboardInterrupt):
            generate(options())


def content(directory):
    return {path.name: path.read_bytes() for path in Path(directory).glob("shard-*")}


def times(directory="shards"):
    return {path.name: path.stat().st_mtime_ns for path in Path(directory).glob("shard-*")}


def absolute(place):
    return {name: f"{place}/{getattr(options(), name)}" for name in ("input", "vocab", "lexicon")}


def other_glob(place):
    return {"input": "./**/texts/[ab].*"}


def linked(place):
    (place / "link").symlink_to(place / "texts")
    (place / "words").symlink_to(place / "vocab.txt")
    return {"input": "link/*", "vocab": "words"}


def moved(place):
    (place / "deep").mkdir()
    for name in ("texts", "vocab.txt", "phrases.txt"):
        (place / name).rename(place / "deep" / name)
    (place / "shards").rename(place / "deep" / "shards-2")
    names = {"vocab": "deep/vocab.txt", "lexicon": "deep/phrases.txt"}
    return {"input": "deep/texts/*.txt", "output": "deep/shards-2", **names}


def copied(place):
    shutil.copytree(place / "texts", place / "copy")
    return {"input": "copy/?.txt", "workers": 1}


@pytest.mark.parametrize("spelled", [absolute, other_glob, linked, moved, copied])
@pytest.mark.parametrize("state", ["finished", "unfinished"])
def test_the_same_input_by_another_path(place, monkeypatch, capsys, state, spelled):
    begin(monkeypatch, state)
    before = times()
    chosen = options(**spelled(place))
    manifest = generate(chosen)
    assert len(manifest.shards) == len(before) > 2
    assert times(chosen.output) == before
    assert ("finished already" in capsys.readouterr().out) == (state == "finished")
    assert generate(chosen) == manifest


def change_text(place):
    path = place / "texts" / "b.txt"
    path.write_text(path.read_text().replace("the", "her", 1))
    return {}


def change_vocabulary(place):
    path = place / "vocab.txt"
    *lines, one, two = path.read_text().splitlines()
    path.write_text("\n".join([*lines, two, one]) + "\n")
    return {}


def change_lexicon(place):
    (place / "phrases.txt").write_text("the dog\n")
    return {}


def one_file_less(place):
    return {"input": "texts/a.txt"}


def no_lexicon(place):
    return {"lexicon": None}


def another_seed(place):
    return {"seed": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (change_text, "what --input names"),
        (one_file_less, "what --input names"),
        (change_vocabulary, "what --vocab names"),
        (change_lexicon, "what --lexicon names"),
        (no_lexicon, "what --lexicon names"),
        (another_seed, "--seed: 12345 -> 1"),
    ],
)
def test_another_content_is_refused_where_shards_are_finished(place, monkeypatch, change, words):
    begin(monkeypatch, "finished")
    before = content("shards")
    changes = change(place)
    with pytest.raises(InputError) as error:
        generate(options(**changes))
    assert "shards: finished shards exist already; remove them or choose another" in str(
        error.value
    )
    assert words in str(error.value)
    assert content("shards") == before


@pytest.mark.parametrize("change", [change_text, change_vocabulary, change_lexicon, no_lexicon])
def test_an_unfinished_run_makes_anew_what_another_content_makes(place, monkeypatch, change):
    begin(monkeypatch, "unfinished")
    before = times()
    changes = change(place)
    manifest = generate(options(**changes))
    assert manifest == generate(options(**changes, output="clean"))
    assert content("shards") == content("clean")
    kept = {name for name, time in times().items() if before.get(name) == time}
    # One of the files is as it was, but a vocabulary is for all.
    assert bool(kept) == (change is change_text)


def test_how_files_are_stored_does_not_matter_where_shards_stay_the_same(place, monkeypatch):
    begin(monkeypatch, "finished")
    for path in (place / "texts").iterdir():
        (place / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert generate(options(input="*.gz")) == generate(options())


def test_shards_of_an_earlier_version_are_refused_as_before(place, monkeypatch):
    begin(monkeypatch, "finished")
    path = place / "shards" / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["inputs"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="finished shards exist already; remove them or choose"):
        generate(options())
