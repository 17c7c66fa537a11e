"""Files and directories that appear complete or not at all.

Everything written by this project goes to a temporary name beside its destination and is renamed
at the end, so that a killed process leaves the earlier state or the new one, never half of it.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PREFIX = ".incomplete-"


@contextlib.contextmanager
def new_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path that replaces `path` when the block ends without an error.

    Args:
        path: The destination. Its directory is made when it is missing.

    Example:

    ```python
    with new_file("run/metrics.json") as temporary:
        temporary.write_text("{}")
    ```
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{_PREFIX}{os.getpid()}-{path.name}"
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_directory(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary directory that becomes `path` when the block ends without an error.

    Args:
        path: The destination; it must not exist, because a directory cannot be replaced in one
            step.

    Raises:
        FileExistsError: If `path` exists.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists already")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{path.name}-", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o755)  # mkdtemp makes private directories; a server must read this one.
        # On the disk before the name is: a rename can outrun the data when the power fails.
        for directory, _, names in os.walk(temporary):
            for name in (*names, "."):
                _sync(Path(directory) / name)
        os.rename(temporary, path)
        _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sync(path: Path) -> None:
    """Waits until a file, or the names in a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes `value` as indented JSON with a final newline."""
    with new_file(path) as temporary:
        text = json.dumps(value, indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def sha256_of_file(path: str | os.PathLike) -> str:
    """Returns the SHA-256 of a file as a hexadecimal string."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def remove_incomplete(directory: str | os.PathLike) -> None:
    """Removes what killed processes left half-written in `directory`."""
    for path in Path(directory).glob(f"{_PREFIX}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
