"""What a run's numbers depend on besides its options: inputs and versions."""

import hashlib
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any

from keras_bert.atomic import sha256_of_file

_DISTRIBUTIONS = ("keras-bert-tf", "keras", "tensorflow", "tensorflow-text", "numpy")


def fingerprint(path: str | os.PathLike) -> str:
    """Returns the SHA-256 of a file, or of the names and contents of a directory's files.

    Of an address, as that of a preset, it is that of the address.
    """
    path = Path(path)
    if not path.exists():
        return hashlib.sha256(str(path).encode()).hexdigest()
    if path.is_file():
        return sha256_of_file(path)
    files = sorted(file for file in path.iterdir() if file.is_file())
    lines = (f"{sha256_of_file(file)}  {file.name}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def digest(value: Any) -> int:
    """Returns a number of 60 bits that another value, of JSON, hardly has."""
    text = json.dumps(value, sort_keys=True)
    return int(hashlib.sha256(text.encode()).hexdigest()[:15], 16)


def versions() -> dict[str, str]:
    """Returns the versions of Python and of what computes the numbers."""
    return {"python": sys.version.split()[0], **{name: _version(name) for name in _DISTRIBUTIONS}}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"  # Run from a checkout that was not installed.
