"""Files and directories that appear complete or not at all.

Everything written by this project goes to a temporary name beside its destination and is renamed
at the end, so that a killed process leaves the earlier state or the new one, never half of it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_bert.failures import name_place
from keras_bert.interruption import cleaned

_PREFIX = ".incomplete-"
# Of a destination's name in that of its temporary one, which file systems limit to 255 bytes.
_NAME_BYTES = 200


@contextlib.contextmanager
def new_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path that replaces `path` when the block ends without an error.

    Args:
        path: The destination. Its directory is made when it is missing.

    Raises:
        OSError: If it cannot be written; the error names the destination.

    Example:

    ```python
    with new_file("run/metrics.json") as temporary:
        temporary.write_text("{}")
    ```
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{_PREFIX}{os.getpid()}-{_part(path.name)}"
    try:
        with cleaned(lambda: temporary.unlink(missing_ok=True)):
            yield temporary
            _sync(temporary)
            os.replace(temporary, path)
            _sync(path.parent)
    except Exception as error:
        name_place(error, path, temporary)
        raise
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
        OSError: If it cannot be written; the error names the destination.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists already")
    with incomplete_directory(path.parent, path.name) as temporary:
        try:
            yield temporary
            publish(temporary, path)
        except Exception as error:
            name_place(error, path, temporary)
            raise


@contextlib.contextmanager
def incomplete_directory(parent: str | os.PathLike, name: str) -> Iterator[Path]:
    """Yields a new temporary directory in `parent`, removed at the end if it still stands.

    It is locked as long as the block runs, so that `remove_incomplete` of another process leaves
    it alone; the lock of a process ends with it, however it ends.

    Args:
        parent: Path. It is made when it is missing.
        name: str. What the directory is for, as a part of its name.
    """
    parent = Path(parent)
    parent.mkdir(parents=True, exist_ok=True)
    temporary, descriptor = _locked_directory(parent, name)
    try:
        with cleaned(lambda: shutil.rmtree(temporary, ignore_errors=True)):
            yield temporary
    except Exception as error:
        name_place(error, parent, temporary)
        raise
    finally:
        os.close(descriptor)
        shutil.rmtree(temporary, ignore_errors=True)


def _locked_directory(parent: Path, name: str) -> tuple[Path, int]:
    while True:
        temporary = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{_part(name)}-", dir=parent))
        # Before it is locked, another process may take it for a leftover and remove it.
        with contextlib.suppress(FileNotFoundError):
            descriptor = _lock(temporary, wait=True)
            if temporary.exists():
                return temporary, descriptor
            os.close(descriptor)


def _part(name: str) -> str:
    return os.fsdecode(os.fsencode(name)[:_NAME_BYTES])


def publish(temporary: Path, path: str | os.PathLike) -> None:
    """Gives a directory its final name in one step, once all of it is on the disk.

    Raises:
        OSError: If a directory with files in it has the name.
    """
    temporary.chmod(0o755)  # mkdtemp makes private directories; a server must read this one.
    # On the disk before the name is: a rename can outrun the data when the power fails.
    for directory, _, names in os.walk(temporary):
        for name in (*names, "."):
            _sync(Path(directory) / name)
    os.rename(temporary, path)
    _sync(Path(path).parent)


@contextlib.contextmanager
def locked(directory: str | os.PathLike) -> Iterator[None]:
    """Waits until no other process is in such a block of the same directory.

    On file systems without locks of directories it does not wait.
    """
    descriptor = _lock(Path(directory), wait=True)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(directory: Path, *, wait: bool) -> int | None:
    """A descriptor that locks a directory until it is closed; None where another one does."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if wait and not isinstance(error, BlockingIOError):
            # There are no locks here. `remove_incomplete` gets none either and removes nothing.
            return descriptor
        os.close(descriptor)
        return None
    return descriptor


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


def check_room(directory: str | os.PathLike, size: int) -> None:
    """Checks that a file of a size can be written, for libraries that crash where it cannot.

    Args:
        directory: Where it is to be.
        size: int. Bytes.

    Raises:
        OSError: If the disk is full, or a quota or limit forbids it.
    """
    with tempfile.TemporaryFile(dir=directory) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)


def sha256_of_file(path: str | os.PathLike) -> str:
    """Returns the SHA-256 of a file as a hexadecimal string."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def remove_incomplete(directory: str | os.PathLike) -> None:
    """Removes what killed processes left half-written in `directory`.

    Directories that a process still writes are left alone (see `incomplete_directory`).
    """
    for path in Path(directory).glob(f"{_PREFIX}*"):
        if not path.is_dir():
            path.unlink(missing_ok=True)
            continue
        with contextlib.suppress(FileNotFoundError):
            descriptor = _lock(path, wait=False)
            if descriptor is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(descriptor)
