"""What a file is shows in its bytes: other forms are refused by name, and prose stays text."""

import csv
import gzip
import io
import json
import pickle
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import tensorflow as tf

from data_gen.sources import Corpus
from keras_bert.errors import InputError, InputWarning
from tests.data_gen.test_sources import DOCUMENTS, TEXT, texts

OTHER_FORMS = {
    "a ZIP archive": lambda: packed_zip("a.txt"),
    "a Word document": lambda: packed_zip("[Content_Types].xml", "word/document.xml"),
    "an Excel workbook": lambda: packed_zip("[Content_Types].xml", "xl/workbook.xml"),
    "NumPy arrays": lambda: saved(np.savez, a=np.zeros(3)),
    "a NumPy array": lambda: saved(np.save, np.zeros(3)),
    "a tar archive": lambda: packed_tar("w"),
    "a tar": lambda: packed_tar("w:gz"),
    "a PDF document": lambda: b"%PDF-1.7\n%\xe2\xe3\n",
    "an HTML page": lambda: b"\n<!DOCTYPE html>\n<html><p>text</p></html>",
    "a dump of Wikipedia": lambda: b'<mediawiki xmlns="http://www.mediawiki.org/">\n',
    "an XML document": lambda: b'<?xml version="1.0"?>\n<TEI>text</TEI>',
    "an SQLite database": lambda: b"SQLite format 3\x00" + bytes(80),
    "a pickle": lambda: pickle.dumps(["text"]),
    "a pickle,": lambda: pickle.dumps({"a": [1]}, protocol=2),
    "an HDF5 file": lambda: b"\x89HDF\r\n\x1a\n" + bytes(40),
    "an Arrow file": lambda: b"ARROW1\x00\x00" + bytes(40),
    "a TFRecord file": lambda: record(b"text" * 30),
    "a TFRecord": lambda: gzip.compress(record(b"a")),
    "compressed by gzip": lambda: gzip.compress(gzip.compress(TEXT.encode())),
    "an image": lambda: b"\x89PNG\r\n\x1a\n" + bytes(20),
    "utf-16-le without a byte order mark": lambda: TEXT.encode("utf-16-le"),
    "utf-16-be without a byte order mark": lambda: TEXT.encode("utf-16-be"),
    "a pointer of Git LFS": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
    "a binary file": lambda: bytes(range(8)) * 3 + bytes(40),
}


def packed_zip(*names):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        for name in names:
            file.writestr(name, TEXT)
    return sink.getvalue()


def packed_tar(mode):
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode) as file:
        file.addfile(tarfile.TarInfo("a.txt"))
    return sink.getvalue()


def saved(save, *arrays, **named):
    sink = io.BytesIO()
    save(sink, *arrays, **named)
    return sink.getvalue()


def record(content):
    with tempfile.NamedTemporaryFile() as file:
        with tf.io.TFRecordWriter(file.name) as writer:
            writer.write(content)
        return Path(file.name).read_bytes()


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_other_forms_are_refused_by_name(tmp_path, form):
    for name in ("a.txt", "a.jsonl", "a.gz", "a"):
        (tmp_path / name).write_bytes(OTHER_FORMS[form]())
        with pytest.raises(InputError, match=rf"{name}: .*Received: {form}"):
            Corpus(str(tmp_path / name))


PROSE = {
    "commas": "One, two, three,\nfour, five, six,\nseven, eight, nine,\n",
    "a list": "Eggs, milk\nbread, beer\n",
    "a sentence": "Hello, this is the first sentence of it, isn't it?\nThe second, of it, too.\n",
    "quotes": '"Well," she said, "yes."\n"No," he said, "never."\n"Oh."\n',
    "tabs": "Chapter 1\tThe beginning\nIt rained.\nIt went on.\n",
    "brackets": '["Hello" he said]\n[1] A note.\n',
    "braces": "{a} is a set\n",
    "names": "Anna, Bob\nwent home, at last, and\nslept\n",
    "PAR1": "PAR1 is a gene.\n",
    "BZh": "BZh is short.\n",
    "PK": "PK was here.\n",
    "text": "text, and more\nof it\n",
}


@pytest.mark.parametrize("name", PROSE)
def test_prose_stays_text(tmp_path, name):
    (tmp_path / "a.txt").write_text(PROSE[name])
    lines = [line.strip() for line in PROSE[name].strip().split("\n")]
    assert texts(tmp_path / "a.txt") == [lines]


