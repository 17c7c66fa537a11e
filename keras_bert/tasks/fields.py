"""Fields of rows: texts, numbers, labels, and what is missing among them."""

import functools
import logging
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keras_bert.errors import InputError

_LOGGER = logging.getLogger(__name__)
# Around a name: white space, and what has no width and no meaning there.
_MARGIN = re.compile(r"^[\s\ufeff\u200b\u2060\0]+|[\s\ufeff\u200b\u2060\0]+$")
_WHOLE_NUMBER = re.compile(r"-?\d+\.0*")
_SHOWN_PLACES = 5


def trimmed(text: str) -> str:
    """Returns a name without the white space and the marks of no width around it."""
    return _MARGIN.sub("", text)


def is_missing(value: Any) -> bool:
    """Whether a field says nothing: null, not a finite number, or white space alone."""
    if isinstance(value, float):
        return not math.isfinite(value)
    return value is None or (isinstance(value, str) and not trimmed(value))


def field(row: Mapping[str, Any], name: str, place: str, *, option: str | None = None) -> str:
    """Returns a field that must be there, as a string.

    Args:
        row: Mapping.
        name: str.
        place: str. Where the row stands, for messages.
        option: str or None. The flag that names another field.

    Raises:
        InputError: If it is missing, in which case the message names the fields there are, or
            neither a string nor a number.
    """
    if name not in row:
        raise InputError(_absent(name, row, place, option))
    value = row[name]
    wrong = not isinstance(value, bool | int | float | str)
    if wrong or (isinstance(value, float) and math.isnan(value)):
        raise InputError(
            f"{place}: field {name!r} must be a string or a number. Received: {str(value)[:60]!r}"
        )
    return str(value)


def _absent(name: str, names: Iterable[str], place: str, option: str | None) -> str:
    advice = (
        f". {option} names another, --columns those of a table without a header" if option else ""
    )
    return f"{place}: field {name!r} is missing. Received: {', '.join(names)}{advice}"


def list_field(row: Mapping[str, Any], name: str, place: str) -> list[str]:
    """Returns a field that must be a list of strings or numbers, as strings.

    Raises:
        InputError: If it is missing or something else.
    """
    value = row.get(name)
    if not isinstance(value, list) or not all(_is_text(item) for item in value):
        raise InputError(
            f"{place}: field {name!r} must be a list of strings. Received: {str(value)[:60]}"
        )
    return [str(item) for item in value]


def number_field(row: Mapping[str, Any], name: str, place: str) -> float:
    """Returns a field that must be a finite number.

    Raises:
        InputError: If it is missing or something else.
    """
    text = field(row, name, place)
    try:
        # Python's own spelling of large numbers, 1_000, is no number of a table.
        value = math.nan if "_" in text else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{place}: field {name!r} must be a number. Received: {text!r}")
    return value


def _is_text(value: Any) -> bool:
    return isinstance(value, bool | int | str) or (
        isinstance(value, float) and math.isfinite(value)
    )


def label_name(value: Any, place: str, name: str = "label") -> str:
    """Returns the name of a class: without outer spaces, composed (NFC), and 1 for 1.0.

    Raises:
        InputError: If the value is missing or neither a string nor a number.
    """
    if is_missing(value) or not _is_text(value):
        raise InputError(
            f"{place}: field {name!r} must be a string or a number that is not empty. "
            f"Received: {str(value)[:60]!r}"
        )
    text = unicodedata.normalize("NFC", trimmed(str(value)))
    if isinstance(value, float) or _WHOLE_NUMBER.fullmatch(text):
        number = float(text)
        return str(int(number)) if number.is_integer() else text
    return text


def label_key(label: str) -> str:
    """Returns what is the same for two spellings of one label, such as `true` and `True`."""
    name = label_name(label, label) if trimmed(label) else label
    return name.lower() if name.lower() in ("true", "false") else name


