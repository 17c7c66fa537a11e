"""Paragraphs, with the units that came with them, to documents of bounded size."""

import bisect
import operator
from collections.abc import Iterable, Iterator

from data_gen.documents import Document

MAXIMUM_DOCUMENT_BYTES = 2_000_000
"""Largest document, in bytes of UTF-8: a longer one is yielded in pieces."""

Spans = list[tuple[int, int]]
"""Units of a text, in characters: ascending, without overlap."""


def gather(paragraphs: Iterable[tuple[str, Spans | None] | None]) -> Iterator[Document]:
    """Gathers paragraphs into documents, none of them empty.

    Args:
        paragraphs: Iterable of a paragraph and its units, or of None where a document ends. No
            paragraph is empty or exceeds `MAXIMUM_DOCUMENT_BYTES`.

    Example:

    ```python
    list(gather([("One.", None), ("Two.", None), None, ("Three.", None)]))   # two documents
    ```
    """
    texts: list[str] = []
    units: list[Spans | None] = []
    size = 0
    for paragraph in paragraphs:
        length = 0
        if paragraph is not None:
            length = _byte_length(paragraph[0])
            if size + length <= MAXIMUM_DOCUMENT_BYTES:
                texts.append(paragraph[0])
                units.append(paragraph[1])
                size += length
                continue
        if texts:
            yield _document(texts, units)
        texts, units = ([], []) if paragraph is None else ([paragraph[0]], [paragraph[1]])
        size = length
    if texts:
        yield _document(texts, units)


def _document(texts: list[str], units: list[Spans | None]) -> Document:
    return Document(texts, None if units[0] is None else units)


def split_paragraphs(text: str, spans: Spans | None = None) -> Iterator[tuple[str, Spans | None]]:
    """Yields the lines of a text that are not blank, without the space around them.

    Args:
        text: str. A line longer than `MAXIMUM_DOCUMENT_BYTES` is cut, at a space if it has one.
        spans: units of the text. Each is shifted to its paragraph; one that a cut goes through
            becomes two.

    Example:

    ```python
    list(split_paragraphs("One\\n  two three", [(0, 3), (6, 9)]))
    # [("One", [(0, 3)]), ("two three", [(0, 3)])]
    ```
    """
    start = 0
    for line in text.split("\n"):
        for place, piece in _pieces(line):
            paragraph = piece.strip()
            if not paragraph:
                continue
            begin = start + place + len(piece) - len(piece.lstrip())
            if spans is None:
                yield paragraph, None
                continue
            yield paragraph, clip(spans, begin, begin + len(paragraph))
        start += len(line) + 1


def clip(spans: Spans, begin: int, end: int) -> Spans:
    """Returns the parts of spans that lie in `[begin, end)`, counted from `begin`."""
    first = bisect.bisect_right(spans, begin, key=operator.itemgetter(1))
    last = bisect.bisect_left(spans, (end,))
    inside = [(span_start - begin, span_end - begin) for span_start, span_end in spans[first:last]]
    if inside:
        inside[0] = (max(inside[0][0], 0), inside[0][1])
        inside[-1] = (inside[-1][0], min(inside[-1][1], end - begin))
    return inside


def _pieces(line: str) -> Iterator[tuple[int, str]]:
    """Yields places and pieces of a line that are not too long."""
    # No character has more than four bytes.
    longest = MAXIMUM_DOCUMENT_BYTES // 4
    start = 0
    while len(line) - start > longest and _byte_length(line[start:]) > MAXIMUM_DOCUMENT_BYTES:
        end = line.rfind(" ", start, start + longest) + 1 or start + longest
        yield start, line[start:end]
        start = end
    yield start, line[start:]


def _byte_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
