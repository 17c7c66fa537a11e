"""How shards use their vocabulary."""

import dataclasses
import re

import numpy as np

from data_gen.report import Counts

_UNUSED = re.compile(r"\[unused\d+\]")


@dataclasses.dataclass(frozen=True)
class Piece:
    """One entry of the vocabulary: its text, how often it occurs, its share of all tokens."""

    text: str
    count: int
    share: float


@dataclasses.dataclass(frozen=True)
class VocabularyUse:
    """Which pieces of a vocabulary occur, special tokens but `[UNK]` left out.

    Args:
        pieces: int. Entries of the vocabulary that text could be cut into.
        never_seen: int. Those of them that do not occur.
        reserved: int. Entries such as `[unused1]`, which no text has; not among `pieces`.
        inner_share: float. Share of tokens that continue a word (`##`).
        whole: tuple of `Piece`. The most frequent ones that begin a word.
        inner: tuple of `Piece`. The most frequent ones that continue a word.
    """

    pieces: int
    never_seen: int
    reserved: int
    inner_share: float
    whole: tuple[Piece, ...]
    inner: tuple[Piece, ...]


def vocabulary_use(counts: Counts, *, most: int = 30) -> VocabularyUse:
    """Returns which pieces occur and the `most` frequent ones.

    Args:
        counts: `Counts`.
        most: int. Length of each of the two lists.
    """
    vocabulary = counts.vocabulary
    occurrences = counts.text_counts
    total = max(int(occurrences.sum()), 1)
    is_inner = ~vocabulary.starts_word
    is_reserved = np.array([bool(_UNUSED.fullmatch(token)) for token in vocabulary.tokens])
    is_piece = ~is_reserved
    is_piece[[i for i in vocabulary.special_ids if i != vocabulary.unknown_id]] = False

    def frequent(chosen: np.ndarray) -> tuple[Piece, ...]:
        values = np.where(chosen, occurrences, 0)
        order = np.argsort(-values, kind="stable")[:most]
        return tuple(
            Piece(vocabulary.tokens[i], int(values[i]), int(values[i]) / total)
            for i in order
            if values[i]
        )

    return VocabularyUse(
        pieces=int(is_piece.sum()),
        never_seen=int((is_piece & (occurrences == 0)).sum()),
        reserved=int(is_reserved.sum()),
        inner_share=int(occurrences[is_inner].sum()) / total,
        whole=frequent(~is_inner),
        inner=frequent(is_inner),
    )
