"""Reading labelled texts from files."""

import csv
import dataclasses
import gzip
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

from keras_bert.errors import InputError


@dataclasses.dataclass(frozen=True)
class ClassificationExamples:
    """Texts, or pairs of texts, with their classes.

    Args:
        first: list of str. The texts, or the first text of each pair.
        second: list of str, or None for single texts.
        labels: list of int, or None where the file has none.
    """

    first: list[str]
    second: list[str] | None
    labels: list[int] | None

    def __len__(self) -> int:
        return len(self.first)

    @property
    def texts(self) -> list[str] | tuple[list[str], list[str]]:
        """What a `BertPreprocessor` takes."""
        return self.first if self.second is None else (self.first, self.second)


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


def _read_text(path: Path) -> str:
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: the file must be UTF-8") from error
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot read: {error}") from error


def read_rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Reads a table with a header (`.tsv`, `.csv`) or JSON lines (`.jsonl`), gzip or not.

    Fields of a `.tsv` are never quoted, as in GLUE's files.

    Yields:
        The place of a row, for error messages, and its fields.

    Raises:
        InputError: On damaged text, a row with too few or too many fields, or a JSON line that is
            no object.
    """
    text = _read_text(path)
    kind = path.name.removesuffix(".gz").rsplit(".", 1)[-1]
    if kind == "jsonl":
        yield from _json_rows(path, text)
        return
    delimiter = {"tsv": "\t", "csv": ","}.get(kind)
    if delimiter is None:
        raise InputError(f"{path}: must end with .tsv, .csv or .jsonl, or with .gz after it")
    quoting = csv.QUOTE_NONE if kind == "tsv" else csv.QUOTE_MINIMAL
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting)
    header = next(rows, None)
    if not header:
        raise InputError(f"{path}: the file is empty")
    for row in rows:
        place = f"{path}, line {rows.line_num}"
        if not row:
            continue
        if len(row) != len(header):
            raise InputError(f"{place}: {len(header)} fields expected. Received: {len(row)}")
        yield place, dict(zip(header, row, strict=True))


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
        yield place, {name: _as_text(value, name, place) for name, value in row.items()}


def _as_text(value, name, place):
    if isinstance(value, bool | int | str):
        return str(value)
    raise InputError(f"{place}: field {name!r} must be a string or an integer. Received: {value!r}")


def field(row: dict[str, str], name: str, place: str) -> str:
    """Returns a field that must be there.

    Raises:
        InputError: If it is missing; the message names the fields there are.
    """
    if name not in row:
        raise InputError(f"{place}: field {name!r} is missing. Received: {', '.join(row)}")
    return row[name]


def label_index(label: str, labels: tuple[str, ...], place: str) -> int:
    """Returns the index of a label.

    Raises:
        InputError: If the label is outside the set.
    """
    if label not in labels:
        raise InputError(f"{place}: label {label!r} is not one of {', '.join(labels)}")
    return labels.index(label)
