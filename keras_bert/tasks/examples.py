"""Examples of a task as its files have them: texts, targets, names."""

import dataclasses
import hashlib
import json
import re
from typing import Any

import numpy as np

from keras_bert.errors import InputError

# Half of a surrogate pair: JSON can spell it, UTF-8 cannot.
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclasses.dataclass(frozen=True)
class Examples:
    """Examples of one file, before tokenization.

    Args:
        columns: dict. The inputs of a `Predictor` by field, each a list with a value for every
            example: a string (`text`), or a list of strings (`choices`, `words`).
        targets: list or None. What is to be predicted, in the form that the family of the task
            takes; None where the file does not say.
        ids: list of str or None. Names of the examples, for prediction files; None numbers them
            from 0.

    Raises:
        InputError: If columns, targets or ids differ in their number.

    Example:

    ```python
    Examples({"text": ["fine", "bad"]}, targets=[1, 0])
    ```
    """

    columns: dict[str, list]
    targets: list[Any] | None = None
    ids: list[str] | None = None

    def __post_init__(self):
        given = {**self.columns, "targets": self.targets, "ids": self.ids}
        counts = {name: len(values) for name, values in given.items() if values is not None}
        if len(set(counts.values())) > 1:
            received = ", ".join(f"{count} in {name}" for name, count in counts.items())
            raise InputError(
                f"examples must have a value in each column, one for every example. "
                f"Received: {received}"
            )

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def names(self) -> list[str]:
        """`ids`, or numbers from 0."""
        return self.ids if self.ids is not None else [str(i) for i in range(len(self))]

    @property
    def sha256(self) -> str:
        """Fingerprint of all examples, whatever file they were read from."""
        digest = hashlib.sha256(json.dumps([*self.columns, self.targets is not None]).encode())
        targets = self.targets if self.targets is not None else [None] * len(self)
        for row in zip(self.names, *self.columns.values(), targets, strict=True):
            # Of half a surrogate pair, JSON keeps the escape.
            digest.update(json.dumps(row, default=_plain).encode() + b"\n")
        return digest.hexdigest()

    def encodable(self) -> "Examples":
        """Returns the examples with U+FFFD for what has no encoding, halves of surrogate pairs."""
        columns = {name: _encodable(values) for name, values in self.columns.items()}
        return dataclasses.replace(self, columns=columns)

    def part(self, start: int, stop: int) -> "Examples":
        """Returns the examples from `start` to before `stop`."""
        return Examples(
            {name: values[start:stop] for name, values in self.columns.items()},
            None if self.targets is None else self.targets[start:stop],
            None if self.ids is None else self.ids[start:stop],
        )


def _plain(value: Any) -> Any:
    """What JSON has no form for, of the columns and targets that tasks make."""
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return dataclasses.asdict(value)


def _encodable(value: Any) -> Any:
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    if not isinstance(value, str) or value.isascii():
        return value
    return _SURROGATE.sub("\ufffd", value)
