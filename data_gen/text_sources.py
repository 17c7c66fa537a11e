"""Sources that are lines of text: plain text, JSON lines, extracted Wikipedia articles."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from data_gen.documents import Document, Source
from data_gen.lines import COMPRESSIONS, LineReader
from data_gen.paragraphs import MAXIMUM_DOCUMENT_BYTES, Spans, gather
from data_gen.rows import parse_row, row_paragraphs
from keras_bert.errors import InputError

# A JSON object is parsed whole, which takes several times its size.
MAXIMUM_JSON_BYTES = 16_000_000
_ARTICLE = re.compile("<doc id=.*>")
_ARTICLE_END = "</doc>"
_JSON_OBJECT = re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:')
_JSON_TEXT = re.compile(r'[{,]\s*"text"\s*:\s*"')

Paragraphs = Iterator[tuple[str, Spans | None] | None]


class FileSource(Source):
    """The documents of a file, whose form shows in its name and its first line.

    Args:
        path: Path. JSON lines if its name ends with `.jsonl` or `.json`, before `.gz`, `.bz2` or
            `.xz`, or if the first line that is not blank is an object with a field `text`; articles
            between `<doc id=...>` and `</doc>` if that line begins one; otherwise text, with a
            paragraph per line and a blank line between documents.

    Example:

    ```python
    for document in FileSource(Path("corpus.txt.gz")).documents():
        print(len(document.paragraphs))
    ```
    """

    def __init__(self, path: Path):
        super().__init__(str(path), path.stat().st_size)
        self.path = path

    def documents(self) -> Iterator[Document]:
        """Yields the documents.

        Raises:
            InputError: If the file is damaged or breaks the rules of its form. The message names
                file and line.
        """
        self.bytes_read = 0
        with LineReader(self.path) as reader:
            for document in gather(self._paragraphs(reader)):
                self.bytes_read = reader.bytes_read
                yield document
        self.bytes_read = self.bytes

    def _paragraphs(self, reader: LineReader) -> Paragraphs:
        first = reader.beginning()
        path = self.path.with_suffix("") if self.path.suffix in COMPRESSIONS else self.path
        if path.suffix in (".jsonl", ".json"):
            return _json_rows(reader)
        if _ARTICLE.fullmatch(first.rstrip()):
            return _articles(reader)
        if _JSON_OBJECT.match(first) and _JSON_TEXT.search(first):
            return _json_rows(reader)
        return _text(reader)


def _text(reader: LineReader) -> Paragraphs:
    for line in reader.pieces(MAXIMUM_DOCUMENT_BYTES):
        text = line.strip()
        yield (text, None) if text else None


def _json_rows(reader: LineReader) -> Paragraphs:
    for line in reader.whole(MAXIMUM_JSON_BYTES):
        if line.strip():
            place = f"{reader.path}, line {reader.line}"
            yield from row_paragraphs(parse_row(line.rstrip("\r\n"), place), place)
            yield None


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
