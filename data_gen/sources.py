"""Where documents come from."""

import glob
from collections.abc import Iterator
from pathlib import Path

from data_gen.documents import Document, Source
from data_gen.table_sources import TFDS_PREFIX, ParquetSource, TfdsSource
from data_gen.text_sources import FileSource
from keras_bert.errors import InputError


def find_files(pattern: str) -> list[Path]:
    """Returns the files of a glob, sorted.

    Args:
        pattern: str. A glob, in which `**` descends into directories, or the name of a file.

    Raises:
        InputError: If there is none.
    """
    if Path(pattern).is_file():  # A name may hold characters that mean something in a glob.
        return [Path(pattern)]
    paths = sorted(Path(path) for path in glob.glob(pattern, recursive=True))
    paths = [path for path in paths if path.is_file()]
    if not paths:
        hint = f"; for the files of a directory: {pattern}/**" if Path(pattern).is_dir() else ""
        raise InputError(f"`--input`: no file matches{hint}. Received: {pattern!r}")
    return paths


def find_sources(pattern: str) -> list[Source]:
    """Returns the sources that a pattern names, in a fixed order.

    Args:
        pattern: str. A glob of files (see `FileSource` for their forms; `.parquet` is read too), or
            `tfds:NAME` (see `TfdsSource`).

    Raises:
        InputError: If there is none.

    Example:

    ```python
    for source in find_sources("corpus/**/*.txt.gz"):
        print(source.name, source.bytes, sum(1 for _ in source.documents()))
    ```
    """
    if pattern.startswith(TFDS_PREFIX):
        return [TfdsSource(pattern)]
    return [
        ParquetSource(path) if path.suffix == ".parquet" else FileSource(path)
        for path in find_files(pattern)
    ]


class Corpus:
    """The documents of all sources that a pattern names. Memory holds one document.

    Args:
        pattern: str. See `find_sources`.

    Attributes:
        sources: list of `Source`.
        bytes: int. Size of all sources.
        bytes_read: int. How many of them the latest iteration has read.

    Raises:
        InputError: If nothing matches; while iterating, if a source is damaged or breaks the rules
            of its form, or if all together hold no text.

    Example:

    ```python
    for document in Corpus("corpus/**/*.txt.gz"):
        print(len(document.paragraphs))
    ```
    """

    def __init__(self, pattern: str):
        self.pattern = pattern
        self.sources = find_sources(pattern)
        self.bytes = sum(source.bytes for source in self.sources)
        self.bytes_read = 0

    def __iter__(self) -> Iterator[Document]:
        done = self.bytes_read = 0
        empty = True
        for source in self.sources:
            for document in source.documents():
                empty = False
                self.bytes_read = done + source.bytes_read
                yield document
            done = self.bytes_read = done + source.bytes
        if empty:
            raise InputError(
                f"`--input`: the corpus is empty: no text in it. Received: {self.pattern!r}"
            )
