import bz2
import gzip
import json
import lzma
import pickle
import sys
import tracemalloc

import pyarrow
import pyarrow.parquet
import pytest

from data_gen import paragraphs
from data_gen.documents import Document
from data_gen.sources import Corpus, find_files, find_sources
from keras_bert.errors import InputError, InputWarning

TEXT = "One two.\nThree.\n\n\n  \nFour.\n"
DOCUMENTS = [["One two.", "Three."], ["Four."]]
ROWS = "".join(json.dumps({"text": "\n".join(document)}) + "\n" for document in DOCUMENTS)
LIST = json.dumps([{"text": "One two.\nThree.", "id": 1}, {"id": 2, "text": "Four."}])
STRINGS = json.dumps(["One two.\nThree.", "", "Four."], indent=1)
TABLE = 'id,text,"stars"\r\n1,"One two.\nThree.",3\r\n2,Four.,5\r\n'
ARTICLES = """<doc id="1" url="https://a?curid=1" title="Numbers &amp; more">
Numbers &amp; more

One two.

Three.

</doc>
<doc id="2" url="https://a?curid=2" title="A "quoted" one">
A "quoted" one

Four.
</doc>
"""


def zstd(content):
    return pyarrow.Codec("zstd").compress(content, asbytes=True)


def texts(pattern):
    return [document.paragraphs for document in Corpus(str(pattern))]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", TEXT.encode()),
        ("a", TEXT.encode()),
        ("a.txt", TEXT.rstrip("\n").encode()),
        ("a.txt", TEXT.encode("utf-8-sig")),
        ("a.txt", TEXT.replace("\n", "\r\n").encode()),
        ("a.txt.gz", gzip.compress(TEXT.encode("utf-8-sig"), mtime=0)),
        (
            "a.txt.gz",
            gzip.compress(b"One two.\n", mtime=0) + gzip.compress(b"Three.\n\nFour.", mtime=0),
        ),
        ("a.bz2", bz2.compress(TEXT.encode())),
        ("a.txt.xz", lzma.compress(TEXT.encode())),
        ("a.jsonl", ROWS.encode()),
        ("a.json", ROWS.replace("\n", "\r\n\r\n").encode("utf-8-sig")),
        ("a.jsonl", ROWS.replace("two.\\n", "two.\\r\\n\\r\\n").encode()),
        ("a.jsonl", (ROWS + '{"text": " \\n "}\n').encode()),
        ("a.jsonl.gz", gzip.compress(ROWS.encode(), mtime=0)),
        ("wiki_00", ROWS.replace("{", '{"id": "1", "title": "x", ').encode()),
        ("wiki_00", b"\n\n" + ARTICLES.encode("utf-8-sig").replace(b"\xef\xbb\xbf", b"")),
        ("wiki_00", ARTICLES.replace("\n", "\r\n").encode("utf-8-sig")),
        ("wiki_00.bz2", bz2.compress(ARTICLES.encode())),
        ("[a].txt", TEXT.encode()),
        # What a file is shows in its bytes, whatever it is called.
        ("a.txt", gzip.compress(TEXT.encode(), mtime=0)),
        ("a", bz2.compress(TEXT.encode())),
        ("a.gz", lzma.compress(TEXT.encode())),
        ("a.txt.gz", TEXT.encode()),
        ("a.xz", TEXT.encode()),
        ("A.TXT.GZ", gzip.compress(TEXT.encode(), mtime=0)),
        ("A.JSONL.GZ", gzip.compress(ROWS.encode(), mtime=0)),
        ("a.txt.zst", zstd(TEXT.encode())),
        ("a.txt", zstd(TEXT.encode()) + zstd(b"")),
        ("a.jsonl.ZST", zstd(ROWS.encode())),
        ("a.txt", ROWS.encode()),
        ("a.txt", TEXT.encode("utf-16")),
        ("a.txt", b"\xfe\xff" + TEXT.encode("utf-16-be")),
        ("a.txt", TEXT.encode("utf-32")),
        ("a.jsonl.gz", gzip.compress(ROWS.encode("utf-16"), mtime=0)),
        ("a.json", LIST.encode()),
        ("a.json", json.dumps(json.loads(LIST), indent=4).encode("utf-8-sig")),
        ("a", STRINGS.encode()),
        ("a.json.bz2", bz2.compress(STRINGS.encode())),
        ("a.csv", TABLE.encode()),
        ("A.CSV", TABLE.encode("utf-8-sig").replace(b"\r\n", b"\n")),
        ("a.csv", TABLE.replace(",", ";").encode()),
        ("a.csv.gz", gzip.compress(TABLE.encode("utf-16"), mtime=0)),
        ("a.tsv", TABLE.replace(",", "\t").encode()),
        ("a.txt", TABLE.encode()),
        ("a.csv", b'text\n"One two.\nThree."\n\nFour.\n'),
    ],
)
def test_formats(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    corpus = Corpus(str(path))
    assert [document.paragraphs for document in corpus] == DOCUMENTS
    assert corpus.bytes_read == corpus.bytes == len(content)
    (source,) = pickle.loads(pickle.dumps(find_sources(str(path))))
    assert list(source.documents()) == [Document(document) for document in DOCUMENTS]
    assert (source.name, source.bytes, source.bytes_read) == (str(path), len(content), len(content))


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
    assert texts(pattern) == texts(pattern) == [["a/9.txt"], ["a/c/1.txt"], ["b/2.txt"]]


def test_reading_streams(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"First.\n\n" + b"Second.\n\n" * 100 + b"\xff\n")
    first = next(iter(Corpus(str(path))))  # long before the damaged line
    assert first.paragraphs == ["First."]


def test_empty_files_are_passed_over(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"", mtime=0))
    (tmp_path / "c.txt").write_bytes(b"\x00 text\x00\n")  # NUL is the tokenizer's business
    assert texts(tmp_path / "*") == [["\x00 text\x00"]]


