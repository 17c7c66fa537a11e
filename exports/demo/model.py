"""An export as a function from one input to one reply of plain Python values."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the operations of exports

from exports.verification import read_description
from keras_bert.errors import InputError

_GRAPH = "saved_model.pb"


class DemoModel:
    """One version of an export.

    Args:
        name: str. What the page calls it.
        functions: Signatures by name, of string tensors by keyword to a dictionary of tensors.
        description: dict. What the export says of itself.

    Example:

    ```python
    model = load("exported")
    reply = model.ask(text="a fine film")
    reply["label"]  # "positive"
    ```
    """

    def __init__(
        self, name: str, functions: Mapping[str, Callable[..., Any]], description: Mapping[str, Any]
    ):
        self.name = name
        self.description = description
        self._functions = functions

    def ask(
        self, signature: str = "serving_default", **inputs: str | Sequence[str]
    ) -> dict[str, Any]:
        """Returns the reply to one row: numbers, strings and lists of them, without a batch axis.

        Args:
            signature: str.
            **inputs: A string, or a list of strings where a row has several.
        """
        rows = {name: tf.constant([_encoded(value)]) for name, value in inputs.items()}
        reply = self._functions[signature](**rows)
        return {name: _plain(tensor.numpy()[0]) for name, tensor in reply.items()}

    def examples(self, signature: str = "serving_default") -> list[list]:
        """Returns the inputs of a signature's example, a list for each row."""
        columns = self.description["signatures"][signature]["example"].values()
        return [list(row) for row in zip(*columns, strict=True)]


def load(directory: Path) -> DemoModel:
    """Loads the newest version.

    Args:
        directory: Path. Holds the versions `1`, `2`, ..., or is one of them.

    Raises:
        InputError: If there is no version, or the newest does not load.
    """
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory")
    version = directory.resolve()
    if not (version / _GRAPH).is_file():
        version = _newest(directory).resolve()
    description = read_description(version)
    try:
        loaded = tf.saved_model.load(str(version))
    except (OSError, RuntimeError, ValueError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{version}: does not load: {reason}") from error
    name = f"{version.parent.name}, version {version.name}"
    return DemoModel(name, dict(loaded.signatures), description)


def _newest(directory: Path) -> Path:
    versions = [
        path
        for path in directory.iterdir()
        if path.name.isascii() and path.name.isdigit() and (path / _GRAPH).is_file()
    ]
    if not versions:
        raise InputError(
            f"{directory}: no version of an export stands there; `savedmodel` writes them"
        )
    return max(versions, key=lambda path: int(path.name))


def _encoded(value: str | Sequence[str]) -> Any:
    # Browsers may send halves of surrogate pairs, which have no UTF-8.
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return [_encoded(part) for part in value]


def _plain(value: Any) -> Any:
    """A NumPy value, or bytes, as plain Python; arrays as lists."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray):
        return [_plain(part) for part in value]
    return value.item()
