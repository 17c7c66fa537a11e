"""Rows of JSON: an object on each line, or a list of objects or strings."""

import json
from collections.abc import Iterator
from typing import Any

from data_gen.lines import LineReader
from keras_bert.errors import InputError

_BLOCK_CHARACTERS = 1 << 16
_SPACES = " \t\r\n"
_SHOWN = 60


def first_object(line: str) -> bool:
    """Whether a line is a JSON object."""
    if not line.startswith("{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def begins_list(text: str, *, strings: bool = True) -> bool:
    """Whether a text begins as a JSON list whose first item is an object or, maybe, a string."""
    text = text.lstrip()
    item = text[1:].lstrip()
    if not text.startswith("[") or item[:1] not in ("{", "]", '"' if strings else "{"):
        return False
    if item.startswith("]"):
        return not item[1:].strip()
    try:
        _, end = json.JSONDecoder().raw_decode(item)
    except (ValueError, RecursionError):
        # A long first item, of which this is the beginning.
        return item.startswith("{") and '":' in item.replace(" ", "")[:_SHOWN]
    return item.startswith("{") or item[end:].lstrip()[:1] in (",", "]")


def list_items(reader: LineReader, limit: int) -> Iterator[tuple[str, Any]]:
    """Yields the places and items of a JSON list, one item in memory.

    Args:
        reader: `LineReader`.
        limit: int. Most characters of an item.

    Raises:
        InputError: If the file is no such list or an item is too long.
    """
    decode = json.JSONDecoder().raw_decode
    blocks = _blocks(reader)
    text = next(blocks, "").lstrip(_SPACES)[1:]
    number, place, needed = 0, 0, 0
    separator = ""
    ended = False
    while True:
        while place < len(text) and text[place] in _SPACES:
            place += 1
        where = f"{reader.path}, item {number + 1}"
        if text[place : place + 1] == "]":
            _check_end(reader, text[place + 1 :], blocks)
            return
        if place < len(text) and separator:
            if text[place] != separator:
                raise InputError(
                    f"{where}: a comma or the end of the list is expected. "
                    f"Received: {text[place : place + _SHOWN]}"
                )
            place, separator = place + 1, ""
            continue
        fault: Exception | None = None
        if ended or len(text) - place > needed:
            try:
                item, end = decode(text, place)
            except (ValueError, RecursionError) as error:
                # It may go on in the next block; looked at again when there is twice as much.
                needed, fault = 2 * (len(text) - place), error
            else:
                number, place, separator, needed = number + 1, end, ",", 0
                yield where, item
                continue
        text, place = text[place:], 0
        if len(text) > limit:
            raise InputError(
                f"{where}: an item of the list must be JSON of at most {limit:,} characters. "
                f"Received: {text[:_SHOWN]}..."
            )
        if ended:
            raise InputError(
                f"{where}: not JSON, or the file ends before the list: {fault}. "
                f"Received: {text[:_SHOWN]}"
            )
        more = next(blocks, "")
        text, ended = text + more, not more


def _blocks(reader: LineReader) -> Iterator[str]:
    parts: list[str] = []
    size = 0
    for piece in reader.pieces(_BLOCK_CHARACTERS):
        parts.append(piece)
        size += len(piece)
        if size >= _BLOCK_CHARACTERS:
            yield "".join(parts)
            parts, size = [], 0
    if parts:
        yield "".join(parts)


def _check_end(reader: LineReader, rest: str, blocks: Iterator[str]) -> None:
    for text in (rest, *blocks):
        if text.strip():
            raise InputError(
                f"{reader.path}: nothing may follow a JSON list. Received: {text.strip()[:_SHOWN]}"
            )
