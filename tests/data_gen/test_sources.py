import gzip
import json

import pytest

from data_gen.sources import Corpus, find_files
from keras_bert.errors import InputError

TEXT = "One two.\nThree.\n\n\n  \nFour.\n"
DOCUMENTS = [["One two.", "Three."], ["Four."]]
ROWS = "".join(json.dumps({"text": "\n".join(document)}) + "\n" for document in DOCUMENTS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", TEXT.encode()),
        ("a", TEXT.encode()),
        ("a.txt", TEXT.rstrip("\n").encode()),
        ("a.txt", TEXT.encode("utf-8-sig")),
        ("a.txt", TEXT.replace("\n", "\r\n").encode()),
        ("a.txt.gz", gzip.compress(TEXT.encode("utf-8-sig"))),
        ("a.txt.gz", gzip.compress(b"One two.\n") + gzip.compress(b"Three.\n\nFour.")),
        ("a.jsonl", ROWS.encode()),
        ("a.json", ROWS.replace("\n", "\r\n\r\n").encode("utf-8-sig")),
        ("a.jsonl", ROWS.replace("two.\\n", "two.\\r\\n\\r\\n").encode()),
        ("a.jsonl", (ROWS + '{"text": " \\n "}\n').encode()),
        ("a.jsonl.gz", gzip.compress(ROWS.encode())),
        ("[a].txt", TEXT.encode()),
    ],
)
def test_formats(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    corpus = Corpus(str(path))
    assert list(corpus) == DOCUMENTS
    assert corpus.bytes_read == corpus.bytes == len(content)


def test_files_are_sorted_and_globs_descend(tmp_path):
    for name in ("b/2.txt", "a/9.txt", "a/c/1.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{name}\n")
    pattern = f"{tmp_path}/**/*.txt"
    assert [str(path.relative_to(tmp_path)) for path in find_files(pattern)] == [
        "a/9.txt",
        "a/c/1.txt",
        "b/2.txt",
    ]
    corpus = Corpus(pattern)
    assert list(corpus) == list(corpus) == [["a/9.txt"], ["a/c/1.txt"], ["b/2.txt"]]


def test_reading_streams(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"First.\n\n" + b"Second.\n\n" * 100 + b"\xff\n")
    assert next(iter(Corpus(str(path)))) == ["First."]  # long before the damaged line


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"good\nb\xe9d\n", "a.txt, line 2: the text must be UTF-8.*0xe9"),
        ("a.txt", "text".encode("utf-16"), "a.txt, line 1: the text must be UTF-8"),
        ("a.txt", b" \n\n", "the corpus is empty"),
        ("a.jsonl", b"", "the corpus is empty"),
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "a.jsonl, line 2: a JSON object per line"),
        ("a.jsonl", b"[" * 100_000, "a.jsonl, line 1: a JSON object per line"),
        ("a.jsonl", b'\n{"body": "a"}\n', 'a.jsonl, line 2: .*"text".*Received: {"body"'),
        ("a.jsonl", b'{"text": 3}\n', 'a.jsonl, line 1: .*"text"'),
        ("a.jsonl", b'["text"]\n', 'a.jsonl, line 1: .*"text"'),
        ("a.jsonl", rb'{"text": "\ud800"}', "a.jsonl, line 1: .*valid Unicode"),
        ("a.txt.gz", b"not gzip", "a.txt.gz: cannot read after line 0"),
        ("a.txt.gz", gzip.compress(TEXT.encode())[:-12], "a.txt.gz: cannot read"),
    ],
)
def test_faults_name_file_and_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(Corpus(str(tmp_path / name)))


def test_no_file_matches(tmp_path):
    with pytest.raises(InputError, match=r"no file matches. Received: .*nothing\*"):
        Corpus(f"{tmp_path}/nothing*")
    with pytest.raises(InputError, match="no file matches"):
        Corpus(str(tmp_path))  # a directory is no file
