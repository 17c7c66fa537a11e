"""How files of the user's own are written, where that cannot be read off them."""

import codecs
import dataclasses
from pathlib import Path

from keras_bert.errors import InputError

# Names for delimiters that are hard to type in a shell.
_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


@dataclasses.dataclass(frozen=True)
class FileFormat:
    """What the options of a command say of a task's files.

    Args:
        delimiter: str or None. Between the fields of a table; None takes the one that fits.
        columns: tuple of str. Names of a table's columns, where its first line holds data.
        encoding: str. Of the files, by Python's name.
        text_field: tuple of str. The field of the text, or those of a pair.
        label_field: str or None. The field of what is to be predicted.
        labels: tuple of str. Names of the classes or tags, in the order of the numbers that stand
            for them in the files.
        tag_scheme: str or None. `"bio"`, `"iobes"`, `"bmes"`, `"bilou"` or `"plain"`; None takes
            the one that fits.
        strict: bool. Refuse what would be left out or moved.

    Example:

    ```python
    task = task_named("classification", FileFormat(delimiter=";", text_field=("review",)))
    ```
    """

    delimiter: str | None = None
    columns: tuple[str, ...] = ()
    encoding: str = "utf-8"
    text_field: tuple[str, ...] = ()
    label_field: str | None = None
    labels: tuple[str, ...] = ()
    tag_scheme: str | None = None
    strict: bool = False

    @classmethod
    def from_options(
        cls,
        *,
        delimiter: str | None = None,
        columns: str | None = None,
        encoding: str = "utf-8",
        text_field: str | None = None,
        label_field: str | None = None,
        labels: str | None = None,
        tag_scheme: str | None = None,
        strict: bool = False,
    ) -> "FileFormat":
        """Reads the options of a command line; names in a list have commas between them.

        Raises:
            InputError: If one of them is not in its form.
        """
        return cls(
            delimiter=None if delimiter is None else _delimiter(delimiter),
            columns=_names(columns, "columns"),
            encoding=_encoding(encoding),
            text_field=_names(text_field, "text-field"),
            label_field=label_field,
            labels=_labels(labels),
            tag_scheme=tag_scheme,
            strict=strict,
        )

    def used(self) -> list[str]:
        """Returns the names of what differs from the defaults."""
        return [
            field.name
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        ]


DEFAULT_FORMAT = FileFormat()


def _delimiter(value: str) -> str:
    found = _DELIMITERS.get(value.lower(), value)
    if len(found) != 1 or found in '"\r\n':
        raise InputError(
            f"`--delimiter` must be one character, or one of {', '.join(_DELIMITERS)}. "
            f"Received: {value!r}"
        )
    return found


def _encoding(value: str) -> str:
    try:
        codecs.lookup(value)
        "".encode(value)  # Some codecs are no encodings of text.
    except (LookupError, ValueError) as error:
        raise InputError(
            "`--encoding` must be an encoding that Python knows, such as utf-8, utf-16, cp1252 or "
            f"gb18030. Received: {value!r}"
        ) from error
    return value


def _names(value: str | None, option: str) -> tuple[str, ...]:
    if value is None:
        return ()
    names = tuple(name.strip() for name in value.split(","))
    if not all(names) or len(set(names)) != len(names):
        raise InputError(
            f"`--{option}` must be different names with commas between them. Received: {value!r}"
        )
    return names


def _labels(value: str | None) -> tuple[str, ...]:
    """Names with commas between them, or a file with a name on each line."""
    if value is None or not Path(value).is_file():
        return _names(value, "labels")
    try:
        lines = Path(value).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"`--labels`: {value}: cannot read: {error}") from error
    names = tuple(line.strip() for line in lines if line.strip())
    if not names or len(set(names)) != len(names):
        raise InputError(f"`--labels`: {value}: a different name on each line is expected")
    return names