def test_rows_of_a_table_in_a_text_are_told(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("id,title,body\n1,A,One two.\n2,B,Three.\n")
    with pytest.warns(InputWarning, match=r"a.txt: read as text.*id, title, body.*--text-field"):
        assert texts(path) == [path.read_text().strip().split("\n")]
    assert [d.paragraphs for d in Corpus(str(path), "body")] == [["One two."], ["Three."]]
    with pytest.raises(InputError, match=r"a.txt.*--text-field.*id, title, body.*'boddy'"):
        list(Corpus(str(path), "boddy"))
    path.write_text('Quality\t#1 ID\t#1 String\n1\t7\tA "quote.\n0\t8\tNo, "none\n')
    with pytest.warns(InputWarning, match="Quality, #1 ID, #1 String"):
        assert len(texts(path)) == 1
    assert [d.paragraphs for d in Corpus(str(path), "#1 String")] == [['A "quote.'], ['No, "none']]


FIELDS = {
    "a.jsonl": '{"id": 1, "body": "One."}\n{"id": 2, "body": "Two."}\n',
    "b": '{"id": 1, "body": "One."}\n{"id": 2, "body": "Two."}\n',
    "c.json": '[{"id": 1, "body": "One."}, {"id": 2, "body": "Two."}]',
    "d.csv": "id,body\n1,One.\n2,Two.\n",
    "e.TSV": "id\tbody\n1\tOne.\n2\tTwo.\n",
    "f.csv": "id;body\n1;One.\n2;Two.\n",
    "g.parquet": None,
    "h": None,
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_chosen_in_every_form(tmp_path, name):
    path = tmp_path / name
    if FIELDS[name] is None:
        table = pyarrow.table({"id": [1, 2], "body": ["One.", "Two."]})
        pyarrow.parquet.write_table(table, path)
    else:
        path.write_text(FIELDS[name])
    expected = [["One."], ["Two."]]
    assert [d.paragraphs for d in Corpus(str(path), "body")] == expected
    assert [d.paragraphs for d in Corpus(f"{path}#body")] == expected
    assert [d.paragraphs for d in Corpus(f"{tmp_path}/*#body")] == expected
    for chosen in (None, "boddy"):
        with pytest.raises(
            InputError, match=rf"{name}.*{chosen or 'text'}.*--text-field.*id.*body"
        ):
            list(Corpus(str(path), chosen))
    with pytest.raises(InputError, match=r"--text-field.*'other'.*#body"):
        Corpus(f"{path}#body", "other")


def test_a_name_with_a_field_mark_is_a_name(tmp_path):
    (tmp_path / "a#body").write_text(TEXT)
    assert texts(tmp_path / "a#body") == texts(f"{tmp_path}/*#body") == DOCUMENTS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "id,text\n1,a\n2,b,c\n", "a.csv, line 3: 2 fields expected.*Received: 3"),
        ("a.csv", 'id,text\n1,"a\n2,b\n', "a.csv, line 2: unbalanced quotes"),
        ("a.csv", "text,text\na,b\n", "a.csv, line 1: two columns .*'text'"),
        ("a.json", '[{"text": "a"}, 3]', "a.json, item 2: an object is expected.*Received: 3"),
        ("a.json", '[{"text": "a"} {"text": "b"}]', "a.json, item 2: a comma"),
        ("a.json", '[{"text": "a"}, {"text": ', "a.json, item 2: .*the file ends"),
        ("a.json", '[{"text": "a"}]\n{"text": "b"}', "a.json: nothing may follow"),
        ("a.json", '["a", {"body": "b"}]', 'a.json, item 2: a field "text".*Received: body'),
        ("a.json", '[{"text": null}]', 'a.json, item 1: "text" must be a string'),
    ],
)
def test_faults_of_tables_and_lists(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        list(Corpus(str(tmp_path / name)))


def test_long_lists_and_records_are_read_piece_by_piece(tmp_path, monkeypatch):
    items = [
        {"text": f'Line {number} \u4f60 " [{{,' + "x" * (number % 50)} for number in range(900)
    ]
    expected = [[item["text"]] for item in items]
    (tmp_path / "a.json").write_text(json.dumps(items))
    with (tmp_path / "a.csv").open("w") as file:
        csv.writer(file).writerows([["text", "n"], *([item["text"], 1] for item in items)])
    for size in (7, 64, 1 << 16):
        monkeypatch.setattr("data_gen.json_rows._BLOCK_CHARACTERS", size)
        assert texts(tmp_path / "a.json") == texts(tmp_path / "a.csv") == expected
    monkeypatch.setattr("data_gen.json_rows._BLOCK_CHARACTERS", 64)
    monkeypatch.setattr("data_gen.text_sources.MAXIMUM_JSON_BYTES", 300)
    (tmp_path / "a.json").write_text(json.dumps([{"text": "a" * 400}]))
    with pytest.raises(InputError, match=r"a.json, item 1: .*at most 300"):
        texts(tmp_path / "a.json")
    (tmp_path / "a.csv").write_text('text,n\n"' + "a\n" * 400)
    with pytest.raises(InputError, match=r"a.csv, line 2: a record .*at most 300.*quote"):
        texts(tmp_path / "a.csv")
