"""TensorBoard's files of a run that goes back to an earlier step."""

import os
from pathlib import Path


def event_file_sizes(directory: Path) -> dict[str, int]:
    """Returns the bytes of each event file below `directory`, by its relative path."""
    return {
        path.relative_to(directory).as_posix(): path.stat().st_size
        for path in sorted(directory.rglob("*tfevents*"))
    }


def cut_event_files(directory: Path, sizes: dict[str, int]) -> None:
    """Brings event files back to what they were, so that no step stands in them twice.

    Files are only ever appended to, hence bytes beyond an earlier size are later events, or part of
    one.

    Args:
        directory: Where TensorBoard looks.
        sizes: A result of `event_file_sizes`; other event files are removed.
    """
    for name, size in event_file_sizes(directory).items():
        path = directory / name
        if not sizes.get(name):
            path.unlink()
        elif size > sizes[name]:
            os.truncate(path, sizes[name])
