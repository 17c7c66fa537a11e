"""Reading files of others, without trust in what they hold or where they point to."""

import json
import os
from pathlib import Path
from typing import Any

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
