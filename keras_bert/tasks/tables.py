"""Rows of files: tables with a header, JSON lines, and what may be wrong with them."""

import csv
import gzip
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from keras_bert.atomic import new_file
from keras_bert.errors import InputError


def find_file(directory: str | os.PathLike, name: str) -> Path:
    """Returns `directory/name` or its gzip.

    Raises:
        InputError: If neither exists.
    """
    directory = Path(directory)
    for candidate in (directory / name, directory / f"{name}.gz"):
        if candidate.exists():
            return candidate
    raise InputError(f"{directory / name}: no such file")


def read_text(path: Path) -> str:
    """Returns a file's text without its byte order mark, gzip or not.

    Raises:
        InputError: If it cannot be read or is not UTF-8; the message names the line.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: the file must be UTF-8") from error
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot read: {error}") from error


def read_json(path: Path) -> Any:
    """Returns what a JSON file holds.

    Raises:
        InputError: If it is damaged.
    """
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from error


def read_rows(
    path: Path, *, columns: Sequence[str] | None = None, short_rows: bool = False
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Reads a table (`.tsv`, `.csv`) or JSON lines (`.jsonl`), gzip or not.

    Fields of a `.tsv` are never quoted, as in GLUE's files; those of a `.csv` may be.

    Args:
        path: Path.
        columns: sequence of str or None. Names of a table's columns; None takes them from its
            first line.
        short_rows: bool. Yield None for a table's rows of too few fields, in place of an error.

    Yields:
        The place of a row, for error messages, and its fields: strings, or what JSON says.

    Raises:
        InputError: On damaged text, unbalanced quotes, a row with too few or too many fields, or a
            JSON line that is no object.
    """
    text = read_text(path)
    kind = path.name.removesuffix(".gz").rsplit(".", 1)[-1]
    if kind == "jsonl":
        yield from _json_rows(path, text)
        return
    delimiter = {"tsv": "\t", "csv": ","}.get(kind)
    if delimiter is None:
        raise InputError(f"{path}: must end with .tsv, .csv or .jsonl, or with .gz after it")
    quoting = csv.QUOTE_NONE if kind == "tsv" else csv.QUOTE_MINIMAL
    rows = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True
    )
    yield from _table_rows(path, rows, columns, short_rows)


def _table_rows(path, rows, columns, short_rows):
    number = 1
    try:
        for row in rows:
            place, number = f"{path}, line {number}", rows.line_num + 1
            if columns is None:
                columns = row
                continue
            if not row:
                continue
            if short_rows and len(row) < len(columns):
                yield place, None
                continue
            if len(row) != len(columns):
                raise InputError(f"{place}: {len(columns)} fields expected. Received: {len(row)}")
            yield place, dict(zip(columns, row, strict=True))
    except csv.Error as error:
        raise InputError(f"{path}, line {number}: unbalanced quotes: {error}") from error
    if not columns:
        raise InputError(f"{path}: the file is empty")


def _json_rows(path, text):
    # Not splitlines(): a JSON string may hold U+2028 as it is.
    for number, line in enumerate(text.split("\n"), start=1):
        place = f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{place}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise InputError(f"{place}: a JSON object is expected. Received: {line[:40]}")
        yield place, row


def write_table(path: Path, rows: Iterable[Sequence[Any]], *, delimiter: str) -> None:
    """Writes rows, the header first; the file appears when all of it is there."""
    with new_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)


def field(row: dict[str, Any], name: str, place: str) -> str:
    """Returns a field that must be there, as a string.

    Raises:
        InputError: If it is missing, in which case the message names the fields there are, or
            neither a string nor a number.
    """
    if name not in row:
        raise InputError(f"{place}: field {name!r} is missing. Received: {', '.join(row)}")
    value = row[name]
    if not isinstance(value, bool | int | float | str):
        raise InputError(
            f"{place}: field {name!r} must be a string or a number. Received: {value!r}"
        )
    return str(value)


def list_field(row: dict[str, Any], name: str, place: str) -> list[str]:
    """Returns a field that must be a list of strings.

    Raises:
        InputError: If it is missing or something else.
    """
    value = row.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f"{place}: field {name!r} must be a list of strings. Received: {value!r}")
    return value


def number_field(row: dict[str, Any], name: str, place: str) -> float:
    """Returns a field that must be a finite number.

    Raises:
        InputError: If it is missing or something else.
    """
    text = field(row, name, place)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{place}: field {name!r} must be a number. Received: {text!r}")
    return value


def label_index(label: str, labels: Sequence[str], place: str) -> int:
    """Returns the index of a label.

    Raises:
        InputError: If the label is outside the set.
    """
    if label not in labels:
        raise InputError(f"{place}: label {label!r} is not one of {', '.join(labels)}")
    return list(labels).index(label)
