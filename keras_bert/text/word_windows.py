"""Words in rows of tokens, with the place of each word's tag."""

from typing import Any

import keras
import tensorflow as tf

from keras_bert.config import SHORTEST_SEQUENCE
from keras_bert.errors import InputError
from keras_bert.text.packing import pack
from keras_bert.text.ragged import repeated_ids, row_ids
from keras_bert.text.tokenization import TokenizingLayer
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.windows import checked_max_windows


@keras.saving.register_keras_serializable("keras_bert")
class WordWindows(TokenizingLayer):
    """Puts the words of sentences into rows `[CLS] tokens [SEP]`, a tag's place for each word.

    A word's tag stands on its first token. A sentence that fits into a row may be given words of
    its document before and after it: they fill the row, whole words only, with the sentence as
    near to its middle as they allow. A longer sentence gets several rows that overlap by half, so
    that no word is without a tag; each word has its place in that row where it is farthest from
    the borders. A word without tokens, such as one of control characters alone, has no place.

    Args:
        tokenizer: `BertTokenizer`.
        sequence_length: int. Columns of the longest row.
        max_windows: int or None. The most rows of one sentence; the words after them have no place.
            None sets no bound.

    Call arguments:
        words: strings, `tf.RaggedTensor` `(batch, (words))`.
        before: strings, `tf.RaggedTensor` `(batch, (words))`, or None. What precedes each sentence
            in its document.
        after: as `before`. What follows.

    Returns:
        A dictionary; `rows` is the number of all rows, those of one sentence stand together:

        - `token_ids`, `segment_ids`, int32, and `padding_mask`, bool, `(rows, length)`, as long as
          the longest row needs, see `pack`.
        - `example`, int32 `(rows,)`: the sentence of each row.
        - `word`, int32 `(rows, length)`: the number of the word in its sentence whose tag stands
          here, -1 where none does.

    Raises:
        InputError: If `sequence_length` is too short, or `max_windows` is not positive.

    Example:

    ```python
    windows = WordWindows(tokenizer, sequence_length=128)
    windows(tf.ragged.constant([["Peter", "Blackburn"]]))["word"]     # [[-1, 0, 1, -1, ...]]
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 5.3.
    """

    def __init__(
        self,
        tokenizer: BertTokenizer,
        sequence_length: int = 128,
        *,
        max_windows: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(tokenizer, **kwargs)
        if type(sequence_length) is not int or sequence_length < SHORTEST_SEQUENCE:
            raise InputError(
                f"`sequence_length` must be an integer of at least {SHORTEST_SEQUENCE}. "
                f"Received: sequence_length={sequence_length!r}"
            )
        self.sequence_length = sequence_length
        self.max_windows = checked_max_windows(max_windows)

    def call(self, words, before=None, after=None):
        parts = [words if part is None else part for part in (before, words, after)]
        if before is None:
            parts[0] = words[:, :0]
        if after is None:
            parts[2] = words[:, :0]
        pieces = self._tokenize(tf.concat(parts, axis=1))
        lengths = pieces.values.row_lengths()  # (all words,): their tokens
        tokens = pieces.merge_dims(1, 2)  # (batch, (tokens))
        # Places in the list of the tokens of all sentences.
        word_starts = tf.cumsum(lengths, exclusive=True)
        borders = tf.concat([word_starts, tf.size(tokens.flat_values, tf.int64)[tf.newaxis]], 0)
        first_word = pieces.row_starts() + parts[0].row_lengths()
        start = tf.gather(borders, first_word)
        stop = tf.gather(borders, first_word + words.row_lengths())
        spans = self._windows(tokens, start, stop, borders)

        example, begin, end = spans["example"], spans["begin"], spans["end"]
        places = tf.ragged.range(begin, end)
        window = places.with_flat_values(tf.gather(tokens.flat_values, places.flat_values))
        vocabulary = self.tokenizer.vocabulary
        features = pack(
            [window],
            start_id=vocabulary.start_id,
            end_id=vocabulary.end_id,
            pad_id=vocabulary.pad_id,
            length=self.sequence_length,
            to_longest=True,
        )
        number = tf.range(tf.size(lengths, tf.int64)) - tf.gather(first_word, row_ids(pieces))
        tagged = tf.boolean_mask(
            tf.stack([word_starts, number], axis=1), lengths > 0
        )  # (words with tokens, 2)
        word = tf.tensor_scatter_nd_update(
            tf.fill(tf.shape(tokens.flat_values), tf.constant(-1, tf.int64)),
            tagged[:, :1],
            tagged[:, 1],
        )
        rows = row_ids(places)
        own = tf.logical_and(
            places.flat_values >= tf.gather(spans["first"], rows),
            places.flat_values < tf.gather(spans["last"], rows),
        )
        word = tf.where(own, tf.gather(word, places.flat_values), -1)
        margin = tf.fill([places.nrows(), 1], tf.constant(-1, tf.int64))  # [CLS]
        word = tf.concat([margin, places.with_flat_values(word)], axis=1)
        shape = tf.shape(features["token_ids"], tf.int64)
        return {
            **features,
            "example": tf.cast(example, tf.int32),
            "word": tf.cast(word.to_tensor(-1, shape=shape), tf.int32),
        }

    def _tokenize(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        """Tokens of each word, `(batch, (words), (tokens))`; each distinct word is split once."""
        distinct, index = tf.unique(words.flat_values, out_idx=tf.int64)
        return words.with_flat_values(tf.gather(self.tokenizer.tokenize_rows(distinct), index))

    def _windows(self, tokens, start, stop, borders):
        """Where rows begin and end, and which of their tokens' tags are theirs.

        Args:
            tokens: `(batch, (tokens))`.
            start, stop: int64 `(batch,)`. Each sentence in the list of all tokens.
            borders: int64. Where words start in it, and its end.
        """
        room = tf.constant(self.sequence_length - 2, tf.int64)
        step = tf.maximum(room // 2, 1)
        size = stop - start
        count = 1 + tf.maximum(-((room - size) // step), 0)
        if self.max_windows is not None:
            count = tf.minimum(count, self.max_windows)
        example = repeated_ids(count)
        ordinal = tf.range(tf.size(example, tf.int64)) - tf.gather(
            tf.cumsum(count, exclusive=True), example
        )
        # A sentence that fits: as much before it as after it, and more where one side has less.
        left, right = start - tokens.row_starts(), tokens.row_limits() - stop
        spare = tf.maximum(room - size, 0)
        left = tf.minimum(left, tf.maximum(spare // 2, spare - right))
        right = tf.minimum(right, spare - left)
        # Whole words only.
        single_begin = tf.gather(borders, tf.searchsorted(borders, start - left))
        single_end = tf.gather(borders, tf.searchsorted(borders, stop + right, side="right") - 1)

        fits = tf.gather(size <= room, example)
        start, stop, count = (tf.gather(part, example) for part in (start, stop, count))
        begin = start + ordinal * step
        end = tf.minimum(begin + room, stop)
        # Two rows share room - step tokens; each has the tags of the nearer half.
        margin = (room - step) // 2
        return {
            "example": example,
            "begin": tf.where(fits, tf.gather(single_begin, example), begin),
            "end": tf.where(fits, tf.gather(single_end, example), end),
            "first": tf.where(ordinal == 0, start, begin + margin),
            "last": tf.where(ordinal == count - 1, end, begin + step + margin),
        }

    def get_config(self):
        return {
            **super().get_config(),
            "sequence_length": self.sequence_length,
            "max_windows": self.max_windows,
        }
