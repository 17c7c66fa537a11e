"""What every objective makes: examples as places in the tokens of a partition."""

import dataclasses
import random
from collections.abc import Iterator
from typing import ClassVar

from data_gen.documents import TokenizedDocuments

Piece = tuple[int, int]
"""A run of tokens: its start and its end among all tokens of the partition."""


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """One example: `[CLS]`, then each piece with a `[SEP]` behind it.

    Args:
        pieces: tuple of `Piece`.
        label: int or None. For a pair of segments whether the second really follows (0) or not (1);
            None where the pieces are no pair and all belong to segment 0.
        is_short: bool. Whether it was cut for a target length below the longest.
        trimmed: int. Tokens that a pair lost because it was too long.
    """

    pieces: tuple[Piece, ...]
    label: int | None = None
    is_short: bool = False
    trimmed: int = 0

    @property
    def length(self) -> int:
        """Tokens, special ones counted."""
        return 1 + sum(end - start + 1 for start, end in self.pieces)


@dataclasses.dataclass(frozen=True)
class Objective:
    """Cuts documents into examples. A subclass implements `__call__`.

    Args:
        sequence_length: int. Most tokens of an example, special tokens counted.
        short_sequence_probability: float. Share of documents cut to a shorter, random length, so
            that a model sees short inputs too.
    """

    sequence_length: int
    short_sequence_probability: float = 0.0

    makes_pairs: ClassVar[bool] = False
    special_tokens: ClassVar[int] = 2  # [CLS] and [SEP]

    def __call__(self, documents: TokenizedDocuments, rng: random.Random) -> Iterator[Example]:
        """Yields the examples of all documents; `rng` is the only source of chance."""
        raise NotImplementedError

    @property
    def longest(self) -> int:
        """Most tokens of an example besides the special ones."""
        return self.sequence_length - self.special_tokens

    def target_length(self, rng: random.Random) -> int:
        """Tokens that the next examples should have besides the special ones.

        As many as fit or, with `short_sequence_probability`, a random number from 2.

        References:
            - `create_instances_from_document` in `create_pretraining_data.py` of
              google-research/bert.
        """
        if rng.random() < self.short_sequence_probability:
            return rng.randint(2, self.longest)
        return self.longest
