"""Documents to files that data generation reads."""

import contextlib
import gzip
import json
from pathlib import Path

from data_gen.documents import Document

MAXIMUM_FILE_BYTES = 64_000_000
"""Largest file, in bytes before compression, but for its last document."""


class TextWriter(contextlib.AbstractContextManager):
    """Writes documents to compressed files of bounded size; equal documents give equal bytes.

    A document is text with a paragraph per line and a blank line behind it, in
    `text-00000.txt.gz`; one with units is a JSON line with `text` and `spans`, in
    `text-00000.jsonl.gz`.

    Args:
        directory: Path. An existing directory.

    Attributes:
        files: list of str. Names of the files, in the order in which they were begun.

    Example:

    ```python
    with TextWriter(Path("out")) as writer:
        writer.write(Document(["One.", "Two."]))
    ```
    """

    def __init__(self, directory: Path):
        self.directory = directory
        self.files: list[str] = []
        self._open: dict[str, tuple[gzip.GzipFile, int]] = {}

    def write(self, document: Document) -> None:
        """Writes one document."""
        kind = "txt" if document.units is None else "jsonl"
        data = (_text(document) if document.units is None else _json(document)).encode()
        file, size = self._open.get(kind) or self._begin(kind)
        file.write(data)
        size += len(data)
        self._open[kind] = (file, size)
        if size >= MAXIMUM_FILE_BYTES:
            self._open.pop(kind)[0].close()

    def _begin(self, kind: str) -> tuple[gzip.GzipFile, int]:
        number = sum(name.endswith(f".{kind}.gz") for name in self.files)
        name = f"text-{number:05d}.{kind}.gz"
        self.files.append(name)
        # Without a time, the same text gives the same bytes.
        return gzip.GzipFile(self.directory / name, "wb", 6, mtime=0), 0

    def __exit__(self, *_) -> None:
        while self._open:
            self._open.popitem()[1][0].close()


def _text(document: Document) -> str:
    return "\n".join(document.paragraphs) + "\n\n"


def _json(document: Document) -> str:
    spans, start = [], 0
    for paragraph, units in zip(document.paragraphs, document.units, strict=True):
        spans += [(unit_start + start, unit_end + start) for unit_start, unit_end in units]
        start += len(paragraph) + 1
    row = {"text": "\n".join(document.paragraphs), "spans": spans}
    return json.dumps(row, ensure_ascii=False) + "\n"
