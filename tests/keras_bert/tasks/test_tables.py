"""Rows of tables and of JSON, however they are written."""

import bz2
import csv
import gzip
import io
import json
import lzma

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert.errors import InputError
from keras_bert.tasks.file_format import FileFormat
from keras_bert.tasks.tables import read_rows
from keras_bert.tasks.text_of_files import find_file

NAMES = ["text", "label"]
# Without NUL, which csv cannot write, and halves of surrogate pairs.
CELLS = st.text(
    st.one_of(
        st.sampled_from("abc ,;|\t\"\n\r'é你😀\u2028\u00a0\\#"),
        st.characters(exclude_characters="\0", exclude_categories=("Cs",)),
    ),
    max_size=12,
).filter(lambda text: text.strip().lower() not in ("nan", "<na>", "nat"))


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows_of(path, **options):
    return [row for _, row in read_rows(path, FileFormat.from_options(**options))]


def rows_or_ambiguity(path):
    """The rows, or None where the text holds another delimiter as often as the real one."""
    try:
        return rows_of(path)
    except InputError as error:
        if "--delimiter says" in str(error):
            return None
        raise


def test_any_table_of_the_csv_module_is_read_as_it_was_written(tmp_path):
    @settings(max_examples=150, deadline=None)
    @given(
        rows=st.lists(
            st.tuples(CELLS, st.sampled_from(["x", "y, z", "1"])), min_size=1, max_size=6
        ),
        delimiter=st.sampled_from(",;\t|"),
        quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        lineterminator=st.sampled_from(["\n", "\r\n"]),
        kind=st.sampled_from(["csv", "tsv"]),
        named=st.booleans(),
    )
    def check(rows, delimiter, quoting, lineterminator, kind, named):
        if lineterminator == "\n":
            # The writer would leave it without quotes, where it ends a line.
            rows = [(text.replace("\r", ""), label) for text, label in rows]
        buffer = io.StringIO(newline="")
        writer = csv.writer(
            buffer, delimiter=delimiter, quoting=quoting, lineterminator=lineterminator
        )
        writer.writerows([NAMES, *rows])
        path = write(tmp_path / f"train.{kind}", buffer.getvalue())
        found = rows_of(path, delimiter=delimiter) if named else rows_or_ambiguity(path)
        expected = [dict(zip(NAMES, row, strict=True)) for row in rows]
        # A .tsv of quotes that need none reads as GLUE's: with the quotes.
        if found is not None and (
            kind != "tsv" or delimiter != "\t" or quoting != csv.QUOTE_MINIMAL
        ):
            assert found == expected

    check()


@pytest.mark.parametrize("kind", ["csv", "tsv"])
@pytest.mark.parametrize("size", [200_000, 5_000_000])
def test_fields_of_any_size(tmp_path, kind, size):
    limit = csv.field_size_limit()
    delimiter = {"csv": ",", "tsv": "\t"}[kind]
    path = write(tmp_path / f"train.{kind}", f"text{delimiter}label\n{'x' * size}{delimiter}a\n")
    ((row),) = rows_of(path)
    assert (len(row["text"]), row["label"]) == (size, "a")
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "text;label\n1, 2;x\n"),
        ("a.csv", "text\tlabel\n1, 2\tx\n"),
        ("a.csv", "text|label\n1, 2|x\n"),
        ("a.tsv", 'text,label\n"1, 2",x\n'),
        ("a.tsv", "text;label\n1, 2;x"),
        ("a.csv", 'text,label\r"1, 2",x\r'),
        ("a.csv", '\ufeff text\u00a0,"label "\n\n  \n"1, 2",x\n'),
        ("a.tsv", '"text"\t"label"\n"1, 2"\t"x"\n'),
        ("a.json", '[{"text": "1, 2",\n "label": "x"}]'),
        ("a.json", '{"text": "1, 2", "label": "x"}\r\n\r\n'),
        ("a.jsonl", '\ufeff\n{"text ": "1, 2", "label": "x"}\r'),
        ("a.jsonl", '[{"text": "1, 2", "label": "x"}]'),
    ],
)
def test_forms_that_are_told_from_the_file(tmp_path, name, text):
    assert rows_of(write(tmp_path / name, text)) == [{"text": "1, 2", "label": "x"}]


@pytest.mark.parametrize(
    ("field", "read"),
    [
        ('"a" b', '"a" b'),
        ('"a"', '"a"'),
        ('"a', '"a'),
        ('"He said ""a"""', 'He said "a"'),
        ('"a\nb"', "a\nb"),
        ('"a\tb"', "a\tb"),
    ],
)
def test_quotes_of_a_tsv_count_where_they_must(tmp_path, field, read):
    path = write(tmp_path / "a.tsv", f"text\tlabel\n{field}\tx\nb\ty\n")
    assert [row["text"] for row in rows_of(path)] == [read, "b"]


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-32", "cp1252", "gb18030", "UTF-8", "utf_8_sig"]
)
def test_encodings(tmp_path, encoding):
    path = write(tmp_path / "a.csv", "text,label\ncafé,x\n".encode(encoding))
    assert rows_of(path, encoding=encoding) == [{"text": "café", "label": "x"}]
    if not encoding.lower().startswith("utf_8") and encoding != "UTF-8":
        with pytest.raises(InputError, match=r"a\.csv.*--encoding"):
            rows_of(path)


