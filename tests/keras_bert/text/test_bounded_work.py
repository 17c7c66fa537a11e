"""No text costs more than its size: hostile shapes beside plain text of as many bytes."""

import resource
import time

import pytest
import tensorflow as tf

from keras_bert.text.preprocessor import BertPreprocessor
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.windows import SlidingWindows
from keras_bert.text.word_windows import WordWindows
from keras_bert.text.words import split_words

SIZE = 120_000
PLAIN = "the quick brown fox jumps over it, and "
# What hostile texts are put together of.
PARTS = {
    "a giant word": "x" * (SIZE // 3),
    "short words": "a " * (SIZE // 6),
    "spaces": " " * (SIZE // 3),
    "line breaks": "\n" * (SIZE // 3),
    "marks without end": "a" + "\u0301" * (SIZE // 6),
    "letters with marks": "a\u0301" * (SIZE // 9),
    "punctuation": "." * (SIZE // 3),
    "initials": "U." * (SIZE // 6),
    "genitives": "'s" * (SIZE // 6),
    "Chinese": "中" * (SIZE // 9),
    "emoji": "😀" * (SIZE // 12),
    "ligatures": "ﷺ" * (SIZE // 9),
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
LEAST_SECONDS, LEAST_BYTES = 0.03, 64 << 20


def texts_of(names, rows):
    """One text of parts, and short ones."""
    text = "".join(PARTS[name] for name in names)
    return [text] + ["a"] * (rows - 1)


def plain_of(texts):
    """Plain text of the same size and number."""
    size = sum(len(text.encode()) for text in texts)
    return [PLAIN * (size // len(PLAIN))] + ["a"] * (len(texts) - 1)


@pytest.fixture(scope="module")
def operations(vocabulary):
    tokenizer = BertTokenizer(vocabulary)
    added = tokenizer.add_tokens(["foxglove", "covid-19"])
    sliding = SlidingWindows(tokenizer, 128, stride=64, query_length=16, max_windows=64)
    of_words = WordWindows(tokenizer, 128, max_windows=64)
    preprocessor = BertPreprocessor(tokenizer, 128)
    functions = {
        "offsets": tokenizer.tokenize_with_offsets,
        "added tokens": added.tokenize_with_offsets,
        "contexts": lambda text: sliding(text[:1], text[:1]),
        "words": lambda text: of_words(split_words(text)[0]),
        "rows": preprocessor,
    }
    signature = [tf.TensorSpec([None], tf.string)]
    return {name: tf.function(call, signature) for name, call in functions.items()}


def seconds_of(operation, texts):
    texts = tf.constant(texts)
    taken = []
    for _ in range(4):
        started = time.process_time()
        operation(texts)
        taken.append(time.process_time() - started)
    return min(taken)


@pytest.mark.parametrize("name", ["offsets", "added tokens", "contexts", "words", "rows"])
def test_hostile_texts_cost_as_plain_ones_do(operations, name):
    operation = operations[name]
    operation(tf.constant(["the first call"]))
    costs = {}
    for names, rows in SHAPES:
        texts = texts_of(names, rows)
        plain = max(seconds_of(operation, plain_of(texts)), LEAST_SECONDS)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        hostile = seconds_of(operation, texts)
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        if hostile > MOST_TIMES * plain or grown > LEAST_BYTES:
            costs[names, rows] = f"{hostile / plain:.1f} times, {grown >> 20} MB"
    assert not costs
