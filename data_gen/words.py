"""The words of a text as the tokenizer sees them, and how often each occurs."""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from keras_bert.text.character_rules import rules_of
from keras_bert.text.normalization import Normalizer
from keras_bert.text.word_pieces import split_normalized

_BATCH_CHARACTERS = 1 << 20
# What stands between spaces is held until so much text was read, and split once for all its
# occurrences.
_HELD_CHARACTERS = 1 << 24
MOST_WORDS = 2_000_000
"""Distinct words in memory; of more, those that occurred least are forgotten."""


class WordCounter:
    """Counts words, split by the rules of `BertTokenizer`.

    Memory is bounded whatever the text: see `MOST_WORDS`. A word that the tokenizer would make
    `[UNK]` because of its length is no word.

    Args:
        lowercase: bool. Lower-case and strip accents first.

    Attributes:
        counts: Counter of str.
        characters: int. Of all words, the long ones too.
        long_words: int. Occurrences of words that are too long.
        long_characters: int. Their characters.

    Example:

    ```python
    counter = WordCounter(lowercase=True)
    counter.add(["The dog, the dogs."])
    counter.counts["the"]       # 2
    ```
    """

    def __init__(self, lowercase: bool):
        self._rules = rules_of("bert")
        self._normalize = Normalizer(lowercase)
        self._spaced: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.characters = self.long_words = self.long_characters = 0

    def add(self, texts: Iterable[str]) -> None:
        """Counts the words of texts."""
        held = 0
        for batch in _batches(texts):
            for text in self._normalize(tf.constant(batch)).numpy():
                self._spaced.update(text.decode("utf-8").split())
                held += len(text)
            if held > _HELD_CHARACTERS:
                self._split()
                held = 0
        self._split()

    def _split(self) -> None:
        spaced = self._spaced
        for batch in _batches(spaced):
            words, _ = split_normalized(tf.constant(batch), self._rules)
            lengths = tf.strings.length(words.flat_values, "UTF8_CHAR").numpy()
            times = np.repeat([spaced[text] for text in batch], words.row_lengths().numpy())
            long = lengths > self._rules.max_characters
            self.characters += int((lengths * times).sum())
            self.long_words += int(times[long].sum())
            self.long_characters += int((lengths * times)[long].sum())
            known = words.flat_values.numpy()[~long].tolist()
            for word, count in zip(known, times[~long].tolist(), strict=True):
                self.counts[word.decode("utf-8")] += count
        spaced.clear()
        least = 1
        while len(self.counts) > MOST_WORDS:
            least *= 2
            self.counts = Counter({w: count for w, count in self.counts.items() if count >= least})


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yields lists of texts, of about a million characters together."""
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text) + 1
        if size > _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
