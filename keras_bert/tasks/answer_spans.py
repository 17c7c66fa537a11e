"""Spans of a context in the windows cut from it: where gold answers lie, which spans score best.

All of it works on arrays of a row for each window. `index` says which token of the context stands
at each position, -1 where there is none; the windows of one context stand together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


def character_offsets(texts: Sequence[bytes], example: np.ndarray, places: np.ndarray):
    """Turns places in UTF-8 bytes into places in characters.

    Args:
        texts: sequence of bytes. The contexts.
        example: int `(rows,)`. The context of each row.
        places: int `(rows, length)`. Bytes, each the first of a character or the end of the text;
            -1 stays.

    Returns:
        int32 `(rows, length)`.
    """
    data = np.frombuffer(b"".join(texts), np.uint8)
    # Other bytes than the first of a character are 10xxxxxx.
    before = np.concatenate([[0], np.cumsum((data & 0xC0) != 0x80)])
    sizes = np.array([len(text) for text in texts], np.int64)
    # (rows,) -> (rows, 1)
    offset = (np.cumsum(sizes) - sizes)[example][:, np.newaxis]
    characters = before[offset + np.maximum(places, 0)] - before[offset]
    return np.where(places < 0, -1, characters).astype(np.int32)


def span_targets(
    answers: np.ndarray,
    example: np.ndarray,
    index: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the first and the last token that an answer touches.

    Args:
        answers: int `(examples, 2)`. First character and exclusive end of the answer to each
            example; equal where there is none.
        example: int `(rows,)`.
        index: int `(rows, length)`.
        starts: int `(rows, length)`. First character of each token.
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


def has_most_context(example: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Says of each token whether no other window shows it with more context.

    Context is the lesser of the numbers of tokens to its left and to its right, and a hundredth of
    the window's length; where two windows are equal, the earlier one wins.

    Args:
        example: int `(rows,)`.
        index: int `(rows, length)`.

    Returns:
        bool `(rows, length)`; false outside the context.

    References:
        - `_check_is_max_context` in `run_squad.py` of google-research/bert.
    """
    row, position = np.nonzero(index >= 0)
    token = index[row, position]
    size = (index >= 0).sum(axis=1)[row]
    left = token - (index.max(axis=1, initial=-1)[row] - size + 1)
    context = np.minimum(left, size - 1 - left) + 0.01 * size
    # One number for each token of each context.
    token = token + example[row] * (index.max(initial=0) + 1)
    tokens = token.max(initial=-1) + 1
    most = np.full(tokens, -1.0)
    np.maximum.at(most, token, context)
    best = context == most[token]
    winner = np.full(tokens, len(index))
    np.minimum.at(winner, token[best], row[best])
    result = np.zeros(index.shape, bool)
    result[row, position] = best & (winner[token] == row)
    return result


class Spans(NamedTuple):
    """Spans as arrays `(spans,)`: the row, positions of the first and the last token, a score."""

    row: np.ndarray
    start: np.ndarray
    end: np.ndarray
    score: np.ndarray


def best_spans(
    start_logits: np.ndarray,
    end_logits: np.ndarray,
    *,
    may_start: np.ndarray,
    may_end: np.ndarray,
    n_best: int,
    longest: int,
) -> Spans:
    """Pairs the `n_best` starts of each row with its `n_best` ends.

    The best are taken among all positions, those outside the context too; then the pairs that are
    no spans are dropped.

    Args:
        start_logits: float `(rows, length)`.
        end_logits: float `(rows, length)`.
        may_start: bool `(rows, length)`.
        may_end: bool `(rows, length)`.
        n_best: int.
        longest: int. Tokens of a span.

    Returns:
        `Spans` in the order of rows, of starts from the best and of ends from the best.

    References:
        - `write_predictions` in `run_squad.py` of google-research/bert.
    """
    # (rows, length) -> (rows, n_best, 1) and (rows, 1, n_best)
    start = np.argsort(-start_logits, axis=1, kind="stable")[:, :n_best, np.newaxis]
    end = np.argsort(-end_logits, axis=1, kind="stable")[:, np.newaxis, :n_best]
    row = np.arange(len(start_logits))[:, np.newaxis, np.newaxis]
    valid = may_start[row, start] & may_end[row, end] & (start <= end) & (end - start < longest)
    row, first, last = np.nonzero(valid)
    start, end = start[row, first, 0], end[row, 0, last]
    score = start_logits[row, start].astype(np.float64) + end_logits[row, end]
    return Spans(row, start, end, score)
