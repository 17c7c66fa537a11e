"""Rows of files: tables with a header, JSON lines and lists of JSON objects."""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from keras_bert.atomic import new_file
from keras_bert.errors import InputError
from keras_bert.reading import SUFFIXES, unpacked_name
from keras_bert.tasks.delimiters import Dialect, find_dialect, records
from keras_bert.tasks.fields import trimmed
from keras_bert.tasks.file_format import DEFAULT_FORMAT, FileFormat
from keras_bert.tasks.text_of_files import lines_of, read_text

_TABLES = ("tsv", "csv")
_JSON = ("jsonl", "json")
# What pandas and NumPy write for a value that is missing. An empty cell may be an empty text.
_MISSING_CELLS = frozenset(("nan", "NaN", "<NA>", "NaT"))
# The beginning of a list of objects, or of an empty one.
_LIST = re.compile(r"\s*\[\s*[{\]]")
_OBJECT = re.compile(r'\s*\{\s*"[^"\n]*"\s*:.*\}\s*$', re.MULTILINE)
_SHOWN = 40


def read_json(path: Path, encoding: str = "utf-8") -> Any:
    """Returns what a JSON file holds.

    Raises:
        InputError: If it is damaged.
    """
    try:
        return json.loads(read_text(path, encoding))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from error


def read_rows(
    path: Path,
    file_format: FileFormat = DEFAULT_FORMAT,
    *,
    dialect: Dialect | None = None,
    columns: Sequence[str] | None = None,
    short_rows: bool = False,
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Reads a table (`.tsv`, `.csv`), JSON lines or a list of objects (`.jsonl`, `.json`).

    The file may be compressed. Names of columns and fields lose the spaces around them. Cells of a
    table that hold what pandas writes for a missing value, such as `nan`, are None, unless
    `dialect` is given.

    Args:
        path: Path.
        file_format: `FileFormat`.
        dialect: `Dialect` or None. That of a table; None finds it, see `find_dialect`.
        columns: sequence of str or None. Names of a table's columns; None takes them from
            `file_format` or the first line.
        short_rows: bool. Yield None for a table's rows of too few fields, in place of an error.

    Yields:
        The place of a row, for error messages, and its fields: strings, or what JSON says.

    Raises:
        InputError: On damaged text, unbalanced quotes, two columns of one name, a row with too few
            or too many fields, or a JSON line that is no object.
    """
    missing = () if dialect else _MISSING_CELLS
    text = read_text(path, file_format.encoding)
    kind = unpacked_name(path).rsplit(".", 1)[-1]
    # No header is a JSON object.
    if kind in _JSON or (kind in _TABLES and _OBJECT.match(text)):
        yield from _json_rows(path, text, kind)
        return
    if kind not in _TABLES:
        raise InputError(
            f"{path}: must end with .tsv, .csv, .jsonl or .json, or with one of these and "
            f"{', '.join(SUFFIXES)}"
        )
    columns = columns or file_format.columns or None
    if dialect is None:
        width = None if columns is None else len(columns)
        delimiter = file_format.delimiter
        dialect = find_dialect(path, text, kind, width=width, delimiter=delimiter)
    rows = records(text, dialect, path)
    yield from _table_rows(path, rows, columns, short_rows, dialect.delimiter, missing)


def _table_rows(path, rows, columns, short_rows, delimiter, missing):
    read = False
    for number, row in rows:
        read = True
        place = f"{path}, line {number}"
        if len(row) < 2 and not "".join(row).strip() and (columns is None or len(columns) > 1):
            continue
        if columns is None:
            columns = _header(row, place)
            continue
        if short_rows and len(row) < len(columns):
            yield place, None
            continue
        if len(row) != len(columns):
            raise InputError(
                f"{place}: {len(columns)} fields expected. Received: {len(row)}, divided by "
                f"{delimiter!r}; a field that holds it needs quotes, or --delimiter names another"
            )
        cells = (None if cell.strip() in missing else cell for cell in row)
        yield place, dict(zip(columns, cells, strict=True))
    if not read or columns is None:
        raise InputError(f"{path}: the file is empty")


def _header(row: list[str], place: str) -> list[str]:
    names = [trimmed(name) for name in row]
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    if twice:
        raise InputError(
            f"{place}: columns must have different names. Received: {', '.join(names)}, of which "
            f"{', '.join(twice)} more than once; --columns names those of a file without a header"
        )
    return names


def _json_rows(path, text, kind):
    is_list = _LIST.match(text) or (kind == "json" and text.lstrip()[:1] == "[")
    rows = _list_rows(path, text) if is_list else _line_rows(path, text)
    for place, row in rows:
        if not isinstance(row, dict):
            raise InputError(
                f"{place}: a JSON object is expected. Received: {json.dumps(row)[:_SHOWN]}"
            )
        yield place, {trimmed(name): value for name, value in row.items()}


def _list_rows(path, text):
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    for number, row in enumerate(rows, start=1):
        yield f"{path}, item {number}", row


def _line_rows(path, text):
    for number, line in enumerate(lines_of(text), start=1):
        place = f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{place}: not JSON: {error}. An object on each line is expected, or a list of "
                "objects"
            ) from error
        yield place, row


def write_table(path: Path, rows: Iterable[Sequence[Any]], *, delimiter: str) -> None:
    """Writes rows, the header first; the file appears when all of it is there."""
    with new_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
