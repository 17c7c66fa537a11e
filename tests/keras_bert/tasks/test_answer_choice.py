import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.tasks.answer_choice import ANSWER_INPUTS, choose_answers
from keras_bert.tasks.answer_spans import has_most_context
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.windows import SlidingWindows

LENGTH = 20
WORDS = [
    "the",
    "cat",
    "unable",
    "é",
    "你好",
    "😀",
    "ran.",
    "\x00",
    "\u0301",
    "unaffable",
    "ß-ß",
    "a",
]
BAD = [b"\xff", b"\xe4\xbd", b"dog\xed\xa0\x80s", b"\xf0\x9f\x98", b"\xc0\x80"]
CONTEXTS = [b"", b"\x00", b"\xff\xfe", b"the " * 60, "你好".encode() * 30]


@pytest.fixture(scope="module")
def windows(vocabulary):
    layer = SlidingWindows(BertTokenizer(vocabulary), LENGTH, stride=4, query_length=3)
    strings = tf.TensorSpec([None], tf.string)
    return tf.function(lambda *texts: layer(*texts), input_signature=[strings, strings])


def graph(**options):
    """`choose_answers` as a graph of unknown sizes, behind the windows."""
    sizes = [None, None]
    logits = tf.TensorSpec(sizes, tf.float32)
    rows = {
        "example": tf.TensorSpec([None], tf.int32),
        **{name: tf.TensorSpec(sizes, tf.int64) for name in ("context_start", "context_end")},
        "context_index": tf.TensorSpec(sizes, tf.int32),
    }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string), rows, logits, logits])
    def choose(context, rows, start_logits, end_logits):
        return choose_answers(
            context,
            start_logits,
            end_logits,
            rows["example"],
            has_most_context(rows["example"], rows["context_index"]),
            rows["context_start"],
            rows["context_end"],
            **options,
        )

    def call(context, rows, *logits):
        needed = ("example", "context_start", "context_end", "context_index")
        result = choose(tf.constant(context, tf.string), {n: rows[n] for n in needed}, *logits)
        return keras.tree.map_structure(lambda tensor: tensor.numpy(), result)

    return call


def random_contexts(random, count):
    words = [word.encode() for word in WORDS]
    return CONTEXTS + [
        b" ".join(random.choice(words + BAD * bool(number % 3 == 0), random.integers(60)).tolist())
        for number in range(count)
    ]


def first_best(values, count):
    return sorted(range(len(values)), key=lambda place: -values[place])[:count]


def expected(context, windows, *, n_best, longest, null_threshold):
    """The reply for one question, chosen pair by pair.

    Args:
        windows: for each a list of (start logit, end logit, token, first byte, end byte).
    """
    found = []
    for window in windows:
        starts, ends = [[float(place[axis]) for place in window] for axis in (0, 1)]
        for start in first_best(starts, n_best):
            for end in first_best(ends, n_best):
                token, last = window[start][2], window[end][2]
                if min(token, last) < 0 or not start <= end < start + longest:
                    continue
                scores = []
                for other in windows:
                    tokens = [place[2] for place in other if place[2] >= 0]
                    near = (
                        (tokens.index(token), tokens[::-1].index(token))
                        if token in tokens
                        else [-9]
                    )
                    scores.append(min(near) + 0.01 * len(tokens))
                if windows[scores.index(max(scores))] is window:
                    found.append((window[start][3], window[end][4], starts[start] + ends[end]))
    found.sort(key=lambda span: -span[2])
    null = min(float(window[0][0]) + float(window[0][1]) for window in windows)
    spans, texts = [], set()
    for start, end, score in found:
        text = context[start:end].decode(errors="replace")
        if text not in texts and len(spans) < n_best:
            texts.add(text)
            spans.append((text, start, end, score))
    best = spans[0] if spans else ("", 0, 0, 0.0)
    difference = round(null - best[3], 6)
    if null_threshold is not None:
        if difference > null_threshold:
            best = ("", 0, 0, 0.0)
        place = sum(span[3] >= null for span in spans)
        spans = [*spans[:place], ("", 0, 0, null), *spans[place : n_best - 1]]
    total = sum(math.exp(span[3]) for span in spans)
    top = [(*span[:3], math.exp(span[3]) / total) for span in spans]
    return best[:3], difference, top


