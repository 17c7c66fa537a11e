"""Spans of a context in the windows cut from it: where gold answers lie, which spans score best.

All of it works on a row for each window; the windows of one context stand together. `index` says
which token of the context stands at each position, -1 where there is none.
"""

import numpy as np
import tensorflow as tf

# Finite, as sums of a few are, and beyond the logits of any model.
_LARGEST = 1e30


def span_targets(
    answers: np.ndarray,
    example: np.ndarray,
    index: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the first and the last token that an answer touches.

    Args:
        answers: int `(examples, 2)`. First byte and exclusive end of the answer to each example;
            equal where there is none.
        example: int `(rows,)`.
        index: int `(rows, length)`.
        starts: int `(rows, length)`. First byte of each token.
        ends: int `(rows, length)`. Exclusive end of each token.

    Returns:
        Positions of the first and of the last token, int32 `(rows,)` each. Both are 0, which is
        `[CLS]`, where the window does not hold all of the answer.
    """
    # (examples, 2) -> (rows, 1), twice
    first, end = np.split(answers[example], 2, axis=1)
    touched = (index >= 0) & (starts < end) & (ends > first)
    # A window knows only by the others whether the answer goes on outside of it.
    nowhere = np.iinfo(index.dtype).max
    least = np.full(len(answers), nowhere)
    np.minimum.at(least, example, np.where(touched, index, nowhere).min(axis=1))
    most = np.full(len(answers), -1)
    np.maximum.at(most, example, np.where(touched, index, -1).max(axis=1))
    is_first = touched & (index == least[example][:, np.newaxis])
    is_last = touched & (index == most[example][:, np.newaxis])
    whole = is_first.any(axis=1) & is_last.any(axis=1)
    return tuple(
        np.where(whole, flags.argmax(axis=1), 0).astype(np.int32) for flags in (is_first, is_last)
    )


def has_most_context(example: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Says of each token whether no other window shows it with more context.

    Context is the lesser of the numbers of tokens to its left and to its right, and a hundredth of
    the window's length; where two windows are equal, the earlier one wins.

    Args:
        example: int32 `(rows,)`, ascending.
        index: int32 `(rows, length)`.

    Returns:
        bool `(rows, length)`; false outside the context.

    References:
        - `_check_is_max_context` in `run_squad.py` of google-research/bert.
    """
    inside = index >= 0
    last = tf.reduce_max(index, axis=1, keepdims=True)  # (rows, 1)
    size = tf.reduce_sum(tf.cast(inside, tf.int32), axis=1, keepdims=True)
    left = index - (last - size + 1)
    context = tf.cast(tf.minimum(left, size - 1 - left), tf.float64)
    context += 0.01 * tf.cast(size, tf.float64)
    # One number for each token of each context, and one for all places without a token.
    tokens = tf.cast(tf.math.segment_max(last[:, 0], example) + 1, tf.int64)
    total = tf.reduce_sum(tokens)
    # (rows,) -> (rows, 1)
    shift = tf.gather(tf.cumsum(tokens, exclusive=True), example)[:, tf.newaxis]
    token = tf.where(inside, tf.cast(index, tf.int64) + shift, total)
    most = tf.math.unsorted_segment_max(context, token, total + 1)
    best = inside & (context == tf.gather(most, token))
    rows = tf.shape(index)[0]
    row = tf.range(rows)[:, tf.newaxis]
    winner = tf.math.unsorted_segment_min(tf.where(best, row, rows), token, total + 1)
    return best & (tf.gather(winner, token) == row)


def finite(logits: tf.Tensor) -> tf.Tensor:
    """Returns logits with -1e30 for NaN, and for what lies beyond -1e30 and 1e30, these bounds."""
    logits = tf.where(tf.math.is_nan(logits), -_LARGEST, logits)
    return tf.clip_by_value(logits, -_LARGEST, _LARGEST)


def best_spans(
    start_logits: tf.Tensor,
    end_logits: tf.Tensor,
    *,
    example: tf.Tensor,
    num_examples: tf.Tensor,
    may_start: tf.Tensor,
    starts: tf.Tensor,
    ends: tf.Tensor,
    n_best: int,
    longest: int,
) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Pairs the `n_best` starts of each row with its `n_best` ends; sorts the pairs of an example.

    The best are taken among all positions, those outside the context too; then the pairs that are
    no spans are dropped. Of equal logits the earlier one is better; of spans that score the same,
    the one of the earlier row is, then that of the better start, then that of the better end.

    Args:
        start_logits: float `(rows, length)`, finite.
        end_logits: float `(rows, length)`, finite.
        example: int32 `(rows,)`, ascending.
        num_examples: int, a scalar.
        may_start: bool `(rows, length)`.
        starts: int64 `(rows, length)`. First byte of each token, -1 outside the context.
        ends: int64 `(rows, length)`. Exclusive end of each token, -1 outside the context.
        n_best: int.
        longest: int. Tokens of a span.

    Returns:
        A dictionary of `start` and `end`, int64, bytes of the context, and `score`, float64, the
        sum of two logits: each `(spans,)`, the best span of each example first. And where each
        example's begin and end: int64 `(num_examples + 1,)`.

    References:
        - `write_predictions` in `run_squad.py` of google-research/bert.
    """
    count = tf.minimum(n_best, tf.shape(start_logits)[1])
    start_logit, start = tf.math.top_k(start_logits, count)  # (rows, n_best)
    end_logit, end = tf.math.top_k(end_logits, count)
    starts = tf.gather(tf.where(may_start, starts, -1), start, batch_dims=1)
    ends = tf.gather(ends, end, batch_dims=1)
    # (rows, n_best) -> (rows, n_best, 1) and (rows, 1, n_best)
    steps = end[:, tf.newaxis] - start[:, :, tf.newaxis]
    in_context = (starts >= 0)[:, :, tf.newaxis] & (ends >= 0)[:, tf.newaxis]
    place = tf.where(in_context & (steps >= 0) & (steps < longest))  # (spans, 3)
    owner = tf.gather(example, place[:, 0])
    at_start, at_end = place[:, :2], place[:, ::2]
    score = tf.cast(tf.gather_nd(start_logit, at_start), tf.float64)
    score += tf.cast(tf.gather_nd(end_logit, at_end), tf.float64)
    order = tf.argsort(score, direction="DESCENDING", stable=True)
    order = tf.gather(order, tf.argsort(tf.gather(owner, order), stable=True))
    splits = tf.searchsorted(owner, tf.range(num_examples + 1), out_type=tf.int64)
    return {
        "start": tf.gather_nd(starts, tf.gather(at_start, order)),
        "end": tf.gather_nd(ends, tf.gather(at_end, order)),
        "score": tf.gather(score, order),
    }, splits
