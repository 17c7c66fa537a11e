"""The units that masking takes as a whole: words, n-grams of words, spans and phrases.

A row is described word by word, in tables as wide as the row, with a column for each word; columns
without a word are empty. Every maskable token is in exactly one word, every word in exactly one
unit, and no unit holds or crosses a special token. Units stand in their order in the text; inside a
unit the words stand in the order in which they are kept when not all of them fit.
"""

import math
from typing import NamedTuple, get_args

import numpy as np
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.text.mask_options import MaskUnits
from keras_bert.text.stateless import random_columns
from keras_bert.text.vocabulary import Vocabulary

UNITS = get_args(MaskUnits)
RUNS = {"ngram": 3, "span": 10}
# Of SpanBERT: the rate at which a span ends with each word.
_SPAN_END_RATE = 0.2
_BREAK = 2**15  # Above every number of tokens in a word.
_RUN_STREAM, _CUT_STREAM = 3, 4


class Words(NamedTuple):
    """Words and units of rows; integer tensors `(batch, length)`, indices count from 0."""

    word: tf.Tensor  # Of each token: its word, -1 where it cannot be masked.
    size: tf.Tensor  # Of each word: its tokens, 0 where there is no word.
    unit: tf.Tensor  # Of each word: its unit.
    limit: tf.Tensor  # Of each word: the tokens of the longest word of its unit up to it.


def is_maskable(token_ids: tf.Tensor, padding_mask: tf.Tensor, vocabulary: Vocabulary) -> tf.Tensor:
    """Returns a bool tensor, true on every token but special ones and padding."""
    maskable = padding_mask
    for special_id in vocabulary.special_ids:
        # A true [UNK] in the text is maskable in the reference.
        if special_id != vocabulary.unknown_id:
            # Against a row, not a scalar: the quicker kernel.
            maskable &= token_ids != tf.fill([1, tf.shape(token_ids)[1]], special_id)
    return maskable


def word_starts(
    token_ids: tf.Tensor, vocabulary: Vocabulary, unit_starts: tf.Tensor | None
) -> tf.Tensor:
    """Returns a bool tensor, true where a word begins: as supplied, or as pieces tell."""
    if unit_starts is not None:
        return unit_starts
    return tf.gather(tf.constant(vocabulary.starts_word), token_ids)


def run_probabilities(units: str, max_words: int) -> np.ndarray:
    """Returns the probabilities of runs of 1, 2, ... `max_words` words.

    Args:
        units: `"ngram"`, p(n) proportional to 1/n, or `"span"`, the geometric distribution,
            truncated and renormalised.
        max_words: int.

    References:
        - Lan et al. 2020, arXiv:1909.11942, section 4.1.
        - Joshi et al. 2020, arXiv:1907.10529, section 3.1.
    """
    lengths = np.arange(1, max_words + 1)
    shares = 1 / lengths if units == "ngram" else (1 - _SPAN_END_RATE) ** lengths
    return shares / shares.sum()


def find_words(maskable: tf.Tensor, starts: tf.Tensor) -> tuple[Words, tf.Tensor]:
    """Describes the words of rows, each a unit of its own.

    Args:
        maskable: bool `(batch, length)`.
        starts: bool `(batch, length)`. True where a word begins; one also begins after each token
            that cannot be masked.

    Returns:
        `Words`, and a bool tensor `(batch, length)`, true on words that follow such a token.
    """
    batch, length = tf.unstack(tf.shape(maskable))
    after_break = maskable & ~tf.pad(maskable, [[0, 0], [1, 0]])[:, :-1]
    begins = tf.cast(after_break | (starts & maskable), tf.int32)
    word = tf.where(maskable, tf.cumsum(begins, axis=1) - 1, -1)
    # One sum for two tables: tokens below, a break above.
    packed = sum_columns(tf.where(after_break, 1 + _BREAK, 1), word)
    size = packed % _BREAK
    unit = tf.broadcast_to(tf.range(length), [batch, length])
    return Words(word, size, unit, size), packed >= _BREAK


