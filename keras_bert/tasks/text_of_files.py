"""The text of a task's files: where they are, how they are packed and encoded."""

import os
import re
from pathlib import Path

from keras_bert.errors import InputError
from keras_bert.reading import BEGINNING, SUFFIXES, check_text, read_unpacked

_LINE_END = re.compile(r"\r\n|\n|\r")
_BYTE_ORDER_MARK = "\ufeff"
# Byte order marks of other encodings, the longer ones first.
_OTHER_MARKS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_BEGINNING = 4096


def packed_names(name: str) -> list[str]:
    """Returns a file's name and those that it has when it is compressed."""
    return [name, *(name + suffix for suffix in SUFFIXES)]


def find_file(directory: str | os.PathLike, name: str) -> Path:
    """Returns `directory/name` or a compressed one, in small letters or in capitals.

    Raises:
        InputError: If none exists.
    """
    for candidate in packed_names(name):
        if (path := Path(directory) / candidate).exists():
            return path
    if Path(directory).is_dir():
        wanted = {candidate.lower() for candidate in packed_names(name)}
        for path in sorted(Path(directory).iterdir()):
            if path.name.lower() in wanted:
                return path
    raise InputError(f"{Path(directory) / name}: no such file")


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """Returns a file's text without its byte order mark, compressed or not, whatever its name.

    Raises:
        InputError: If it cannot be read or has another encoding; the message names the line and
            the option that helps.
    """
    data = read_unpacked(path)
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        for mark, other in _OTHER_MARKS.items():
            if data.startswith(mark):
                raise InputError(_advice(f"{path}: the file must be UTF-8, but is {other}", other))
    check_text(path, data[:BEGINNING], nuls=True)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        rule = f"{path}, line {line}: the file must be {encoding.upper()}. "
        received = f"Received: byte 0x{error.object[error.start]:02x}"
        raise InputError(_advice(rule + received, "cp1252, gb18030 or another")) from error
    beginning = text[:_BEGINNING]
    if beginning.count("\0") > len(beginning) // 10:
        line = beginning.count("\n", 0, beginning.index("\0")) + 1
        rule = f"{path}, line {line}: the file has NUL bytes, as UTF-16 does"
        raise InputError(_advice(rule, "utf-16-le"))
    return text.removeprefix(_BYTE_ORDER_MARK)


def _advice(message: str, encoding: str) -> str:
    return f"{message}. Name its encoding, --encoding {encoding}, or convert it with iconv"


def lines_of(text: str) -> list[str]:
    """Divides a text at LF, CRLF and CR.

    Not as `splitlines` does: a word or a JSON string may hold U+2028 as it is.
    """
    return _LINE_END.split(text)
