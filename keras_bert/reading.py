"""Reading files of others, without trust in what they hold or where they point to."""

import bz2
import codecs
import contextlib
import contextvars
import gzip
import io
import json
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from keras_bert.errors import InputError

_KINDS = {dict: "a JSON object", list: "a JSON list"}


def read_json(path: str | os.PathLike, kind: type) -> Any:
    """Reads a JSON file.

    Args:
        path: The file, UTF-8, with or without a byte order mark.
        kind: type. `dict` or `list`: what the file must hold.

    Raises:
        InputError: If the file is missing, cannot be read, is not JSON or holds something else.

    Example:

    ```python
    read_json("my-model/modules.json", list)
    ```
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot read it: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: damaged, not UTF-8: {error}") from error
    try:
        value = json.loads(text)
    # JSON of ten thousand brackets is a RecursionError.
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged, not JSON: {error}") from error
    if not isinstance(value, kind):
        raise InputError(f"{path}: must be {_KINDS[kind]}. Received: {shown(value)}")
    return value


def read_json_object(path: str | os.PathLike) -> dict[str, Any]:
    """Reads a JSON file that must hold an object; see `read_json`."""
    return read_json(path, dict)


def inside(directory: str | os.PathLike, name: Any) -> Path:
    """Returns the path of a file that another file names, in the same directory or below.

    Args:
        directory: Where the file that names it stands.
        name: What it says: a relative path.

    Raises:
        InputError: If the name is no string, or would lead out of the directory: by `..`, as an
            absolute path, or through a symbolic link to another directory.

    Example:

    ```python
    inside("my-model", "model-00001-of-00002.safetensors")
    ```
    """
    is_name = isinstance(name, str) and "\0" not in name and "\\" not in name
    if not is_name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(
            f"{directory}: must name files in it by relative paths without `..`. "
            f"Received: {shown(name)}"
        )
    path = Path(directory) / name
    # The file itself may be a link: caches of downloads keep their files elsewhere. A directory
    # may not, since any name below it would then lead out.
    parent = path.parent if Path(name).parts else path
    if not parent.resolve().is_relative_to(Path(directory).resolve()):
        raise InputError(
            f"{directory}: must not name files through a link to another directory. "
            f"Received: {shown(name)}"
        )
    return path


def shown(value: Any) -> str:
    """Returns a value as messages show it: on one line, of at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


class Compression(NamedTuple):
    """How files of one kind are packed.

    Args:
        name: str.
        suffix: str. How names of such files end; what a file is shows in its first bytes alone.
        magic: regular expression of the first bytes.
        open: Function from a binary file to one of what is packed in it.
    """

    name: str
    suffix: str
    magic: re.Pattern[bytes]
    open: Callable[[BinaryIO], BinaryIO]


def _open_zstd(file: BinaryIO) -> BinaryIO:
    try:
        import pyarrow
    except ImportError as error:
        raise InputError(
            f"{getattr(file, 'name', 'the file')}: reading Zstandard needs the package pyarrow: "
            "pip install 'keras-bert-tf[zstd]'"
        ) from error
    return _OtherStream(pyarrow.CompressedInputStream(pyarrow.PythonFile(file, "r"), "zstd").read)


class _OtherStream(io.RawIOBase):
    """A file of Python from a function that reads so many bytes, at most."""

    def __init__(self, read: Callable[[int], bytes]):
        self._read = read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            data = self._read(len(buffer))
        except ValueError as error:  # pyarrow.ArrowInvalid
            raise OSError(str(error)) from error
        buffer[: len(data)] = data
        return len(data)


