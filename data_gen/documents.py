"""What flows through data generation: documents of text, then documents of tokens."""

import dataclasses
from collections.abc import Iterator

import numpy as np


@dataclasses.dataclass(frozen=True)
class Document:
    """A document as it was read.

    Args:
        paragraphs: list of str, none of them empty, without line breaks.
        units: None, or for each paragraph the spans of words, phrases or entities that came with
            the text: a list of `(start, end)` in characters, ascending, without overlap.
    """

    paragraphs: list[str]
    units: list[list[tuple[int, int]]] | None = None

    @property
    def bytes(self) -> int:
        """Size of the text in UTF-8."""
        return sum(len(paragraph.encode()) for paragraph in self.paragraphs)


class Source:
    """A file or a data set: what one process reads from beginning to end. It can be pickled.

    Args:
        name: str.
        size: int. Bytes on disk, estimated where they cannot be known.

    Attributes:
        name: str.
        bytes: int.
        bytes_read: int. How many of them the latest iteration has read.
    """

    def __init__(self, name: str, size: int):
        self.name = name
        self.bytes = size
        self.bytes_read = 0

    def documents(self) -> Iterator[Document]:
        """Yields the documents; none exceeds `MAXIMUM_DOCUMENT_BYTES`."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class TokenizedDocuments:
    """Documents as ids, side by side; no document and no sentence is empty.

    Args:
        token_ids: int32 array `(tokens,)`.
        sentence_starts: int64 array `(sentences + 1,)`. Where each sentence starts in `token_ids`,
            and the number of tokens.
        document_starts: int64 array `(documents + 1,)`. Where each document starts among the
            sentences, and the number of sentences.
        unit_starts: None, or bool array `(tokens,)`. True where a masking unit begins: a word, a
            phrase or an entity.
        lexicon_tokens: None, or int. Tokens of entries of the lexicon.
    """

    token_ids: np.ndarray
    sentence_starts: np.ndarray
    document_starts: np.ndarray
    unit_starts: np.ndarray | None = None
    lexicon_tokens: int | None = None

    def __len__(self) -> int:
        return len(self.document_starts) - 1
