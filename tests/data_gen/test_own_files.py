"""What commands wrote is never read as text, under any name."""

import dataclasses
import gzip
import json
import os
from pathlib import Path

import pytest
import yaml

from data_gen.__main__ import main
from data_gen.deduplication import deduplicate
from data_gen.engine import generate
from data_gen.options import (
    DeduplicationOptions,
    PretrainingDataOptions,
    ReportOptions,
    VocabularyOptions,
)
from data_gen.report_writer import write_report
from data_gen.sources import Corpus
from data_gen.vocabulary import learn
from keras_bert.errors import InputError, InputWarning
from tests.conftest import WORDS

TEXT = "\n\n".join(" ".join(WORDS[start : start + 9]) + "." for start in range(0, 90, 9)) + "\n"
SHARDS = {"sequence_length": 32, "objective": "full_sentences"}


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def learned(pattern, output, **changes):
    options = VocabularyOptions(str(pattern), str(output), size=200, **changes)
    return learn(options).tokens


def test_a_vocabulary_is_not_learned_again(text, tmp_path):
    output = tmp_path / "vocab.txt"
    first = learned(tmp_path / "*.txt", output)
    for more in ("copy.txt", "vocab-2.txt"):
        (tmp_path / more).write_bytes(output.read_bytes())
    os.symlink(output, tmp_path / "link.txt")
    os.link(output, tmp_path / "hard.txt")
    with gzip.open(tmp_path / "packed.txt", "wb") as file:
        file.write(output.read_bytes())
    with pytest.warns(InputWarning, match=r"left out 7 files .*copy.txt \(a vocabulary\)") as told:
        assert learned(tmp_path / "*", output) == first
    assert len(told) == 1
    # By its name alone it is meant, and wrong.
    with pytest.raises(InputError, match=r"must name text of a corpus.*vocab.txt \(a vocabulary\)"):
        learned(output, tmp_path / "other.txt")


@pytest.mark.parametrize("kind", ["itself", "link", "hard link"])
def test_text_is_not_written_over(kind, text, tmp_path, capsys):
    output = text
    if kind != "itself":
        output = tmp_path / "other"
        (os.symlink if kind == "link" else os.link)(text, output)
    for pattern in (text, tmp_path / "*.txt"):
        arguments = ["vocab", f"--input={pattern}", f"--output={output}", "--size=200"]
        assert main(arguments) == 2
        line = capsys.readouterr().err.strip().split("\n")[-1]
        assert line.startswith("error: `--output` must not be a file of `--input`")
        assert str(output) in line
        assert text.read_text() == TEXT


@pytest.fixture
def everything(text, tmp_path):
    """A directory in which every command has written, with the text at its top."""
    output = tmp_path / "vocab.txt"
    learned(text, output)
    shards = tmp_path / "out" / "shards"
    generate(PretrainingDataOptions(str(text), str(output), str(shards), **SHARDS))
    write_report(ReportOptions(str(shards), samples=1))
    write_report(ReportOptions(str(shards), str(tmp_path / "page"), samples=1))
    deduplicate(DeduplicationOptions(str(text), str(tmp_path / "clean")))
    run = tmp_path / "runs" / "a"
    (run / "model").mkdir(parents=True)
    (run / "config.json").write_text(json.dumps({"data": "shards", "output": str(run)}))
    (run / "metrics.json").write_text('{"loss": 1.0}')
    (run / "model" / "model.safetensors").write_bytes(bytes(100))
    unfinished = tmp_path / "unfinished"
    (unfinished / ".unfinished").mkdir(parents=True)
    (unfinished / "shard-00000-00000.tfrecord").write_bytes(bytes(50))
    options = dataclasses.asdict(VocabularyOptions("*.txt", "vocab.txt"))
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(options))
    return tmp_path


def paths_of(corpus):
    return [Path(source.name).name for source in corpus.sources]


def test_of_everything_the_text_alone_is_read(everything, text):
    pattern = f"{everything}/**"
    with pytest.warns(InputWarning, match=r"`--input`: left out \d+ files"):
        corpus = Corpus(pattern)
    assert paths_of(corpus) == ["text.txt"]
    # Clean text by itself is text.
    with pytest.warns(InputWarning, match=r"config.json.*report.json"):
        corpus = Corpus(f"{everything}/clean/*")
    assert paths_of(corpus) == ["text-00000.txt.gz"]
    assert paths_of(Corpus(f"{everything}/clean/*.gz")) == ["text-00000.txt.gz"]
    with pytest.raises(InputError, match=r"must name text of a corpus.*in a directory of shards"):
        Corpus(f"{everything}/out/shards/*")


def test_what_a_run_reads_for_another_reason_is_no_text(text, tmp_path):
    # Neither looks like what it is.
    vocabulary, lexicon = tmp_path / "words.txt", tmp_path / "phrases.txt"
    tokens = learned(text, tmp_path / "vocab.tmp")
    vocabulary.write_text("\n".join(sorted(tokens)) + "\n")
    lexicon.write_text("\n".join(WORDS[:5]) + "\n")
    options = PretrainingDataOptions(
        f"{tmp_path}/*.txt", str(vocabulary), str(tmp_path / "out"), lexicon=str(lexicon), **SHARDS
    )
    with pytest.warns(InputWarning, match=r"left out 2 .*--lexicon.*--vocab"):
        manifest = generate(options)
    assert manifest.statistics["documents"] == 10


def test_a_second_run_reads_what_the_first_one_read(text, tmp_path):
    learned(text, tmp_path / "vocab.txt")
    for name in ("first", "second"):
        output = tmp_path / name
        options = PretrainingDataOptions(
            f"{tmp_path}/**", str(tmp_path / "vocab.txt"), str(output), **SHARDS
        )
        with pytest.warns(InputWarning, match="left out"):
            assert generate(options).statistics["documents"] == 10


def test_one_file_by_two_names_is_read_once(text, tmp_path):
    os.symlink(text, tmp_path / "zlink.txt")
    os.link(text, tmp_path / "zhard.txt")
    with pytest.warns(InputWarning, match=r"left out 2 .*another name of .*text.txt"):
        corpus = Corpus(f"{tmp_path}/*.txt")
    assert paths_of(corpus) == ["text.txt"]


def test_files_of_the_user_stay(tmp_path):
    for name, content in {
        "config.json": '{"text": "a"}\n',
        "a.yaml": "output: the word\n",
        "report.json": '{"text": "b"}\n',
        "b.txt": "[CLS] begins\n",
        "c.txt": "[PAD] is a token\n",
    }.items():
        (tmp_path / name).write_text(content)
    assert len(paths_of(Corpus(f"{tmp_path}/*"))) == 5


def test_a_report_replaces_no_shards(everything, capsys):
    shards = everything / "out" / "shards"
    assert main(["report", str(shards), f"--output={shards}"]) == 2
    assert "must be new or an earlier report" in capsys.readouterr().err