COMPRESSIONS = (
    Compression("gzip", ".gz", re.compile(rb"\x1f\x8b\x08"), gzip.open),
    Compression("bzip2", ".bz2", re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), bz2.open),
    Compression("xz", ".xz", re.compile(rb"\xfd7zXZ\x00"), lzma.open),
    Compression(
        "Zstandard", ".zst", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), _open_zstd
    ),
)
SUFFIXES = tuple(compression.suffix for compression in COMPRESSIONS)
READ_FAULTS = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What reading packed files raises where they cannot be read or are damaged."""

BUFFER_BYTES = 1 << 17
BEGINNING = 4096
"""Bytes by which a file shows what it is."""

PARQUET = "a Parquet file"
_TEXT = "write it as text, JSON lines or Parquet"
_UNPACK = "unpack it first"
# What is no text, with the way on; zip files of known programs first.
_FORMS: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), name, way)
    for pattern, name, way in (
        (rb"PAR1[\x00-\x08\x0e-\x1f]", PARQUET, "only commands that read tables take it"),
        (rb"PK\x03\x04.{0,4000}word/", "a Word document", "save it as plain text"),
        (rb"PK\x03\x04.{0,4000}xl/", "an Excel workbook", "save it as CSV"),
        (rb"PK\x03\x04.{0,60}mimetypeapplication/epub", "an EPUB book", "save it as plain text"),
        (rb"PK\x03\x04.{0,60}mimetypeapplication/vnd", "an OpenDocument", "save it as plain text"),
        (rb"PK\x03\x04.{0,60}\.npy", "NumPy arrays", _TEXT),
        (rb"PK\x03\x04.{0,60}data\.pkl", "a checkpoint of PyTorch", _TEXT),
        (rb"PK(\x03\x04|\x05\x06)", "a ZIP archive", _UNPACK),
        (rb".{257}ustar", "a tar archive", _UNPACK),
        (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
        (rb"Rar!\x1a\x07", "a RAR archive", _UNPACK),
        (rb"\x04\x22\x4d\x18", "compressed by LZ4", _UNPACK),
        (rb"\x1f\x9d", "compressed by compress", _UNPACK),
        (rb"%PDF-\d", "a PDF document", "extract its text, for example with pdftotext"),
        (rb"%!PS-", "a PostScript document", "extract its text, for example with ps2ascii"),
        (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document", "save it as plain text"),
        (rb"\{\\rtf", "an RTF document", "save it as plain text"),
        (rb"\s*(<\?xml[^>]*>\s*)?<mediawiki", "a dump of Wikipedia", "extract it (WikiExtractor)"),
        (
            rb"\s*(<\?xml[^>]*>\s*)?(<!--.{0,1000}-->\s*)?(?i:<!doctype html|<html\b)",
            "an HTML page",
            "extract its text, for example with trafilatura",
        ),
        (rb"\s*<\?xml\b", "an XML document", "extract its text"),
        (rb"SQLite format 3\x00", "an SQLite database", _TEXT),
        (rb"\x93NUMPY", "a NumPy array", _TEXT),
        (rb"\x80[\x02-\x05][\x95\]}\(cX\x8c\x5d\x7d]", "a pickle, which is never opened", _TEXT),
        (rb"\x89HDF\r\n", "an HDF5 file", _TEXT),
        (rb"ARROW1\x00\x00|\xff{4}.{2}\x00\x00", "an Arrow file", "write it as Parquet"),
        (rb"FEA1\x00", "a Feather file", "write it as Parquet"),
        (rb"ORC[\x00-\x08\x0e-\x1f]", "an ORC file", "write it as Parquet"),
        (rb"Obj\x01", "an Avro file", _TEXT),
        (rb".{6}\x00\x00\{\s*\"", "a file of safetensors", _TEXT),
        (rb"GGUF[\x00-\x08]", "a GGUF model", _TEXT),
        (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|II\*\x00|MM\x00\*", "an image", "recognise its text"),
        (rb"\x7fELF|MZ.{0,100}This program", "a program", _TEXT),
        (rb"version https://git-lfs", "a pointer of Git LFS", "fetch the file with git lfs pull"),
    )
)
# A text may hold some NULs.
_MOST_NULS = 0.3


_RECORDED: contextvars.ContextVar[list[Path] | None] = contextvars.ContextVar(
    "recorded", default=None
)


def compression_of(beginning: bytes) -> Compression | None:
    """Returns how a file is packed, by its first bytes."""
    return next((kind for kind in COMPRESSIONS if kind.magic.match(beginning)), None)


def unpacked_name(path: str | os.PathLike) -> str:
    """Returns the name of a file in small letters, without the ending of its compression."""
    path = Path(path)
    return (path.stem if path.suffix.lower() in SUFFIXES else path.name).lower()


def form_of(beginning: bytes, *, nuls: bool = False) -> tuple[str, str] | None:
    """Returns what a file is that is no text, and the way on; None for a text.

    Args:
        beginning: bytes. The first ones of what is packed in it, `BEGINNING` of them.
        nuls: bool. Whether many NULs are text, as in encodings without a byte order mark.
    """
    for pattern, name, way in _FORMS:
        if pattern.match(beginning):
            return name, way
    if (packed := compression_of(beginning)) is not None:
        return f"compressed by {packed.name}", _UNPACK
    if is_records(beginning):
        return "a TFRecord file, as shards are", "name the text that they were made from"
    if nuls:
        return None
    marked = beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"\0\0\xfe\xff"))
    if beginning.count(0) > _MOST_NULS * len(beginning) and not marked:
        for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
            if not any(beginning[first::2]) and all(beginning[1 - first :: 2]):
                return f"{encoding} without a byte order mark", f"iconv -f {encoding} -t utf-8"
        return "a binary file", _TEXT
    return None


def is_records(beginning: bytes) -> bool:
    """Whether a file holds TFRecords: the length of the first one, and its checksum."""
    if len(beginning) < 12:
        return False
    crc = 0xFFFFFFFF
    for byte in beginning[:8]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return masked == int.from_bytes(beginning[8:12], "little")


def check_text(path: str | os.PathLike, beginning: bytes, *, nuls: bool = False) -> None:
    """Checks that a file may be text.

    Args:
        path: The file, for the message.
        beginning: bytes. The first ones of what is packed in it, `BEGINNING` of them.
        nuls: bool. Whether many NULs are text.

    Raises:
        InputError: If they are those of something else; the message names it and the way on.
    """
    if (found := form_of(beginning, nuls=nuls)) is not None:
        name, way = found
        raise InputError(f"{path}: must be text. Received: {name}; {way}")


def open_unpacked(file: io.BufferedReader) -> io.BufferedReader:
    """Returns what is packed in a binary file, by its first bytes and whatever its name says.

    Args:
        file: Binary file, at its beginning; it can be sought and stays open.

    Returns:
        A file that reads from it, or itself if it is not packed.

    Raises:
        InputError: If a package is missing that its compression needs.

    Example:

    ```python
    with open("corpus.txt.gz", "rb") as file:
        text = open_unpacked(file).read().decode()
    ```
    """
    beginning = file.read(BEGINNING)
    file.seek(0)
    packed = compression_of(beginning)
    return io.BufferedReader(packed.open(file), BUFFER_BYTES) if packed else file


def read_unpacked(path: str | os.PathLike) -> bytes:
    """Returns all that is packed in a file, see `open_unpacked`.

    Raises:
        InputError: If it cannot be read or is damaged.
    """
    recorded = _RECORDED.get()
    if recorded is not None:
        recorded.append(Path(path))
    try:
        with open(path, "rb") as file:
            return open_unpacked(file).read()
    except READ_FAULTS as error:
        raise InputError(f"{path}: cannot read: {error}") from error


@contextlib.contextmanager
def recorded_reads() -> Iterator[list[Path]]:
    """Yields a list that `read_unpacked` adds its files to while the block runs."""
    paths: list[Path] = []
    token = _RECORDED.set(paths)
    try:
        yield paths
    finally:
        _RECORDED.reset(token)


def same_file(first: str | os.PathLike, second: str | os.PathLike) -> bool:
    """Whether two names are, or would be, of one file, through links too."""
    try:
        return os.path.samefile(first, second)
    except OSError:
        # Not `Path.resolve`, which fails at a link to itself.
        return os.path.realpath(first) == os.path.realpath(second)
