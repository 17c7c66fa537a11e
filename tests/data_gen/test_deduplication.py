import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from data_gen.__main__ import main
from data_gen.deduplication import deduplicate
from data_gen.documents import Document
from data_gen.options import DeduplicationOptions
from data_gen.sources import Corpus
from data_gen.text_writer import TextWriter
from keras_bert.errors import InputError

WORDS = [f"word{n}" for n in range(500)]


def paragraph(rng, words=40):
    return " ".join(rng.choices(WORDS, k=words))


@pytest.fixture
def run(tmp_path):
    def deduplicated(documents, output="out", **options):
        path = tmp_path / "corpus.txt"
        path.write_text("\n\n".join("\n".join(document) for document in documents))
        counts = deduplicate(DeduplicationOptions(str(path), str(tmp_path / output), **options))
        return counts, [document.paragraphs for document in Corpus(f"{tmp_path / output}/*.gz")]

    return deduplicated


def test_exact_duplicates_and_short_paragraphs(run, tmp_path):
    rng = random.Random(0)
    a, b, c = (paragraph(rng) for _ in range(3))
    documents = [[a, "* * *", b, "* * *"], [a.replace(" ", "  "), b], [c, a, "* * *", a.upper()]]
    counts, kept = run(documents)
    assert kept == [[a, "* * *", b, "* * *"], [c, "* * *", a.upper()]]
    assert (counts.documents, counts.paragraphs, counts.exact_duplicates) == (3, 10, 3)
    assert (counts.documents_written, counts.paragraphs_written) == (2, 7)
    assert counts.near_duplicates == 0
    assert counts.bytes_written == sum(len(text) for document in kept for text in document)
    output = tmp_path / "out"
    report = json.loads((output / "report.json").read_text())
    assert report["files"] == ["text-00000.txt.gz"]
    assert report["exact_duplicates"] == 3
    assert {path.name for path in output.iterdir()} == {
        "config.json",
        "report.json",
        "text-00000.txt.gz",
    }
    # Nothing is left beside it.
    assert {path.name for path in tmp_path.iterdir()} == {"corpus.txt", "out"}
    _, kept = run(documents, "all", minimum_characters=0)
    assert kept == [[a, "* * *", b], [c, a.upper()]]


def test_near_duplicates(run):
    rng = random.Random(1)
    first, other = paragraph(rng, 200), paragraph(rng, 200)
    words = first.split()
    near = " ".join([*words[:100], "another", *words[101:]])  # 5 of 196 runs differ
    half = " ".join([*words[:100], *other.split()[:100]])
    counts, kept = run([[first], [near.upper() + "!", half], [other], [first]], near=True)
    assert kept == [[first], [half], [other]]
    assert (counts.exact_duplicates, counts.near_duplicates) == (1, 1)
    counts, kept = run([[first], [near]], "strict", near=True, threshold=1.0)
    assert kept == [[first], [near]]


def test_near_duplicates_without_spaces(run):
    rng = random.Random(2)
    text = "".join(chr(rng.randint(0x4E00, 0x9FA5)) for _ in range(200))
    other = "".join(chr(rng.randint(0x4E00, 0x9FA5)) for _ in range(200))
    near = text[:100] + "好" + text[101:]
    _, kept = run([[text], [near, other]], near=True)
    assert kept == [[text], [other]]


def test_paragraphs_without_words_are_compared_as_they_are(run):
    lines = [["-" * 80], ["=" * 80, "-" * 80]]
    assert run(lines, near=True)[1] == [["-" * 80], ["=" * 80]]


def test_recall_of_near_duplicates(run):
    rng = random.Random(3)
    originals = [paragraph(rng, 120).split() for _ in range(60)]
    copies = [[*words[:50], "x", *words[51:]] for words in originals]  # similarity .92
    documents = [[" ".join(words)] for words in originals + copies]
    counts, kept = run(documents, near=True)
    assert counts.near_duplicates >= 59
    assert kept[:60] == documents[:60]


