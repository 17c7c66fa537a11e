"""Lines of standard input, answered as they arrive."""

import io
import itertools
import os
import select
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TextIO

# Seconds without input after which those lines are answered that are there.
_PAUSE = 0.01
_BYTES = 1 << 16


def arriving_lines(file: TextIO | Iterable[str], most: int) -> Iterator[list[bytes | str]]:
    """Yields lists of lines: as many as there are when input pauses, at most `most`.

    A program that writes a line and waits for its answer gets it; of a file, and of a program that
    writes without waiting, all lists are full. Nothing is read ahead of what is yielded by more
    than some kilobytes.

    Args:
        file: The text file of standard input, or any lines.
        most: int.
    """
    try:
        descriptor = file.fileno()
    except (AttributeError, io.UnsupportedOperation):
        lines = iter(file)
        while batch := list(itertools.islice(lines, most)):
            yield batch
        return
    waiting: deque[bytes] = deque()
    pieces: list[bytes] = []  # of a line whose end has not come
    ended = False
    while not ended or waiting:
        while not ended and len(waiting) < most:
            if waiting and not select.select([descriptor], [], [], _PAUSE)[0]:
                break
            data = os.read(descriptor, _BYTES)
            ended = not data
            *whole, rest = data.split(b"\n")
            if whole:
                waiting.append(b"".join([*pieces, whole[0]]))
                waiting.extend(whole[1:])
                pieces = []
            pieces.append(rest)
        if ended and any(pieces):
            waiting.append(b"".join(pieces))
            pieces = []
        if waiting:
            yield [waiting.popleft() for _ in range(min(most, len(waiting)))]
