"""The answers to questions, chosen among the spans of all their windows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_bert.tasks.answer_spans import best_spans, finite
from keras_bert.text.characters import Characters

# Of `choose_answers`, those that are tensors.
ANSWER_INPUTS = (
    tf.TensorSpec([None], tf.string),
    *[tf.TensorSpec([None, None], tf.float32)] * 2,
    tf.TensorSpec([None], tf.int32),
    tf.TensorSpec([None, None], tf.bool),
    *[tf.TensorSpec([None, None], tf.int64)] * 2,
)
# Below the score of every span.
_NO_SCORE = -1e31
# Of `no_answer_score`: what a threshold is compared with is what is told.
_ROUNDING = 1e6


def choose_answers(
    context: tf.Tensor,
    start_logits: tf.Tensor,
    end_logits: tf.Tensor,
    example: tf.Tensor,
    may_start: tf.Tensor,
    starts: tf.Tensor,
    ends: tf.Tensor,
    *,
    n_best: int,
    longest: int,
    null_threshold: float | None,
) -> dict[str, Any]:
    """Chooses the best spans with different texts, and whether there is an answer at all.

    It runs in any graph, with core operations alone. Memory holds a few times `n_best` copies of
    the contexts, and `n_best` squared numbers for each window. All numbers are finite, whatever the
    logits.

    Args:
        context: strings `(questions,)`.
        start_logits: float `(windows, length)`; -1e9 or less on padding.
        end_logits: float `(windows, length)`.
        example: int32 `(windows,)`. The question of each window; ascending, none is left out.
        may_start: bool `(windows, length)`. See `has_most_context`.
        starts: int64 `(windows, length)`. First byte of each token in its context, -1 outside.
        ends: int64 `(windows, length)`. Exclusive end of each token, -1 outside.
        n_best: int. Starts and ends of each window that are compared, and answers that are told.
        longest: int. Tokens of the longest answer.
        null_threshold: float. There is no answer where `no_answer_score` is above it. None where
            every question has an answer.

    Returns:
        A dictionary of tensors `(questions,)`:

        - `answer`: string, the text, or `""`; U+FFFD stands for what is no UTF-8;
        - `start`, `end`: int64, its characters in the context, 0 where there is no answer;
        - `start_byte`, `end_byte`: int64, its bytes;
        - `score`: float64, its probability among those in `top`;
        - `no_answer_score`: float64, how far the score of no answer lies above that of the best
          span, rounded to six decimals;
        - `top`: a dictionary of all of these but `no_answer_score`, each `(questions, answers)`,
          the best first, and of `count`, int64 `(questions,)`: how many there are; behind them
          stand `""` and 0. Where there may be no answer, `""` is among them.

    References:
        - `write_predictions` in `run_squad.py` of google-research/bert.
    """
    start_logits, end_logits = finite(start_logits), finite(end_logits)
    spans, splits = best_spans(
        start_logits,
        end_logits,
        example=example,
        num_examples=tf.size(context),
        may_start=may_start,
        starts=starts,
        ends=ends,
        n_best=n_best,
        longest=longest,
    )
    # The last one stands for none.
    start, end = (tf.pad(spans[name], [[0, 1]]) for name in ("start", "end"))
    score = tf.pad(spans["score"], [[0, 1]], constant_values=_NO_SCORE)
    none = splits[-1]
    characters = Characters(context)

    places, texts = _with_different_texts(
        splits,
        lambda places, owners: characters.pieces(
            tf.gather(start, places), tf.gather(end, places), owners
        ),
        n_best,
    )
    scores = tf.gather(score, places)
    # The window that speaks least for no answer decides: (windows,) -> (questions,)
    null = tf.cast(start_logits[:, 0], tf.float64) + tf.cast(end_logits[:, 0], tf.float64)
    null = tf.math.segment_min(null, example)
    chosen = places[:, 0]
    difference = null - tf.where(chosen < none, scores[:, 0], 0)
    difference = tf.round(difference * _ROUNDING)
    if null_threshold is not None:
        # Whole numbers: a graph divides by way of the reciprocal, which is not quite exact.
        threshold = np.floor(null_threshold * _ROUNDING + 0.001)
        chosen = tf.where(difference > threshold, none, chosen)
        places, texts, scores = _with_null(places, texts, scores, null, none)

    is_answer = scores > _NO_SCORE
    shares = tf.where(is_answer, tf.exp(scores - tf.reduce_max(scores, axis=1, keepdims=True)), 0)
    shares = tf.math.divide_no_nan(shares, tf.reduce_sum(shares, axis=1, keepdims=True))
    top = {"answer": texts, "score": shares}
    for name, values in (("start", start), ("end", end)):
        values = tf.gather(values, places)
        top[f"{name}_byte"] = values
        top[name] = characters.count_before(values)
    # The first of none is the place of no answer.
    column = tf.argmax(places == chosen[:, tf.newaxis], axis=1)
    answer = {name: tf.gather(values, column, batch_dims=1) for name, values in top.items()}
    top["count"] = tf.math.count_nonzero(is_answer, axis=1)
    return {**answer, "no_answer_score": difference / _ROUNDING, "top": top}


def _with_different_texts(
    splits: tf.Tensor, texts_of: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], n_best: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The first spans of each example with different texts, at most `n_best`.

    Few spans are looked at in one step: the first step usually finds enough texts, and the texts of
    all spans would take much time and memory. A step is for the examples that need it alone: one
    context of the same word a thousand times takes a hundred steps.

    Args:
        splits: int64 `(examples + 1,)`. Where the spans of each example begin and end.
        texts_of: The texts of spans `(rows, columns)` of examples `(rows,)`.
        n_best: int.

    Returns:
        Spans, int64 `(examples, n_best)`, the last of `splits` where there are no more, and their
        texts.
    """
    none, limits = splits[-1], splits[1:]
    # Some more, for those that have the same text.
    block = tf.range(n_best + (n_best + 3) // 4, dtype=tf.int64)

    def is_unfinished(places, following):
        return (places[:, -1] == none) & (following < limits)

    def step(places, texts, following):
        owners = tf.where(is_unfinished(places, following))  # (rows, 1)
        old, begin = tf.gather_nd(places, owners), tf.gather_nd(following, owners)
        stop = tf.minimum(begin + tf.size(block, tf.int64), tf.gather_nd(limits, owners))
        more = begin[:, tf.newaxis] + block
        more = tf.where(more < stop[:, tf.newaxis], more, none)
        found = tf.concat([tf.gather_nd(texts, owners), texts_of(more, owners[:, 0])], axis=1)
        chosen, found = _first_of_each_text(tf.concat([old, more], axis=1), found, none, n_best)
        return (
            tf.tensor_scatter_nd_update(places, owners, chosen),
            tf.tensor_scatter_nd_update(texts, owners, found),
            tf.tensor_scatter_nd_update(following, owners, stop),
        )

    shape = tf.stack([tf.size(limits), n_best])
    rows = tf.TensorShape([None, n_best])
    places, texts, _ = tf.while_loop(
        lambda places, _, following: tf.reduce_any(is_unfinished(places, following)),
        step,
        (tf.fill(shape, none), tf.fill(shape, ""), splits[:-1]),
        shape_invariants=(rows, rows, tf.TensorShape([None])),
    )
    return places, texts


def _first_of_each_text(places, texts, none, n_best):
    """The first `n_best` places of each row, `(rows, columns)`, whose texts are new in it."""
    # The same text of other rows is another one.
    _, text = tf.unique(tf.reshape(texts, [-1]), tf.int64)
    row = tf.range(tf.size(text, tf.int64)) // tf.shape(texts, tf.int64)[1]
    _, text = tf.unique(row * tf.size(text, tf.int64) + text, tf.int64)
    number = tf.range(tf.size(text))
    is_first = tf.gather(tf.math.unsorted_segment_min(number, text, tf.size(text)), text) == number
    is_new = tf.reshape(is_first, tf.shape(texts)) & (places < none)
    order = tf.math.top_k(tf.cast(is_new, tf.int32), n_best).indices
    places = tf.gather(tf.where(is_new, places, none), order, batch_dims=1)
    return places, tf.gather(tf.where(is_new, texts, ""), order, batch_dims=1)


def _with_null(places, texts, scores, null, none):
    """Puts no answer behind the spans whose scores are not below its own.

    It takes one of the `n_best` places, or one more where as many spans are better.
    """
    n_best = scores.shape[1]
    # In the last column, it comes behind its equals.
    scores, order = tf.math.top_k(tf.concat([scores, null[:, tf.newaxis]], axis=1), n_best + 1)
    is_kept = (tf.range(n_best + 1) < n_best) | (order == n_best)
    parts = []
    for part, blank in ((places, none), (texts, "")):
        part = tf.pad(part, [[0, 0], [0, 1]], constant_values=blank)
        parts.append(tf.where(is_kept, tf.gather(part, order, batch_dims=1), blank))
    return *parts, tf.where(is_kept, scores, _NO_SCORE)
