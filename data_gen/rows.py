"""Rows of JSON lines and tables: a text and, where they come with it, its units."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from data_gen.paragraphs import Spans, split_paragraphs
from keras_bert.errors import InputError

TEXT = "text"
UNIT_FIELDS = ("words", "spans")
_SHOWN_CHARACTERS = 60


def parse_row(line: str, place: str, field: str = TEXT) -> dict[str, Any]:
    """Reads a JSON object.

    Args:
        line: str.
        place: str. File and line, for messages.
        field: str. That of the text.

    Raises:
        InputError: If the line is anything else; the message lists the fields that are there.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: a JSON object per line is expected: {error}") from error
    if not isinstance(row, dict) or not isinstance(row.get(field), str):
        fields = f", with the fields {', '.join(row)[:200]}" if isinstance(row, dict) else ""
        raise InputError(
            f'{place}: an object with the string "{field}" is expected; `--text-field` names '
            f"another field. Received: {line[:_SHOWN_CHARACTERS]}{fields}"
        )
    return row


def row_paragraphs(
    row: Mapping[str, Any], place: str, field: str = TEXT
) -> Iterator[tuple[str, Spans | None]]:
    """Yields the paragraphs of a row and their units.

    Args:
        row: Mapping with `text` and, at most one of the two, `words`, the text again with a space
            between each two words, or `spans`, a list of `[start, end]` in characters of the text.
        place: str. File and line, for messages.
        field: str. That of the text, where it is not `text`.

    Raises:
        InputError: If a field breaks its rule.

    Example:

    ```python
    row = {"text": "我爱北京", "words": "我 爱 北京"}
    list(row_paragraphs(row, "a.jsonl, line 1"))    # [("我爱北京", [(0, 1), (1, 2), (2, 4)])]
    ```
    """
    text = row.get(field)
    words, spans = (row.get(name) for name in UNIT_FIELDS)
    if not isinstance(text, str):
        raise InputError(f'{place}: "{field}" must be a string. Received: {_shown(text)}')
    try:
        text.encode()
    except UnicodeEncodeError as error:  # JSON can spell half of a surrogate pair.
        raise InputError(f'{place}: "{field}" must be valid Unicode: {error.reason}') from error
    if words is not None and spans is not None:
        raise InputError(f'{place}: either "words" or "spans" is expected. Received: both')
    units = None
    if words is not None:
        units = _units_of_words(text, words, place)
    elif spans is not None:
        units = _units_of_spans(text, spans, place)
    return split_paragraphs(text, units)


def _units_of_words(text: str, words: Any, place: str) -> Spans:
    if not isinstance(words, str):
        raise InputError(f'{place}: "words" must be a string. Received: {_shown(words)}')
    parts = words.split()
    places = [index for index, character in enumerate(text) if not character.isspace()]
    compact, joined = "".join(text.split()), "".join(parts)
    if compact != joined:
        pairs = zip(compact, joined, strict=False)
        same = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(compact), len(joined)))
        raise InputError(
            f'{place}: "words" must have the characters of "text", which has '
            f"{_shown(compact[same : same + 10])} after {same} of them. "
            f"Received: {_shown(joined[same : same + 10])}"
        )
    units = []
    start = 0
    for part in parts:
        end = start + len(part)
        units.append((places[start], places[end - 1] + 1))
        start = end
    _check_lines(text, units, "words", place)
    return units


def _units_of_spans(text: str, spans: Any, place: str) -> Spans:
    rule = (
        f'{place}: "spans" must be a list of [start, end], in characters of "text", ascending and '
        f"without overlap, inside its {len(text)} characters."
    )
    if not isinstance(spans, list):
        raise InputError(f"{rule} Received: {_shown(spans)}")
    units = []
    previous = 0
    for span in spans:
        numbers = isinstance(span, list) and [type(value) for value in span] == [int, int]
        if not numbers or not previous <= span[0] < span[1] <= len(text):
            raise InputError(f"{rule} Received: {_shown(span)} after {previous}")
        units.append((span[0], span[1]))
        previous = span[1]
    _check_lines(text, units, "spans", place)
    return units


def _check_lines(text: str, units: Spans, field: str, place: str) -> None:
    for start, end in units:
        if "\n" in text[start:end]:
            raise InputError(
                f'{place}: no unit of "{field}" may cross a line break of "text". '
                f"Received: {_shown(text[start:end])}"
            )


def _shown(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}..."
