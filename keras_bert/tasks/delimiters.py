"""What stands between the fields of a table, and whether fields are quoted."""

import csv
import io
import itertools
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from keras_bert.errors import InputError

_USUAL = {"csv": ",", "tsv": "\t"}
_CANDIDATES = (",", "\t", ";", "|")
# Records that are looked at to tell which delimiter fits.
_PROBE = 50
_SIZE_LIMIT_LOCK = threading.Lock()


class Dialect(NamedTuple):
    """How a table is written.

    Args:
        delimiter: str.
        quoted: bool. Whether a field that begins with a double quote ends with one, those inside
            it being doubled.
    """

    delimiter: str
    quoted: bool


def records(
    text: str | Iterable[str], dialect: Dialect, path: Path
) -> Iterator[tuple[int, list[str]]]:
    """Yields the number of the line with which each record begins, and its fields.

    Args:
        text: str, or its lines, each with its end.
        dialect: `Dialect`.
        path: Path. For messages.

    Raises:
        InputError: If quotes are unbalanced; the message names the line of the record.
    """
    reader = csv.reader(
        io.StringIO(text, newline="") if isinstance(text, str) else text,
        delimiter=dialect.delimiter,
        quoting=csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE,
        strict=True,
    )
    while True:
        number = reader.line_num + 1
        # The limit belongs to the process, and others may rely on it: ours for this step alone.
        with _SIZE_LIMIT_LOCK:
            limit = csv.field_size_limit(sys.maxsize)
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise InputError(
                    f"{path}, line {number}: unbalanced quotes: {error}. A quote inside a quoted "
                    "field is written twice"
                ) from error
            finally:
                csv.field_size_limit(limit)
        yield number, fields


def find_dialect(
    path: Path, text: str, kind: str, *, width: int | None = None, delimiter: str | None = None
) -> Dialect:
    """Finds out how a table is written.

    The delimiter is what the file's ending says if the first records have as many fields as the
    header with it, two or more; else the one of `,`, tab, `;` and `|` for which that holds. Fields
    are quoted, in a `.tsv` only where that shows: GLUE's files have none of it.

    Args:
        path: Path. For messages.
        text: str. The file's.
        kind: str. `"csv"` or `"tsv"`.
        width: int or None. Columns, where the first record is no header.
        delimiter: str or None. If it is known.

    Raises:
        InputError: If several delimiters fit.
    """
    usual = _dialect(text, kind, delimiter or _USUAL[kind])
    if delimiter is not None or width == 1 or _fits(text, usual, width):
        return usual
    dialects = [_dialect(text, kind, other) for other in _CANDIDATES if other != usual.delimiter]
    fitting = [dialect for dialect in dialects if _fits(text, dialect, width)]
    if not fitting and _header_width(text, usual) < 2:
        # Some row is wrong. The header alone tells the delimiter, and then which row it is.
        fitting = [dialect for dialect in dialects if _header_width(text, dialect) > 1]
    if len(fitting) > 1:
        names = " or ".join(repr(dialect.delimiter) for dialect in fitting)
        raise InputError(
            f"{path}: fields may be divided by {names}; --delimiter says by which. "
            f"Received: {text.lstrip()[:60].splitlines()[0]!r}"
        )
    return fitting[0] if fitting else usual


def _dialect(text: str, kind: str, delimiter: str) -> Dialect:
    if kind == "tsv" and delimiter == "\t":
        return Dialect(delimiter, '"' in text and _is_quoted(text))
    return Dialect(delimiter, quoted=True)


def _is_quoted(text: str) -> bool:
    """Whether a table that could do without quotes has them.

    It has if all records are well with them and not without; or if it is well both ways, and the
    header is quoted, or quotes inside a quoted field are doubled.
    """
    try:
        widths = {len(row) for row in _rows(text, Dialect("\t", quoted=True))}
    except InputError:
        return False
    if len(widths) != 1:
        return False
    shows = None
    for row in _rows(text, Dialect("\t", quoted=False)):
        if len(row) not in widths:
            return True
        quoted = [field for field in row if field[:1] == '"']
        shows = shows or (shows is None and len(quoted) == len(row))
        shows = shows or any('""' in field[1:-1] for field in quoted)
    return bool(shows)


def _fits(text: str, dialect: Dialect, width: int | None) -> bool:
    """Whether the first records have as many fields as the header, two or more."""
    try:
        rows = list(itertools.islice(_rows(text, dialect), _PROBE))
    except InputError:
        return False
    width = width or len(rows[0] if rows else [])
    return width > 1 and all(len(row) == width for row in rows)


def _header_width(text: str, dialect: Dialect) -> int:
    try:
        return len(next(_rows(text, dialect), []))
    except InputError:
        return 0


def _rows(text: str, dialect: Dialect) -> Iterator[list[str]]:
    """The records that are not blank."""
    return (row for _, row in records(text, dialect, Path()) if "".join(row).strip())
