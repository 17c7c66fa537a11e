"""Phrases and entities that are masked as one unit wherever they occur."""

import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from data_gen.lines import LineReader
from keras_bert.errors import InputError
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import Vocabulary

_LONGEST_LINE = 10_000
_ENTRIES_AT_A_TIME = 8192


class Lexicon:
    """Finds entries among tokens, from left to right, at each place the longest.

    An entry is found only as whole words: it ends before a word begins, and inside a sentence.

    Args:
        entries: Iterable of token ids `(tokens,)`, none of them empty.
        vocabulary: `Vocabulary`. That of the ids.

    Example:

    ```python
    lexicon = Lexicon.from_file("entities.txt", tokenizer)
    lexicon.mark(token_ids, sentence_starts, unit_starts)
    ```
    """

    def __init__(self, entries: Iterable[Sequence[int]], vocabulary: Vocabulary):
        self._entries = frozenset(tuple(map(int, entry)) for entry in entries)
        self._starts_word = vocabulary.starts_word
        lengths: dict[int, set[int]] = {}
        for entry in self._entries:
            lengths.setdefault(entry[0], set()).add(len(entry))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}
        self._is_first = np.zeros(len(vocabulary), bool)
        self._is_first[list(self._lengths)] = True
        self._is_entry = np.zeros(len(vocabulary), bool)
        self._is_entry[[entry[0] for entry in self._entries if len(entry) == 1]] = True
        self._pairs = np.unique(
            [_pair(*entry[:2]) for entry in self._entries if len(entry) > 1]
        ).astype(np.int64)

    def __len__(self) -> int:
        return len(self._entries)

    @classmethod
    def from_file(cls, path: str | os.PathLike, tokenizer: BertTokenizer) -> "Lexicon":
        """Reads a phrase or an entity per line; those that the vocabulary does not know are left.

        Args:
            path: str or path. UTF-8; `.gz`, `.bz2` and `.xz` too.
            tokenizer: `BertTokenizer`.

        Raises:
            InputError: If the file cannot be read or none of its entries has known tokens alone.
        """
        unknown_id = tokenizer.vocabulary.unknown_id
        entries: set[tuple[int, ...]] = set()
        with LineReader(Path(path)) as reader:
            lines = reader.whole(_LONGEST_LINE)
            while batch := list(itertools.islice(lines, _ENTRIES_AT_A_TIME)):
                rows = tokenizer(tf.constant(batch)).to_list()
                entries.update(tuple(row) for row in rows if row and unknown_id not in row)
        if not entries:
            raise InputError(
                f"{path}: a phrase per line is expected, in tokens of the vocabulary. "
                f"Received: none in {reader.line} lines"
            )
        return cls(entries, tokenizer.vocabulary)

    def find(self, token_ids: np.ndarray, sentence_starts: np.ndarray) -> np.ndarray:
        """Returns where entries stand: int64 `(found, 2)`, starts and exclusive ends.

        Args:
            token_ids: int32 `(tokens,)`.
            sentence_starts: int64 `(sentences + 1,)`, as in `TokenizedDocuments`.
        """
        places = np.flatnonzero(self._is_first[token_ids])
        following = np.append(token_ids, 0)[places + 1]
        first = token_ids[places]
        places = places[
            self._is_entry[first] | np.isin(_pair(first.astype(np.int64), following), self._pairs)
        ]
        sentence = np.searchsorted(sentence_starts, places, side="right")
        limits = sentence_starts[sentence].tolist()
        # A list, because a loop reads it faster than an array.
        ids = token_ids.tolist()
        found = []
        last = 0
        for place, limit in zip(places.tolist(), limits, strict=True):
            if place >= last and (end := self._end(ids, place, limit)):
                found.append((place, end))
                last = end
        return np.array(found, np.int64).reshape(-1, 2)

    def _end(self, ids: list[int], place: int, limit: int) -> int | None:
        for length in self._lengths[ids[place]]:
            end = place + length
            if (
                end <= limit
                and tuple(ids[place:end]) in self._entries
                and (end == limit or self._starts_word[ids[end]])
            ):
                return end
        return None

    def mark(
        self, token_ids: np.ndarray, sentence_starts: np.ndarray, unit_starts: np.ndarray
    ) -> int:
        """Makes one unit of each entry that is found, whatever its tokens belonged to.

        Returns the number of their tokens.

        Args:
            token_ids: int32 `(tokens,)`.
            sentence_starts: int64 `(sentences + 1,)`.
            unit_starts: bool `(tokens,)`, changed in place.
        """
        starts, ends = self.find(token_ids, sentence_starts).T
        # +1 behind the first token, -1 behind the last: positive on the tokens between.
        steps = np.zeros(len(token_ids) + 1, np.int64)
        np.add.at(steps, starts + 1, 1)
        np.add.at(steps, ends, -1)
        unit_starts[np.cumsum(steps)[:-1] > 0] = False
        unit_starts[starts] = True
        unit_starts[ends[ends < len(token_ids)]] = True
        return int((ends - starts).sum())


def _pair(first, second):
    return (first << 32) + second