def distinct_labels(names: Iterable[str]) -> tuple[str, ...]:
    """Returns the labels among some names, sorted; warns of those that look like one.

    Args:
        names: Those that `label_name` returns.
    """
    found: dict[str, str] = {}
    for name in names:
        key = label_key(name)
        found[key] = min(name, found.get(key, name))
    alike: dict[str, list[str]] = {}
    for name in sorted(found.values()):
        alike.setdefault(_loose(name), []).append(name)
    for group in alike.values():
        if len(group) > 1:
            _LOGGER.warning(
                "labels that look like one are different classes: %s",
                ", ".join(map(repr, group)),
            )
    return tuple(sorted(found.values()))


def _loose(name: str) -> str:
    try:
        return str(float(name))
    except ValueError:
        return " ".join(name.casefold().split())


@functools.lru_cache(maxsize=8)
def _indices(labels: tuple[str, ...]) -> dict[str, int]:
    return {label_key(label): index for index, label in reversed(list(enumerate(labels)))}


def label_index(label: str, labels: Sequence[str], place: str, *, numbered: bool = False) -> int:
    """Returns the index of a label.

    Args:
        label: str.
        labels: sequence of str.
        place: str. Where it stands, for messages.
        numbered: bool. Whether a number from 0 on stands for a label.

    Raises:
        InputError: If the label is outside the set.
    """
    index = _indices(tuple(labels)).get(label_key(label))
    if index is None and numbered and label.isdecimal() and int(label) < len(labels):
        index = int(label)
    if index is None:
        advice = "; --labels gives numbers their names" if label.isdecimal() else ""
        raise InputError(f"{place}: label {label!r} is not one of {', '.join(labels)}{advice}")
    return index


class LabelCheck:
    """Counts the rows of a file whose label is missing.

    Args:
        name: str. The label's field.
        optional: bool. Whether all rows may lack it, as those of a test.
        option: str or None. The flag that names another field.
        empty: bool. Whether an empty string is a label, as for several of them.
        is_number: bool. Whether it must be a number.

    Attributes:
        rows: int. How many have been seen.

    Example:

    ```python
    check = LabelCheck("label")
    targets = [row["label"] for place, row in rows if check.has(row, place)]
    check.finish()      # raises InputError: train.csv, line 3: field 'label' is empty ...
    ```
    """

    def __init__(
        self,
        name: str,
        *,
        optional: bool = False,
        option: str | None = None,
        empty: bool = False,
        is_number: bool = False,
    ):
        self.name = name
        self._optional = optional
        self._option = option
        self._empty = empty
        self._is_number = is_number
        self._missing: list[str] = []
        self.rows = 0
        self._without: tuple[str, list[str]] | None = None
        self._seen = False

    def has(self, row: Mapping[str, Any], place: str) -> bool:
        """Whether a row has a label; remembers where it does not."""
        self.rows += 1
        self._seen = self._seen or self.name in row
        value = row.get(self.name)
        if not is_missing(value) or (self._empty and isinstance(value, str)):
            return True
        self._missing.append(place)
        self._without = self._without or (place, list(row))
        return False

    def finish(self) -> bool:
        """Whether the rows have labels.

        Raises:
            InputError: If some have none, or all where that must not be.
        """
        if not self._missing:
            return True
        if self._optional and len(self._missing) == self.rows:
            return False
        place, names = self._without
        if not self._seen:
            raise InputError(_absent(self.name, names, place, self._option))
        raise InputError(
            missing_labels(self._missing, self.rows, self.name, is_number=self._is_number)
        )


def missing_labels(places: Sequence[str], rows: int, name: str, *, is_number: bool = False) -> str:
    """Returns what is wrong where labels are missing: how many there are, and where.

    Args:
        places: Those of the rows without one.
        rows: int. How many rows there are.
        name: str. The label's field.
        is_number: bool. Whether it must be a number.
    """
    lines = ", ".join(place.rsplit(", ", 1)[-1] for place in places[:_SHOWN_PLACES])
    more = f" and {len(places) - _SHOWN_PLACES} more" if len(places) > _SHOWN_PLACES else ""
    rule = f"field {name!r} must be a number, but" if is_number else "the label is missing:"
    subject = "" if is_number else f"field {name!r} "
    return (
        f"{places[0]}: {rule} {subject}is empty in {len(places)} of {rows} rows ({lines}{more}); "
        "fill it in, or take these rows out"
    )
