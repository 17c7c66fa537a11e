"""Places for results, looked at before the work that they are to hold."""

import errno
import os
import stat
import tempfile
from pathlib import Path

from keras_bert.errors import InputError


def check_new_directory(path: str, name: str) -> None:
    """Checks that a directory can be made.

    Args:
        path: str. It must not exist; the directories above it are made when they are missing.
        name: str. The option that gave it, for messages: `"--output"`.

    Raises:
        InputError: If it exists or cannot be written. The message names option, path and reason.
    """
    if _status(path, name) is not None or os.path.lexists(path):
        raise InputError(f"{path}: exists already; `{name}` must not exist yet")
    _check_room(path, name)


def check_directory(path: str, name: str) -> None:
    """Checks that a directory is there, or can be made, and files can be written in it.

    Args:
        path: str.
        name: str. See `check_new_directory`.

    Raises:
        InputError: If it is something else or cannot be written.
    """
    status = _status(path, name)
    if status is None and os.path.islink(path):
        raise InputError(f"`{name}` must be a directory. Received: {path}, a link to nothing")
    if status is None:
        _check_room(path, name)
    elif not stat.S_ISDIR(status.st_mode):
        raise InputError(f"`{name}` must be a directory. Received: {path}, a file")
    else:
        _check_writable(path, name, Path(path))


def check_file(path: str, name: str) -> None:
    """Checks that a file can be written, or replaced.

    Args:
        path: str. The directories above it are made when they are missing.
        name: str. See `check_new_directory`.

    Raises:
        InputError: If it is a directory, a device or a pipe, or cannot be written.
    """
    status = _status(path, name)
    if status is not None and not stat.S_ISREG(status.st_mode):
        is_directory = stat.S_ISDIR(status.st_mode)
        kind = "the directory" if is_directory else "a device, pipe or socket,"
        raise InputError(f"`{name}` must be a file. Received: {kind} {path}")
    _check_room(path, name)


def _status(path: str, name: str) -> os.stat_result | None:
    """What is there; None for nothing, or where a directory above it is a file."""
    if not path:
        raise InputError(f"`{name}` must be a path. Received: ''")
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"`{name}`: {path}: {error.strerror}") from error
    except ValueError as error:  # A NUL, which files of options can hold.
        raise InputError(f"`{name}` must be a path: {error}. Received: {path!r}") from error


def _check_room(path: str, name: str) -> None:
    """Checks that something new can be made at a path, with the directories above it."""
    parents = list(Path(path).absolute().parents)
    place = next(parent for parent in parents if _status(str(parent), name) is not None)
    if not place.is_dir():
        raise InputError(f"`{name}` must be in a directory. Received: {path}; {place} is a file")
    for missing in parents[: parents.index(place)]:
        if missing.is_symlink():
            raise InputError(
                f"`{name}` must be in a directory. Received: {path}; {missing} is a link to nothing"
            )
    longest = os.pathconf(place, "PC_NAME_MAX")
    for part in Path(path).absolute().relative_to(place).parts:
        if len(os.fsencode(part)) > longest:
            raise InputError(f"`{name}`: {path}: {os.strerror(errno.ENAMETOOLONG)}")
    _check_writable(path, name, place)


def _check_writable(path: str, name: str, place: Path) -> None:
    # By writing: permissions do not tell of read-only file systems, quotas and full disks, and say
    # nothing to the superuser. The file has no name, so that nobody sees it.
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"\0")
            file.flush()
    except OSError as error:
        raise InputError(
            f"`{name}` must be writable. Received: {path}; {place}: {error.strerror or error}"
        ) from error