def test_units_stay_with_their_text(tmp_path):
    long = "我爱北京" * 20
    rows = [
        {"text": f"{long}\n好 a", "spans": [[2, 4], [81, 82]]},
        {"text": f"{long}\n他说 🗼 b", "spans": [[81, 83], [84, 85]]},
        {"text": "plain"},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    deduplicate(DeduplicationOptions(str(tmp_path / "a.jsonl"), str(tmp_path / "out")))
    assert list(Corpus(f"{tmp_path}/out/*.gz")) == [
        Document([long, "好 a"], [[(2, 4)], [(0, 1)]]),
        Document(["他说 🗼 b"], [[(0, 2), (3, 4)]]),
        Document(["plain"]),
    ]


def test_files_have_bounded_size_and_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("data_gen.text_writer.MAXIMUM_FILE_BYTES", 20)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        with TextWriter(tmp_path / name) as writer:
            for n in range(7):
                writer.write(Document([f"number {n}"], [[(0, 6)]] if n == 3 else None))
        assert set(writer.files) == {
            *("text-00000.txt.gz", "text-00001.txt.gz", "text-00002.txt.gz"),
            "text-00000.jsonl.gz",
        }
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(writer.files)
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    content = gzip.decompress((tmp_path / "a" / "text-00000.txt.gz").read_bytes())
    assert content == b"number 0\n\nnumber 1\n\n"


def test_command_line(corpus, tmp_path, capsys):
    arguments = ["deduplicate", f"--input={corpus}", f"--output={tmp_path / 'out'}", "--near"]
    assert main(arguments) == 0
    assert "near_duplicates" in capsys.readouterr().out
    assert main(arguments) == 2
    assert "out: exists already" in capsys.readouterr().err.splitlines()[-1]
    again = [f"--config={tmp_path / 'out' / 'config.json'}", f"--output={tmp_path / 'again'}"]
    assert main(["deduplicate", *again]) == 0
    for path in (tmp_path / "out").glob("text-*"):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_wrong_options_and_input_leave_nothing(corpus, tmp_path, monkeypatch):
    output = tmp_path / "out"
    for options, message in (
        (
            {"near": True, "threshold": 0.0},
            "`--threshold` must be above 0 and at most 1. Received: 0.0",
        ),
        ({"threshold": 0.7}, "`--near` is off, so `--threshold` has no use. Received: 0.7"),
        ({"minimum_characters": -1}, "`--minimum-characters` must be at least 0. Received: -1"),
    ):
        with pytest.raises(InputError, match=message):
            deduplicate(DeduplicationOptions(str(corpus), str(output), **options))
    with pytest.raises(InputError, match=r"`--output` .* is a file"):
        deduplicate(DeduplicationOptions(str(corpus), str(corpus / "out")))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "datasketch", None)
        with pytest.raises(InputError, match="needs the package datasketch"):
            deduplicate(DeduplicationOptions(str(corpus), str(output), near=True))
    corpus.write_bytes(b"good\n\n" * 100 + b"\xff\n")
    with pytest.raises(InputError, match=r"corpus.txt, line 201: the text must be UTF-8"):
        deduplicate(DeduplicationOptions(str(corpus), str(output)))
    assert {path.name for path in tmp_path.iterdir()} == {"corpus.txt"}


def test_a_killed_run_leaves_nothing_readable(tmp_path):
    rng = random.Random(4)
    path = tmp_path / "corpus.txt"
    path.write_text("\n\n".join(paragraph(rng, 100) for _ in range(20_000)))
    command = [sys.executable, "-m", "data_gen", "deduplicate", f"--input={path}", "--near"]
    process = subprocess.Popen([*command, f"--output={tmp_path / 'out'}"])
    while not list(tmp_path.glob(".incomplete-out-*/text-*")):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.glob(".incomplete-out-*"))
    (tmp_path / ".incomplete-out-2-abcdefgh").mkdir()  # another output's
    path.write_text("short\n")
    assert main(["deduplicate", f"--input={path}", f"--output={tmp_path / 'out'}"]) == 0
    assert [entry.name for entry in tmp_path.glob(".incomplete-*")] == [
        ".incomplete-out-2-abcdefgh"
    ]
