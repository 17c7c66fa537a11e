"""Documents from files, one at a time."""

import glob
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

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
        raise InputError(f"`--input`: no file matches. Received: {pattern!r}")
    return paths


class Corpus:
    """The documents of some files, each a list of paragraphs.

    In `.jsonl` and `.json` files a line is an object whose field `text` is a document, with a
    paragraph per line. In all others a blank line ends a document, so that a file without one is
    one document. Files that end with `.gz` are decompressed. Memory holds one document.

    Args:
        pattern: str. A glob.

    Attributes:
        bytes: int. Size of all files on disk.
        bytes_read: int. How many of them the latest iteration has read.

    Raises:
        InputError: If nothing matches; while iterating, if a file is damaged, not UTF-8 or not
            JSON lines, or if all files together hold no text. The message names file and line.

    Example:

    ```python
    for paragraphs in Corpus("corpus/**/*.txt.gz"):
        print(len(paragraphs))
    ```
    """

    def __init__(self, pattern: str):
        self.pattern = pattern
        self.files = find_files(pattern)
        self.bytes = sum(path.stat().st_size for path in self.files)
        self.bytes_read = 0

    def __iter__(self) -> Iterator[list[str]]:
        self.bytes_read = 0
        empty = True
        for path in self.files:
            kind = path.name.removesuffix(".gz").rsplit(".", 1)[-1]
            split = _json_documents if kind in ("jsonl", "json") else _text_documents
            for paragraphs in split(self._lines(path)):
                empty = False
                yield paragraphs
        if empty:
            raise InputError(
                f"`--input`: the corpus is empty: no text in the files. Received: {self.pattern!r}"
            )

    def _lines(self, path: Path) -> Iterator[tuple[str, str]]:
        """Yields each line's place, for messages, and its text without the line's end."""
        number = 0
        before = self.bytes_read
        try:
            with open(path, "rb") as raw:
                file = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
                for number, line in enumerate(file, start=1):
                    self.bytes_read = before + raw.tell()
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                    yield f"{path}, line {number}", text.rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}, line {number}: the text must be UTF-8: {error.reason}. "
                f"Received: byte 0x{error.object[error.start]:02x}"
            ) from error
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path}: cannot read after line {number}: {error}") from error


def _text_documents(lines: Iterator[tuple[str, str]]) -> Iterator[list[str]]:
    paragraphs: list[str] = []
    for _, line in lines:
        if line.strip():
            paragraphs.append(line.strip())
        elif paragraphs:
            yield paragraphs
            paragraphs = []
    if paragraphs:
        yield paragraphs


def _json_documents(lines: Iterator[tuple[str, str]]) -> Iterator[list[str]]:
    for place, line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{place}: a JSON object per line is expected: {error}") from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise InputError(
                f'{place}: an object with the string "text" is expected. Received: {line[:60]}'
            )
        try:
            row["text"].encode()
        except UnicodeEncodeError as error:  # JSON can spell half of a surrogate pair.
            raise InputError(f'{place}: "text" must be valid Unicode: {error.reason}') from error
        paragraphs = [part.strip() for part in row["text"].split("\n") if part.strip()]
        if paragraphs:
            yield paragraphs
