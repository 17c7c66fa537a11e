"""Lines of UTF-8 files, however long the lines and however damaged the files."""

import bz2
import contextlib
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path

from keras_bert.errors import InputError

COMPRESSIONS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_BUFFER_BYTES = 1 << 17


class LineReader(contextlib.AbstractContextManager):
    """Reads a file, decompressed by the end of its name, line by line.

    A byte-order mark at the beginning is dropped. Memory holds one line, of bounded length.

    Args:
        path: Path.

    Attributes:
        line: int. The number of the line that was read last, from 1.
        bytes_read: int. How much of the file on disk has been read.

    Raises:
        InputError: When entered or read, if the file cannot be read, is damaged, or is not UTF-8.
            The message names file and line.

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
            self._raw = open(self.path, "rb")
            opener = COMPRESSIONS.get(self.path.suffix)
            file = opener(self._raw, "rb") if opener else self._raw
            self._file = io.BufferedReader(file, _BUFFER_BYTES)
        return self

    def __exit__(self, *_) -> None:
        self._raw.close()

    @property
    def bytes_read(self) -> int:
        return self._raw.tell()

    def beginning(self) -> str:
        """Returns the first line that is not blank, or the beginning of it."""
        with self._faults():
            start = self._file.peek(_BUFFER_BYTES)
        text = start.decode("utf-8-sig", errors="replace").lstrip()
        return text.split("\n", 1)[0]

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
                f"Received: byte 0x{error.object[error.start]:02x}"
            ) from error

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise InputError(f"{self.path}: cannot read after line {self.line}: {error}") from error


def _place_to_cut(data: bytes) -> int:
    """Returns where a piece of a line ends, of which more may follow."""
    end = data.rfind(b" ") + 1
    if end:
        return end
    end = len(data) - 1
    while end > len(data) - 4 and data[end] & 0xC0 == 0x80:  # inside a character
        end -= 1
    return end