def join_words(
    words: Words, after_break: tf.Tensor, keys: tf.Tensor, probabilities: np.ndarray
) -> Words:
    """Joins consecutive words to units whose numbers of words are drawn independently.

    Args:
        words: `Words`.
        after_break: bool `(batch, length)`. True on words before which a unit must end.
        keys: uint64 `(batch,)`.
        probabilities: of units of 1, 2, ... words.

    Returns:
        `Words` with new units.
    """
    length = tf.shape(words.size)[1]
    bits = random_columns(keys, length, stream=_RUN_STREAM)
    # In the units of a signed 32-bit number.
    bounds = (np.cumsum(probabilities)[:-1] - 0.5) * 2.0**32
    drawn = 1 + tf.raw_ops.Bucketize(input=bits, boundaries=bounds.tolist())
    ends = tf.cumsum(drawn, axis=1)
    cuts = sum_columns(tf.ones_like(ends), tf.where(ends < length, ends, -1)) > 0
    # The first word follows a break, so that units count from 0.
    unit = tf.maximum(tf.cumsum(tf.cast(cuts | after_break, tf.int32), axis=1) - 1, 0)
    words = _in_cutting_order(words._replace(unit=unit), keys)
    # The running maximum inside a unit. Units ascend: a number of an earlier one never wins.
    limit = unit * _BREAK + words.size
    reach, most = 1, len(probabilities)
    for _ in range(math.ceil(math.log2(most))):
        limit = tf.maximum(limit, tf.pad(limit, [[0, 0], [reach, 0]])[:, :length])
        reach *= 2
    return words._replace(limit=limit - unit * _BREAK)


def _in_cutting_order(words: Words, keys: tf.Tensor) -> Words:
    """Moves words inside their units: a random one first, those to one side, those to the other.

    Whatever fits of a unit is then in one piece. Were it always the head, the first tokens of a
    row, which begin a unit in any case, would be masked half as often again as others.
    """
    length = tf.shape(words.size)[1]
    exists = words.size > 0
    count = sum_columns(tf.cast(exists, tf.int32), tf.where(exists, words.unit, -1))
    first = tf.gather(tf.cumsum(count, axis=1, exclusive=True), words.unit, batch_dims=1)
    count = tf.maximum(tf.gather(count, words.unit, batch_dims=1), 1)
    bits = random_columns(keys, length, stream=_CUT_STREAM)
    bits = tf.gather(bits, words.unit, batch_dims=1)
    start = tf.math.floormod(tf.bitwise.right_shift(bits, 1), count)
    place = tf.range(length) - first
    place = tf.where(tf.bitwise.bitwise_and(bits, 1) > 0, count - 1 - place, place)
    column = first + tf.where(place >= start, place - start, count - 1 - place)
    word = tf.gather(column, tf.maximum(words.word, 0), batch_dims=1)
    return words._replace(
        word=tf.where(words.word < 0, -1, word),
        size=sum_columns(words.size, tf.where(exists, column, -1)),
    )


def sum_columns(values: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Adds each value to a column of its row; those of negative columns are left out.

    Args:
        values: `(batch, length)`.
        columns: int32 `(batch, length)`, below `length`.

    Returns:
        A tensor `(batch, length)`.
    """
    batch, length = tf.unstack(tf.shape(columns))
    flat = tf.where(columns < 0, -1, columns + tf.range(batch)[:, tf.newaxis] * length)
    sums = tf.math.unsorted_segment_sum(
        tf.reshape(values, [-1]), tf.reshape(flat, [-1]), batch * length
    )
    return tf.reshape(sums, [batch, length])


def check_units(units: str, max_words: int | None) -> None:
    """Checks a kind of units and its longest run.

    Raises:
        InputError: On an unknown kind, or a longest run where there is none or below 1.
    """
    if units not in UNITS:
        raise InputError(f"`units` must be one of {', '.join(UNITS)}. Received: units={units!r}")
    if max_words is not None and (units not in RUNS or type(max_words) is not int or max_words < 1):
        raise InputError(
            "`max_words` must be a positive integer with n-grams and spans, None otherwise. "
            f"Received: max_words={max_words!r}, units={units!r}"
        )
