"""Tables of text: whether a file is one, and its rows."""

import re
from collections.abc import Iterator, Sequence

from data_gen.lines import LineReader
from keras_bert.errors import InputError
from keras_bert.tasks.delimiters import Dialect, find_dialect, records

# Names of columns, as opposed to a first sentence. Texts have commas, and hardly tabs.
_NAMES = {
    ",": re.compile(r"[\w.-]{1,40}( [\w.-]{1,20})?"),
    "\t": re.compile(r".{1,60}"),
}
_LEAST_RECORDS = 3
_PROBED_RECORDS = 50


def table_dialect(reader: LineReader, kind: str) -> Dialect:
    """Returns how a table is written; `kind` is `"csv"` or `"tsv"`, as its name says.

    Raises:
        InputError: If several delimiters fit.
    """
    return find_dialect(reader.path, _whole_lines(reader.sample()), kind)


def looks_like_table(reader: LineReader) -> tuple[Dialect, list[str]] | None:
    """Returns how a table is written and its columns; None for any other text.

    A file is taken for a table if its first line holds different names of columns, two or more,
    and all of the first records, two or more, have as many fields. A text with commas has not.
    """
    text = _whole_lines(reader.sample())
    for dialect in (Dialect("\t", quoted=False), Dialect("\t", quoted=True), Dialect(",", True)):
        rows = []
        try:
            for _, row in records(text, dialect, reader.path):
                rows.append(row)
                if len(rows) > _PROBED_RECORDS:
                    break
        except InputError:
            continue
        header = [name.strip() for name in rows[0]] if rows else []
        if (
            len(header) > 1
            and len(set(header)) == len(header)
            and all(_NAMES[dialect.delimiter].fullmatch(name) for name in header)
            and len(rows) >= _LEAST_RECORDS
            and all(len(row) == len(header) for row in rows)
        ):
            return dialect, header
    return None


def table_texts(
    reader: LineReader, dialect: Dialect, field: str, limit: int
) -> Iterator[tuple[str, str]]:
    """Yields the places and texts of a table with a header.

    Args:
        reader: `LineReader`.
        dialect: `Dialect`.
        field: str. Name of the column.
        limit: int. Most bytes of a record.

    Raises:
        InputError: If there is no such column, or a record has too few or too many fields, is too
            long, or has a quote without its fellow.
    """
    size = 0
    first = 1

    def lines() -> Iterator[str]:
        nonlocal size
        for line in reader.whole(limit):
            size += len(line)
            if size > limit:
                raise InputError(
                    f"{reader.path}, line {first}: a record must have at most {limit:,} "
                    f"characters; a quote may lack its fellow. Received: {line[:60]}"
                )
            yield line

    header: Sequence[str] = ()
    for number, row in records(lines(), dialect, reader.path):
        size, first = 0, reader.line + 1
        place = f"{reader.path}, line {number}"
        if not "".join(row).strip():
            # A blank line, or a row of empty cells.
            continue
        if not header:
            header = [name.strip() for name in row]
            check_field(field, header, place, "column")
            if header.count(field) > 1:
                raise InputError(f"{place}: two columns have the name {field!r}")
            column = header.index(field)
            continue
        if len(row) != len(header):
            raise InputError(
                f"{place}: {len(header)} fields expected, divided by {dialect.delimiter!r}; a "
                f"field that holds it needs quotes. Received: {len(row)}"
            )
        yield place, row[column]


def check_field(field: str, names: Sequence[str], place: str, kind: str = "field") -> None:
    """Checks that rows have the field of the text.

    Raises:
        InputError: If they have not; the message lists those that are there.
    """
    if field not in names:
        listed = ", ".join(map(str, names)) or "none"
        raise InputError(
            f'{place}: a {kind} "{field}" is expected; `--text-field` names another. '
            f"Received: {listed[:200]}"
        )


def _whole_lines(text: str) -> str:
    """A beginning without the record that it may cut."""
    lines = text.split("\n")
    quotes = 0
    end = 0
    for number, line in enumerate(lines[:-1], start=1):
        quotes += line.count('"')
        if quotes % 2 == 0:
            end = number
    return text if len(lines) == 1 else "\n".join(lines[:end]) + "\n"
