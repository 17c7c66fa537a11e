"""Lines of UTF-8 files, however long the lines and however damaged the files."""

import codecs
import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from keras_bert.errors import InputError
from keras_bert.reading import (
    BEGINNING,
    BUFFER_BYTES,
    READ_FAULTS,
    SUFFIXES,
    check_text,
    compression_of,
    open_unpacked,
)

# Byte order marks of other encodings, the longer ones first.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class LineReader(contextlib.AbstractContextManager):
    """Reads a file, decompressed if its first bytes say so, line by line.

    A byte order mark at the beginning is dropped; with that of UTF-16 or UTF-32 the file is read as
    such. Memory holds one line, of bounded length.

    Args:
        path: Path.

    Attributes:
        line: int. The number of the line that was read last, from 1.
        bytes_read: int. How much of the file on disk has been read.

    Raises:
        InputError: When entered or read, if the file cannot be read, is damaged, or is not UTF-8.
            The message names file and line, or what the file is in place of text.

    Example:

    ```python
    with LineReader(Path("corpus.txt.gz")) as reader:
        for text in reader.pieces(2_000_000):
            print(reader.line, text)
    ```
    """

    def __init__(self, path: Path):
        self.path = path
        self.line = 0

    def __enter__(self) -> "LineReader":
        with self._faults():
            self._raw = open(self.path, "rb", buffering=BUFFER_BYTES)
        try:
            self._open()
        except BaseException:
            self._raw.close()
            raise
        return self

    def _open(self) -> None:
        with self._faults():
            self._file = open_unpacked(self._raw)
            beginning = self._file.peek(BEGINNING)[:BEGINNING]
        check_text(self.path, beginning)
        for mark, encoding in _MARKS.items():
            if beginning.startswith(mark):
                self._file = io.BufferedReader(_AsUtf8(self._file, encoding), BUFFER_BYTES)
                break

    def __exit__(self, *_) -> None:
        self._raw.close()

    @property
    def bytes_read(self) -> int:
        return self._raw.tell()

    def sample(self) -> str:
        """Returns the beginning of the text, before any of it is read."""
        with self._faults():
            start = self._file.peek(BUFFER_BYTES)
        return start.decode("utf-8-sig", errors="replace")

    def beginning(self) -> str:
        """Returns the first line that is not blank, or the beginning of it."""
        return self.sample().lstrip().split("\n", 1)[0]

    def pieces(self, limit: int) -> Iterator[str]:
        """Yields each line; in pieces if it is long.

        Args:
            limit: int. Most bytes of a piece. A longer line is cut behind a space or, where it has
                none, between two characters; none of its pieces is blank.
        """
        rest = b""
        inside = False  # whether text of this line was already yielded
        ended = True
        with self._faults():
            while data := rest + self._file.readline(limit - len(rest)):
                self.line += ended
                ended = data.endswith(b"\n")
                end = len(data) if ended or len(data) < limit else _place_to_cut(data)
                data, rest = data[:end], data[end:]
                text = self._decode(data, first=self.line == 1 and not inside)
                has_text = bool(text.strip())
                if has_text or (ended and not inside):
                    yield text
                inside = (inside or has_text) and not ended

    def whole(self, limit: int) -> Iterator[str]:
        """Yields each line; refuses a line of more than `limit` bytes."""
        with self._faults():
            while data := self._file.readline(limit + 1):
                self.line += 1
                if len(data) > limit:
                    raise InputError(
                        f"{self.path}, line {self.line}: a line must have at most {limit:,} bytes. "
                        f"Received: {data[:60].decode(errors='replace')}..."
                    )
                yield self._decode(data, first=self.line == 1)

    def _decode(self, data: bytes, *, first: bool) -> str:
        try:
            return data.decode("utf-8-sig" if first else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{self.path}, line {self.line}: the text must be UTF-8: {error.reason}. "
                f"Received: byte 0x{error.object[error.start]:02x}{self._misnamed()}"
            ) from error

    def _misnamed(self) -> str:
        """What its name says of a file that is not packed."""
        self._raw.seek(0)
        if self.path.suffix.lower() in SUFFIXES and not compression_of(self._raw.read(BEGINNING)):
            return f"; the file is not compressed, though its name ends with {self.path.suffix}"
        return ""

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except READ_FAULTS as error:
            raise InputError(f"{self.path}: cannot read after line {self.line}: {error}") from error


class _AsUtf8(io.RawIOBase):
    """A file in another encoding, read as UTF-8."""

    def __init__(self, file: BinaryIO, encoding: str):
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        ended = False
        while not self._ready and not ended:
            data = self._file.read(BUFFER_BYTES)
            ended = not data
            try:
                self._ready = self._decoder.decode(data, ended).encode()
            except UnicodeError as error:
                raise OSError(f"damaged text: {error}") from error
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size


def _place_to_cut(data: bytes) -> int:
    """Returns where a piece of a line ends, of which more may follow."""
    end = data.rfind(b" ") + 1
    if end:
        return end
    end = len(data) - 1
    while end > len(data) - 4 and data[end] & 0xC0 == 0x80:  # inside a character
        end -= 1
    return end
