"""Several short examples in one row."""

import bisect
from collections.abc import Iterable

from data_gen.examples import Example


def pack(examples: Iterable[Example], sequence_length: int) -> list[tuple[Example, ...]]:
    """Puts examples together so that few rows are needed.

    Longest first, each into the row with the least room that still holds it (best fit decreasing).

    Args:
        examples: Iterable of `Example`, none longer than `sequence_length`.
        sequence_length: int. Most tokens of a row.

    Returns:
        A list of rows, each a tuple of examples.

    Example:

    ```python
    rows = pack(DocumentSentences(128)(documents, rng), 128)
    ```

    References:
        - Krell et al. 2021, arXiv:2107.02027.
    """
    rows: list[list[Example]] = []
    open_rows: dict[int, list[int]] = {}  # room -> rows with so much of it
    rooms: list[int] = []  # the keys of `open_rows`, ascending
    for example in sorted(examples, key=lambda example: -example.length):
        place = bisect.bisect_left(rooms, example.length)
        if place == len(rooms):
            room, row = sequence_length, len(rows)
            rows.append([])
        else:
            room = rooms[place]
            row = open_rows[room].pop()
            if not open_rows[room]:
                del open_rows[room], rooms[place]
        rows[row].append(example)
        left = room - example.length
        if left not in open_rows:
            open_rows[left] = []
            bisect.insort(rooms, left)
        open_rows[left].append(row)
    return [tuple(row) for row in rows]
