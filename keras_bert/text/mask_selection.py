"""Which tokens are masked: units in random order until the budget is spent."""

from typing import NamedTuple

import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.text.mask_units import (
    RUNS,
    Words,
    find_words,
    is_maskable,
    join_words,
    run_probabilities,
    sum_columns,
    word_starts,
)
from keras_bert.text.stateless import random_columns
from keras_bert.text.vocabulary import Vocabulary

_LOWEST, _HIGHEST = -(2**31), 2**31 - 1
_POSITION_RANGE = 2**14


class Selection(NamedTuple):
    """The tokens that are chosen in each row.

    `chosen` is bool `(batch, length + slots)`; behind the row stands a column for each slot, true
    for those that stay unused, so that exactly `slots` columns are true in every row. `words` is
    None where every token is a unit.
    """

    chosen: tf.Tensor
    words: Words | None

    def positions(self, slots: int) -> tf.Tensor:
        """Returns int32 `(batch, slots)`, ascending; unused slots point past the end."""
        return tf.reshape(tf.cast(tf.where(self.chosen)[:, 1], tf.int32), [-1, slots])


def select(
    token_ids: tf.Tensor,
    padding_mask: tf.Tensor,
    keys: tf.Tensor,
    vocabulary: Vocabulary,
    *,
    slots: int,
    mask_rate: float,
    units: str,
    max_words: int | None = None,
    unit_starts: tf.Tensor | None = None,
) -> Selection:
    """Chooses the tokens of each row.

    Args:
        token_ids: int32 `(batch, length)`.
        padding_mask: bool `(batch, length)`.
        keys: uint64 `(batch,)`.
        vocabulary: `Vocabulary`.
        slots: int. Most tokens of a row.
        mask_rate: float. Share of the tokens, `[CLS]` and `[SEP]` counted.
        units: str, one of `UNITS`.
        max_words: int or None. Words of the longest n-gram or span.
        unit_starts: bool `(batch, length)` or None. True where a supplied word begins.

    Returns:
        A `Selection`.

    Raises:
        InputError: If the units are phrases and `unit_starts` is None.
    """
    if units == "phrase" and unit_starts is None:
        raise InputError(
            'Units of kind "phrase" must be given: bool `unit_starts` (batch, length), true where '
            "a phrase begins. Received: unit_starts=None"
        )
    maskable = is_maskable(token_ids, padding_mask, vocabulary)
    # In float64, so that ties round as in the reference's Python arithmetic.
    tokens = tf.reduce_sum(tf.cast(padding_mask, tf.float64), axis=1)
    budget = tf.minimum(tf.maximum(tf.cast(tf.round(tokens * mask_rate), tf.int32), 1), slots)
    if units == "token":
        return Selection(_choose_tokens(maskable, budget, keys, slots), None)
    words, after_break = find_words(maskable, word_starts(token_ids, vocabulary, unit_starts))
    if units in RUNS:
        probabilities = run_probabilities(units, max_words or RUNS[units])
        words = join_words(words, after_break, keys, probabilities)
    taken = choose_words(words, budget, random_columns(keys, tf.shape(token_ids)[1]))
    chosen = maskable & tf.gather(taken, tf.maximum(words.word, 0), batch_dims=1)
    count = tf.reduce_sum(tf.cast(chosen, tf.int32), axis=1)
    unused = tf.range(slots) >= count[:, tf.newaxis]
    return Selection(tf.concat([chosen, unused], axis=1), words)


def _choose_tokens(
    maskable: tf.Tensor, budget: tf.Tensor, keys: tf.Tensor, slots: int
) -> tf.Tensor:
    """Takes the tokens with the highest random numbers; returns `Selection.chosen`."""
    length = tf.shape(maskable)[1]
    budget = tf.minimum(budget, tf.reduce_sum(tf.cast(maskable, tf.int32), axis=1))
    # 18 random bits above the position: no two numbers of a row are equal.
    order = random_columns(keys, length) * _POSITION_RANGE + tf.range(1, length + 1)
    order = tf.where(maskable, order, _LOWEST)
    # Unused slots come first, so that of every row the same number of columns is taken.
    fill = tf.where(tf.range(slots) < budget[:, tf.newaxis], _LOWEST, _HIGHEST)
    order = tf.concat([order, fill], axis=1)
    least = tf.raw_ops.NthElement(input=order, n=slots - 1, reverse=True)
    return order >= least[:, tf.newaxis]


def choose_words(words: Words, budget: tf.Tensor, unit_numbers: tf.Tensor) -> tf.Tensor:
    """Takes units in the order of their random numbers, as long as they fit.

    A unit that does not fit into what is left of the budget is cut to those of its first columns
    that do; of a unit of one word nothing is left. Later units still have their turn.

    Args:
        words: `Words`.
        budget: int32 `(batch,)`. Tokens to take at most.
        unit_numbers: int32 `(batch, length)`. Random number of each unit; the highest comes first,
            of equal ones the unit that stands first.

    Returns:
        A bool tensor `(batch, length)`: true on each word that is taken.
    """
    length = tf.shape(words.size)[1]
    numbers = tf.gather(unit_numbers, words.unit, batch_dims=1)
    numbers = tf.where(words.size > 0, tf.maximum(numbers, _LOWEST + 1), _LOWEST)
    _, order = tf.math.top_k(numbers, k=length)
    size = tf.gather(words.size, order, batch_dims=1)
    limit = tf.gather(words.limit, order, batch_dims=1)
    budget = budget[:, tf.newaxis]

    def take(left_in: tf.Tensor, taken: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # All that are left in up to the first that does not fit are taken. What is larger than
        # the rest of the budget can never fit again, nor what stands behind it in its unit.
        total = tf.cumsum(tf.where(left_in, size, 0), axis=1)
        taken = left_in & (total <= budget)
        rest = budget - tf.reduce_max(tf.where(taken, total, 0), axis=1, keepdims=True)
        return taken | (left_in & (limit <= rest)), taken

    left_in = size > 0
    _, taken = tf.while_loop(
        lambda left_in, taken: tf.reduce_any(left_in != taken),
        take,
        (left_in, tf.zeros_like(left_in)),
    )
    return sum_columns(tf.cast(taken, tf.int32), order) > 0


def check_slots(max_predictions: int) -> None:
    """Checks the number of slots.

    Raises:
        InputError: If it is not a positive integer.
    """
    if type(max_predictions) is not int or max_predictions < 1:
        raise InputError(
            "`max_predictions` must be a positive integer. "
            f"Received: max_predictions={max_predictions!r}"
        )