@pytest.mark.parametrize(
    ("n_best", "null_threshold", "levels"),
    [
        (1, None, 3),
        (3, None, 1000),
        (6, 0.0, 2),
        (6, -1.5, 1000),
        (2, 0.25, 1),
        (30, 0.5, 4),
        (3, math.inf, 5),
    ],
)
def test_answers_are_those_of_a_direct_loop(windows, n_best, null_threshold, levels):
    random = np.random.default_rng(n_best)
    context = random_contexts(random, 30)
    questions = random.choice(["", "who?", "the dog ran away", "\x00"], len(context)).tolist()
    rows = windows(tf.constant(context), tf.constant(questions))
    # Whole numbers make many ties, few of them more.
    mask = rows["padding_mask"].numpy()
    logits = [
        np.where(mask, random.integers(0, levels, mask.shape) / levels * 4, -1e9).astype("float32")
        for _ in range(2)
    ]
    options = {"n_best": n_best, "longest": 5, "null_threshold": null_threshold}
    reply = graph(**options)(context, rows, *logits)
    columns = (*logits, *(rows[f"context_{name}"].numpy() for name in ("index", "start", "end")))
    table = np.stack(columns, axis=2)
    for number, text in enumerate(context):
        own = [
            [(*map(float, row[:2]), *map(int, row[2:])) for row in table[window][mask[window]]]
            for window in np.flatnonzero(rows["example"].numpy() == number)
        ]
        best, difference, top = expected(text, own, **options)
        count, blanks = len(top), reply["top"]["answer"].shape[1] - len(top)
        entries = {name: values[number] for name, values in reply["top"].items()}
        assert entries["count"] == count
        for place, name in enumerate(("answer", "start_byte", "end_byte")):
            values = [part[place].encode() if place == 0 else part[place] for part in top]
            assert entries[name].tolist() == values + [b"" if place == 0 else 0] * blanks
        scores = [part[3] for part in top] + [0.0] * blanks
        np.testing.assert_allclose(entries["score"], scores, rtol=1e-9)
        characters = text.decode(errors="replace")
        for start, end, found in zip(
            *(entries[n] for n in ("start", "end", "answer")), strict=True
        ):
            assert characters[start:end] == found.decode()

        answer = {name: reply[name][number] for name in ("start_byte", "end_byte")}
        assert (reply["answer"][number].decode(), *answer.values()) == best
        assert characters[reply["start"][number] : reply["end"][number]] == best[0]
        score = next((part[3] for part in top if part[:3] == best), 0)
        assert reply["score"][number] == pytest.approx(score, rel=1e-9)
        assert reply["no_answer_score"][number] == pytest.approx(difference, abs=1e-9)


@pytest.mark.parametrize("null_threshold", [None, 0.0])
def test_any_logits_give_finite_numbers(windows, null_threshold):
    context = random_contexts(np.random.default_rng(0), 20)
    rows = windows(tf.constant(context), tf.constant([""] * len(context)))
    shape = rows["token_ids"].shape
    choose = graph(n_best=4, longest=30, null_threshold=null_threshold)
    values = [np.nan, np.inf, -np.inf, 3e38, -3e38, 0.0]
    mixed = np.random.default_rng(0).choice(values, (2, *shape))
    for start, end in [*((value, value) for value in values), (np.inf, -np.inf), mixed]:
        logits = [np.broadcast_to(np.float32(part), shape) for part in (start, end)]
        reply = choose(context, rows, *logits)
        numbers = [part for part in keras.tree.flatten(reply) if part.dtype.kind == "f"]
        # As a server may tell them.
        assert all(np.isfinite(part.astype("float32")).all() for part in numbers)
        total = reply["top"]["score"].sum(axis=1)
        np.testing.assert_allclose(total, reply["top"]["count"] > 0)


def test_no_questions(windows):
    rows = windows(*[tf.constant([], tf.string)] * 2)
    logits = np.zeros([0, LENGTH], "float32")
    reply = graph(n_best=3, longest=5, null_threshold=0.0)([], rows, logits, logits)
    assert {part.shape[0] for part in keras.tree.flatten(reply)} == {0}


def test_contexts_without_tokens(windows):
    context = [b"", b"\xff", b"\x00"]
    rows = windows(tf.constant(context), tf.constant(["who?"] * 3))
    logits = np.ones([3, LENGTH], "float32")
    for threshold, count in ((None, 0), (9.0, 1)):
        reply = graph(n_best=3, longest=5, null_threshold=threshold)(context, rows, logits, logits)
        assert reply["top"]["count"].tolist() == [count] * 3
        assert reply["answer"].tolist() == [b""] * 3
        assert reply["score"].tolist() == [count] * 3
        assert reply["no_answer_score"].tolist() == [2.0] * 3


def test_graph_holds_core_operations_alone():
    choose = tf.function(
        functools.partial(choose_answers, n_best=3, longest=5, null_threshold=0.0),
        input_signature=ANSWER_INPUTS,
    )
    definition = choose.get_concrete_function().graph.as_graph_def()
    nodes = [*definition.node]
    for function in definition.library.function:
        nodes += function.node_def
    operations = {node.op for node in nodes}
    assert "TopKV2" in operations
    assert not [name for name in operations if not hasattr(tf.raw_ops, name) or "PyFunc" in name]
