"""Sources that are text: plain text, JSON, tables, extracted Wikipedia articles."""

import html
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from data_gen.documents import Document, Source
from data_gen.json_rows import begins_list, first_object, list_items
from data_gen.lines import LineReader
from data_gen.paragraphs import MAXIMUM_DOCUMENT_BYTES, Spans, gather, split_paragraphs
from data_gen.rows import TEXT, parse_row, row_paragraphs
from data_gen.tables import check_field, looks_like_table, table_dialect, table_texts
from keras_bert.errors import InputError, InputWarning
from keras_bert.reading import unpacked_name
from keras_bert.tasks.delimiters import Dialect

# A JSON object is parsed whole, which takes several times its size.
MAXIMUM_JSON_BYTES = 16_000_000
_ARTICLE = re.compile("<doc id=.*>")
_ARTICLE_END = "</doc>"
_LINE_NAMES = (".jsonl", ".ndjson")
_JSON_NAMES = (".json", *_LINE_NAMES)
_TABLE_NAMES = {".csv": "csv", ".tsv": "tsv"}
_JSON_OBJECT = re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:')
# Rows whose text is empty, of all, from which it is said.
_MANY_EMPTY, _LEAST_ROWS = 0.1, 10

Paragraphs = Iterator[tuple[str, Spans | None] | None]


class FileSource(Source):
    """The documents of a file, whose form shows in its first lines.

    Args:
        path: Path. Packed or not, whatever its name. JSON lines if the first line that is not
            blank is an object, or if the name ends with `.jsonl` or `.json`; a list of objects or
            strings if it begins as one; articles between `<doc id=...>` and `</doc>` if that line
            begins one; a table with a header if the name ends with `.csv` or `.tsv`, or if all
            first lines are rows and one column is the text's; otherwise text, with a paragraph
            per line and a blank line between documents.
        field: str or None. The field or column of the text; None stands for `text`.

    Example:

    ```python
    for document in FileSource(Path("corpus.txt.gz")).documents():
        print(len(document.paragraphs))
    ```
    """

    def __init__(self, path: Path, field: str | None = None):
        super().__init__(str(path), path.stat().st_size)
        self.path = path
        self.field = field
        self._rows = self._empty = 0

    def documents(self) -> Iterator[Document]:
        """Yields the documents.

        Raises:
            InputError: If the file is damaged or breaks the rules of its form. The message names
                file and line.
        """
        self.bytes_read = self._rows = self._empty = 0
        with LineReader(self.path) as reader:
            for document in gather(self._paragraphs(reader)):
                self.bytes_read = reader.bytes_read
                yield document
        self.bytes_read = self.bytes
        if self._rows >= _LEAST_ROWS and self._empty > _MANY_EMPTY * self._rows:
            warnings.warn(
                f"{self.path}: {self._empty:,} of {self._rows:,} rows have an empty text, usually "
                "none; see whether the text stands in another field (`--text-field`)",
                InputWarning,
                stacklevel=2,
            )

    def _paragraphs(self, reader: LineReader) -> Paragraphs:
        first = reader.beginning()
        suffix = Path(unpacked_name(self.path)).suffix
        if begins_list(reader.sample(), strings=suffix not in _LINE_NAMES):
            return self._items(reader)
        if suffix in _JSON_NAMES:
            return self._json_lines(reader)
        if _ARTICLE.fullmatch(first.rstrip()):
            return _articles(reader)
        if first_object(first) or (_JSON_OBJECT.match(first) and self._has_field(first)):
            return self._json_lines(reader)
        if suffix in _TABLE_NAMES:
            dialect = table_dialect(reader, _TABLE_NAMES[suffix])
            return self._table(reader, dialect)
        if (found := looks_like_table(reader)) is not None:
            dialect, columns = found
            if (self.field or TEXT) in columns:
                return self._table(reader, dialect)
            if self.field is not None:
                raise InputError(
                    f"{self.path}: `--text-field` must be one of the columns "
                    f"{', '.join(columns)}. Received: {self.field!r}"
                )
            warnings.warn(
                f"{self.path}: read as text, though its lines look like rows of a table with the "
                f"columns {', '.join(columns)}; `--text-field` chooses one",
                InputWarning,
                stacklevel=2,
            )
        return _text(reader)

    def _has_field(self, line: str) -> bool:
        name = re.escape(self.field or TEXT)
        return re.search(rf'[{{,]\s*"{name}"\s*:\s*"', line) is not None

    def _row(self, paragraphs: Paragraphs) -> Paragraphs:
        """One document, counted."""
        self._rows += 1
        empty = True
        for paragraph in paragraphs:
            empty = False
            yield paragraph
        self._empty += empty
        yield None

    def _json_lines(self, reader: LineReader) -> Paragraphs:
        field = self.field or TEXT
        for line in reader.whole(MAXIMUM_JSON_BYTES):
            if line.strip():
                place = f"{reader.path}, line {reader.line}"
                row = parse_row(line.rstrip("\r\n"), place, field)
                yield from self._row(row_paragraphs(row, place, field))

    def _items(self, reader: LineReader) -> Paragraphs:
        field = self.field or TEXT
        for place, item in list_items(reader, MAXIMUM_JSON_BYTES):
            if isinstance(item, str) and self.field is None:
                item = {TEXT: item}
            if not isinstance(item, dict):
                raise InputError(
                    f"{place}: an object is expected, or all items strings without "
                    f"`--text-field`. Received: {str(item)[:60]}"
                )
            check_field(field, list(item), place)
            yield from self._row(row_paragraphs(item, place, field))

    def _table(self, reader: LineReader, dialect: Dialect) -> Paragraphs:
        field = self.field or TEXT
        for _, text in table_texts(reader, dialect, field, MAXIMUM_JSON_BYTES):
            yield from self._row(split_paragraphs(text))


def _text(reader: LineReader) -> Paragraphs:
    for line in reader.pieces(MAXIMUM_DOCUMENT_BYTES):
        text = line.strip()
        yield (text, None) if text else None


def _articles(reader: LineReader) -> Paragraphs:
    """Articles as WikiExtractor writes them: the title is an attribute and again the first line."""
    inside = False
    title = None
    for line in reader.pieces(MAXIMUM_DOCUMENT_BYTES):
        text = line.strip()
        begin = _ARTICLE.fullmatch(text)
        if begin is not None and not inside:
            inside = True
            # A title may hold quotation marks of its own.
            attribute = text.partition('title="')[2].rpartition('"')[0]
            title = html.unescape(attribute).strip()
        elif text == _ARTICLE_END and inside:
            inside = False
            yield None
        elif text and (begin is not None or not inside):
            expected = "</doc>" if inside else "<doc id=...>"
            raise InputError(
                f"{reader.path}, line {reader.line}: {expected} is expected. Received: {text[:60]}"
            )
        elif text:
            if html.unescape(text) != title:
                yield text, None
            title = None
    if inside:
        raise InputError(f"{reader.path}, line {reader.line}: the file ends before </doc>")
