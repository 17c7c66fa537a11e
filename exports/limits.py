"""Bounds of the work for one text."""

import dataclasses

from keras_bert.ranges import Range, check_number


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of the work for one text, part of the graph.

    Args:
        text_bytes: int. What is read of a text, in bytes; the rest has no part in the answer.
        windows: int. Rows that a long text becomes at most.
    """

    text_bytes: int = 100_000
    windows: int = 64

    def __post_init__(self):
        for name in ("text_bytes", "windows"):
            check_number(f"`{name}`", int, Range(1), getattr(self, name))
