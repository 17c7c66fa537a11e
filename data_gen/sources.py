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

    Raises:
        InputError: If there is none.
    """
    paths = sorted(Path(path) for path in glob.glob(pattern, recursive=True))
    paths = [path for path in paths if path.is_file()]
    if not paths:
        raise InputError(f"`--input`: no file matches {pattern!r}")
    return paths


def read_documents(pattern: str) -> Iterator[list[str]]:
    """Yields documents as lists of paragraphs.

    In `.jsonl` files a line is an object whose field `text` is a document, with a paragraph per
    line. In all others a blank line ends a document, so that a file without one is one document.
    Files that end with `.gz` are decompressed. Memory holds one document.

    Args:
        pattern: str. A glob.

    Yields:
        Non-empty lists of non-empty strings.

    Raises:
        InputError: If nothing matches, a file is damaged, not UTF-8 or not JSON lines, or there is
            no document in all files; the message names file and line.

    Example:

    ```python
    for paragraphs in read_documents("corpus/**/*.txt.gz"):
        ...
    ```
    """
    empty = True
    for path in find_files(pattern):
        kind = path.name.removesuffix(".gz").rsplit(".", 1)[-1]
        documents = _json_documents(path) if kind in ("jsonl", "json") else _text_documents(path)
        for paragraphs in documents:
            empty = False
            yield paragraphs
    if empty:
        raise InputError(f"`--input`: the corpus is empty: no text in {pattern!r}")


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yields each line's place, for messages, and its text without the line's end."""
    number = 0
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                yield f"{path}, line {number}", text.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}, line {number}: the text must be UTF-8: {error.reason}"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot read after line {number}: {error}") from error


def _text_documents(path: Path) -> Iterator[list[str]]:
    paragraphs: list[str] = []
    for _, line in _lines(path):
        if line.strip():
            paragraphs.append(line.strip())
        elif paragraphs:
            yield paragraphs
            paragraphs = []
    if paragraphs:
        yield paragraphs


def _json_documents(path: Path) -> Iterator[list[str]]:
    for place, line in _lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{place}: not JSON: {error}") from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise InputError(f'{place}: an object with the string "text" is expected')
        paragraphs = [part.strip() for part in row["text"].split("\n") if part.strip()]
        if paragraphs:
            yield paragraphs