@pytest.mark.parametrize(
    ("ending", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_compressed_files(tmp_path, ending, compress):
    path = write(tmp_path / f"a.csv{ending}", compress(b"text,label\na,x\n"))
    assert rows_of(path) == [{"text": "a", "label": "x"}]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="cannot read"):
        rows_of(path)


def test_columns_of_a_table_without_a_header(tmp_path):
    path = write(tmp_path / "a.csv", "a;x\nb, c;y\n")
    expected = [{"text": "a", "label": "x"}, {"text": "b, c", "label": "y"}]
    assert rows_of(path, columns="text,label") == expected


def test_missing_cells_of_pandas(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\nnan,x\na,NaN\n<NA>,\nNA,None\n")
    assert [tuple(row.values()) for row in rows_of(path)] == [
        *((None, "x"), ("a", None), (None, ""), ("NA", "None")),
    ]
    path = write(tmp_path / "a.jsonl", json.dumps({"text": "nan"}))
    assert rows_of(path) == [{"text": "nan"}]


@pytest.mark.parametrize(
    ("name", "text", "messages"),
    [
        ("a.csv", 'text,label\n"a,x\nb,y\n', ("line 2", "quotes")),
        ("a.csv", 'text,label\na,x\n"b\n",y\n"c"d,z\n', ("line 5", "quotes")),
        ("a.csv", "text;x|label\na;b|c\n", ("';' or '|'", "--delimiter")),
        ("a.csv", "text;label\na;b;c\n", ("line 2", "2 fields", "Received: 3", "';'")),
        ("a.csv", "text,label,text\na,b,c\n", ("line 1", "text", "--columns")),
        ("a.csv", "text,text \na,b\n", ("line 1", "text, text")),
        ("a.csv", "", ("empty",)),
        ("a.jsonl", "[1]", ("line 1", "object")),
        ("a.json", '[{"a": 1}, 2]', ("item 2", "object")),
        ("a.json", '[{"a": 1}', ("not JSON",)),
        ("a.jsonl", '{"a": 1}\n{"a": 1', ("line 2", "not JSON")),
        ("a.jsonl", "[" * 100_000, ("not JSON",)),
        ("a.csv", "text,label\na,x\n".encode("utf-16"), ("utf-16",)),
        ("a.csv", "text,label\na,x\n".encode("utf-16-le"), ("line 1", "NUL", "utf-16")),
        ("a.csv", b"text,label\na,x\n\xe9,y\n", ("line 3", "0xe9")),
        ("a.txt", "text,label\n", (".csv",)),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, text, messages):
    with pytest.raises(InputError) as caught:
        rows_of(write(tmp_path / name, text))
    for message in (name, *messages):
        assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"delimiter": ";;"},
        {"delimiter": '"'},
        {"encoding": "utf-99"},
        {"encoding": "rot13"},
        {"columns": "text,,label"},
        {"labels": "x,x"},
        {"text_field": ""},
    ],
)
def test_options_that_say_nothing(options):
    ((name, value),) = options.items()
    with pytest.raises(InputError) as caught:
        FileFormat.from_options(**options)
    assert f"--{name.replace('_', '-')}" in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("a.tsv", gzip.compress),
        ("a.tsv.gz", bz2.compress),
        ("a.tsv.bz2", bytes),
        ("A.TSV.XZ", lzma.compress),
        ("a.tsv.zst", lambda data: pyarrow.Codec("zstd").compress(data, asbytes=True)),
    ],
)
def test_files_are_unpacked_by_their_content(tmp_path, name, compress):
    (tmp_path / name).write_bytes(compress(b"text\tlabel\na\tx\n"))
    (row,) = read_rows(tmp_path / name)
    assert row[1] == {"text": "a", "label": "x"}
    assert find_file(tmp_path, "a.tsv") == tmp_path / name


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"PK\x03\x04" + bytes(30), "a ZIP archive"),
        (b"PAR1\x15\x04" + bytes(30), "a Parquet file"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"<!doctype html>\n<html>", "an HTML page"),
        (gzip.compress(gzip.compress(b"text\n", mtime=0), mtime=0), "compressed by gzip"),
    ],
)
def test_other_forms_are_named(tmp_path, content, form):
    for name in ("a.csv", "a.tsv", "a.jsonl", "a.json.gz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}: must be text. Received: {form}; \w+"):
            list(read_rows(tmp_path / name))


def test_json_by_the_name_of_a_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('{"text": "a, b", "label": 1}\n{"text": "c", "label": 2}\n')
    assert [row["text"] for _, row in read_rows(path)] == ["a, b", "c"]
    path.write_text('{"a": b},label\nx,y\n')
    assert [row for _, row in read_rows(path)] == [{'{"a": b}': "x", "label": "y"}]
