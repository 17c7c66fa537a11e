"""Hostile texts, and the check that they cost no more than plain text of as many bytes."""

import resource
import time
from collections.abc import Callable

import tensorflow as tf

SIZE = 120_000
PLAIN = "the quick brown fox jumps over it, and "
# What hostile texts are put together of.
PARTS = {
    "a giant word": "x" * (SIZE // 3),
    "short words": "a " * (SIZE // 6),
    "spaces": " " * (SIZE // 3),
    "line breaks": "\n" * (SIZE // 3),
    "marks without end": "a" + "\u0301" * (SIZE // 6),
    "marks out of order": "a" + "\u0301\u0323" * (SIZE // 12),
    "letters with marks": "a\u0301" * (SIZE // 9),
    "punctuation": "." * (SIZE // 3),
    "initials": "U." * (SIZE // 6),
    "genitives": "'s" * (SIZE // 6),
    "Chinese": "中" * (SIZE // 9),
    "emoji": "😀" * (SIZE // 12),
    "ligatures": "ﷺ" * (SIZE // 9),
    "syllables": "각" * (SIZE // 9),
    "capitals of another script": "Σ" * (SIZE // 6),
    "control characters": "\x01" * (SIZE // 3),
}
SHAPES = [
    *(((name,), 1) for name in PARTS),
    (("a giant word", "short words"), 1),
    (("short words", "a giant word", "short words"), 1),
    (("a giant word", "spaces", "short words", "Chinese"), 1),
    (("marks without end", "short words", "initials"), 1),
    (("short words", "letters with marks", "genitives"), 1),
    # One giant row among many.
    (("a giant word", "short words"), 2000),
    (("short words", "punctuation"), 2000),
]
MOST_TIMES = 3.0
# Seconds and bytes below which a machine's own noise is larger.
LEAST_SECONDS, LEAST_BYTES = 0.01, 64 << 20


def texts_of(names, rows):
    """One text of parts, and short ones."""
    text = "".join(PARTS[name] for name in names)
    return [text] + ["a"] * (rows - 1)


def plain_of(texts):
    """Plain text of the same size and number."""
    size = sum(len(text.encode()) for text in texts)
    return [PLAIN * (size // len(PLAIN))] + ["a"] * (len(texts) - 1)


def check_costs(operation: Callable[[tf.Tensor], object], shapes=SHAPES) -> None:
    """Fails where hostile texts take more than `MOST_TIMES` the time of plain ones, or memory.

    Args:
        operation: Of strings `(rows,)`.
        shapes: Of `SHAPES`.
    """
    operation(tf.constant(["the first call"]))
    costs = {}
    for names, rows in shapes:
        texts = texts_of(names, rows)
        plain = max(seconds_of(operation, plain_of(texts)), LEAST_SECONDS)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        hostile = seconds_of(operation, texts)
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        if hostile > MOST_TIMES * plain or grown > LEAST_BYTES:
            costs[names, rows] = f"{hostile / plain:.1f} times, {grown >> 20} MB"
    assert not costs, costs


def seconds_of(operation, texts):
    """Processor time, which other processes do not change much; the least of three."""
    texts = tf.constant(texts)
    taken = []
    for _ in range(3):
        started = time.process_time()
        operation(texts)
        taken.append(time.process_time() - started)
    return min(taken)