def test_text_that_looks_like_another_form(tmp_path):
    (tmp_path / "a").write_text('{"a": 1} is "text"\n')
    (tmp_path / "b").write_text("<doc> is a tag\n")
    assert texts(tmp_path / "*") == [['{"a": 1} is "text"'], ["<doc> is a tag"]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"good\nb\xe9d\n", "a.txt, line 2: the text must be UTF-8.*0xe9"),
        ("a.txt", "text".encode("utf-16")[:-1], "a.txt: cannot read after line 0: damaged text"),
        ("a.txt", b" \n\n", "the corpus is empty"),
        ("a.jsonl", b"", "the corpus is empty"),
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "a.jsonl, line 2: a JSON object per line"),
        ("a.jsonl", b"[" * 100_000, "a.jsonl, line 1: a JSON object per line"),
        ("a.jsonl", b'\n{"body": "a"}\n', 'a.jsonl, line 2: .*"text".*Received: {"body"'),
        ("a.jsonl", b'{"text": 3}\n', 'a.jsonl, line 1: .*"text"'),
        ("a.jsonl", b'["text"]\n', 'a.jsonl, line 1: .*"text"'),
        ("a.jsonl", rb'{"text": "\ud800"}', "a.jsonl, line 1: .*valid Unicode"),
        ("a.txt.gz", b"\xe9 no gzip", "a.txt.gz, line 1: .*0xe9; the file is not compressed.*.gz"),
        ("a.txt.gz", gzip.compress(TEXT.encode(), mtime=0)[:-12], "a.txt.gz: cannot read"),
        ("a.bz2", bz2.compress(TEXT.encode())[:-12], "a.bz2: cannot read"),
        ("a.xz", lzma.compress(TEXT.encode())[:-12], "a.xz: cannot read"),
        ("wiki_00", ARTICLES[:-8].encode(), "wiki_00, line 12: the file ends before </doc>"),
        ("wiki_00", ARTICLES.replace("</doc>", "").encode(), "line 9: </doc> is expected.*doc id"),
        ("wiki_00", f"{ARTICLES}\nOdd".encode(), "line 15: <doc id=...> is expected.*Odd"),
    ],
)
def test_faults_name_file_and_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(Corpus(str(tmp_path / name)))


