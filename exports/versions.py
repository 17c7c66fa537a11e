"""Numbered versions in a directory, which several processes may write at once."""

import errno
import itertools
from collections.abc import Callable
from pathlib import Path

from keras_bert.atomic import incomplete_directory, locked, publish, remove_incomplete


def write_version(directory: Path, write: Callable[[Path], None]) -> Path:
    """Writes the next version of a directory; it appears by one rename, or not at all.

    Processes may write versions of one directory at the same time: each works in a directory of
    its own, and the number is taken at the end. What a process left that was killed is removed.

    Args:
        directory: Path. Holds the versions `1`, `2`, ...; it is made when it is missing.
        write: Writes the files of the version in the directory that it is given. Nothing appears
            if it raises.

    Returns:
        The directory of the version.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory):
        remove_incomplete(directory)
    with incomplete_directory(directory, "version") as temporary:
        write(temporary)
        while True:
            version = directory / str(next_version(directory))
            try:
                publish(temporary, version)
            except OSError as error:
                # Another process took the number since it was counted.
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    continue
                raise
            return version


def next_version(directory: Path) -> int:
    """Returns one more than the highest version that stands in a directory."""
    names = (path.name for path in directory.iterdir())
    numbers = (int(name) for name in names if name.isascii() and name.isdigit())
    return max(itertools.chain([0], numbers)) + 1