def test_rows_without_text_are_counted(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n' * 9 + '{"text": " "}\n' * 3)
    with pytest.warns(InputWarning, match=r"a.jsonl: 3 of 12 rows have an empty text"):
        assert len(texts(path)) == 9


def test_zstandard_without_its_package(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_bytes(zstd(TEXT.encode()))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"a.txt: .*pyarrow.*keras-bert-tf\[zstd\]"):
        Corpus(str(tmp_path / "a.txt"))


@pytest.mark.parametrize(
    ("suffix", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_flipped_bytes_in_compressed_files(tmp_path, suffix, compress):
    lines = [f"Line {n}." for n in range(300)]
    content = compress("\n".join(lines).encode())
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    assert texts(path) == [lines]
    places, refused = range(0, len(content), 7), 0
    for place in places:
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            found = texts(path)
        except InputError:
            refused += 1
        else:
            # Some bytes say nothing of the text, such as a time.
            assert found == [lines], place
    assert refused > len(places) / 2


def test_no_file_matches(tmp_path):
    with pytest.raises(InputError, match=r"no file matches. Received: .*nothing\*"):
        Corpus(f"{tmp_path}/nothing*")
    with pytest.raises(InputError, match=r"no file matches; for the files of a directory: .*/\*\*"):
        Corpus(str(tmp_path))


def test_a_file_that_cannot_be_opened(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(TEXT)
    corpus = Corpus(str(path))
    path.unlink()
    with pytest.raises(InputError, match=r"a.txt: cannot read after line 0"):
        list(corpus)


def test_long_documents_come_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("data_gen.paragraphs.MAXIMUM_DOCUMENT_BYTES", 12)
    monkeypatch.setattr("data_gen.text_sources.MAXIMUM_DOCUMENT_BYTES", 12)
    path = tmp_path / "a.txt"
    path.write_text("One two.\nThree.\nFour.\n\nFive.\n")
    assert texts(path) == [["One two."], ["Three.", "Four."], ["Five."]]
    # At a space; between characters; never as if the line had ended with a blank one.
    path.write_text("One two three four.\n\n")
    assert texts(path) == [["One two"], ["three four."]]
    path.write_text("你好你好你好你好\r\na\n")
    assert texts(path) == [["你好你"], ["好你好"], ["你好", "a"]]
    for length in range(9, 30):
        for end in ("\n", "\r\n"):
            path.write_text(f"{'x' * length}{end}y\n", newline="")
            assert "".join(p for document in texts(path) for p in document) == "x" * length + "y"
    path.write_text(f"a\n{' ' * 40}\nb\n")
    assert texts(path) == [["a"], ["b"]]
    path.write_bytes(b"a\n" + b"x" * 30 + b"\xff\n")
    with pytest.raises(InputError, match=r"a.txt, line 2: the text must be UTF-8"):
        texts(path)


def test_long_text_of_a_row_is_cut_with_its_units(monkeypatch):
    monkeypatch.setattr("data_gen.paragraphs.MAXIMUM_DOCUMENT_BYTES", 12)
    rows = list(paragraphs.split_paragraphs("one two three four", [(0, 3), (4, 13)]))
    assert rows == [("one", [(0, 3)]), ("two", [(0, 3)]), ("three four", [(0, 5)])]


def test_a_row_too_long_to_parse(tmp_path, monkeypatch):
    monkeypatch.setattr("data_gen.text_sources.MAXIMUM_JSON_BYTES", 20)
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n{"text": "abcdefghijkl"}\n')
    with pytest.raises(InputError, match=r"a.jsonl, line 2: a line must have at most 20 bytes"):
        texts(tmp_path / "a.jsonl")


@pytest.mark.parametrize("line", [b"x" * 1000, "ein größeres Wort ".encode() * 50])
def test_a_line_without_end_takes_little_memory(tmp_path, line):
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(60_000_000 // len(line)):
            file.write(line)
    tracemalloc.start()
    try:
        sizes = [document.bytes for document in Corpus(str(path))]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(sizes) > 59_000_000
    assert max(sizes) <= paragraphs.MAXIMUM_DOCUMENT_BYTES
    assert peak < 20_000_000
