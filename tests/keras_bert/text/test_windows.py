import numpy as np
import pytest
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.windows import SlidingWindows
from tests.conformance import assert_equal, check_preprocessing

CONTEXTS = [
    "The dog ran away, and the cat came down to look at my dog.",
    "",
    "Dogs!",
    "é unaffable " * 9,
]
QUERIES = ["who ran", "the", "", "the dog ran away and the cat came too"]


@pytest.fixture(scope="module")
def tokenizer(vocabulary):
    return BertTokenizer(vocabulary)


def reference_spans(tokens, room, stride):
    """The loop of `run_squad.py`: start and length of each window."""
    spans, start = [], 0
    while True:
        length = min(tokens - start, room)
        spans.append((start, length))
        if start + length == tokens:
            return spans
        start += min(length, stride)


@pytest.mark.parametrize("stride", [1, 4, 100])
@pytest.mark.parametrize("with_query", [True, False])
def test_windows_equal_the_reference(tokenizer, stride, with_query):
    windows = SlidingWindows(tokenizer, 12, stride=stride, query_length=5)
    rows = windows(CONTEXTS, QUERIES) if with_query else windows(CONTEXTS)
    rows = {name: tensor.numpy() for name, tensor in rows.items()}
    vocabulary = tokenizer.vocabulary
    row = 0
    for example, (context, query) in enumerate(zip(CONTEXTS, QUERIES, strict=True)):
        ids = tokenizer(context).numpy().tolist()
        head = [vocabulary.start_id]
        if with_query:
            head += [*tokenizer(query).numpy()[:5].tolist(), vocabulary.end_id]
        for start, length in reference_spans(len(ids), 12 - len(head) - 1, stride):
            expected = [*head, *ids[start : start + length], vocabulary.end_id]
            assert rows["example"][row] == example
            assert rows["token_ids"][row].tolist() == expected + [0] * (12 - len(expected))
            assert rows["padding_mask"][row].sum() == len(expected)
            segments = [0] * len(head) + [int(with_query)] * (length + 1)
            assert rows["segment_ids"][row].tolist() == segments + [0] * (12 - len(segments))
            index = [-1] * len(head) + [*range(start, start + length)]
            assert rows["context_index"][row].tolist() == index + [-1] * (12 - len(index))
            row += 1
    assert row == len(rows["example"])


def test_bytes_of_positions_are_those_of_the_context(tokenizer):
    rows = SlidingWindows(tokenizer, 10, stride=3, query_length=2)(CONTEXTS, QUERIES)
    ids, starts, ends = (part.to_list() for part in tokenizer.tokenize_with_offsets(CONTEXTS))
    seen = set()
    for example, index, first, last, tokens in zip(
        *(
            rows[name].numpy()
            for name in ("example", "context_index", "context_start", "context_end", "token_ids")
        ),
        strict=True,
    ):
        for column in np.flatnonzero(index >= 0):
            place = index[column]
            seen.add((example, place))
            assert tokens[column] == ids[example][place]
            assert (first[column], last[column]) == (starts[example][place], ends[example][place])
        assert (first[index < 0] == -1).all()
        assert (last[index < 0] == -1).all()
    assert seen == {(e, i) for e, row in enumerate(ids) for i in range(len(row))}


HARD_TEXTS = [
    *CONTEXTS,
    b"\xff\xfe",
    b"\x00",
    b"a\xe4\xbd dog\x00s\xed\xa0\x80 ran \xf0\x9f\x98",
    "你好😀".encode() * 40,
    b"x" * 300,
]


@pytest.mark.parametrize("max_windows", [None, 1, 3])
def test_graph_of_unknown_sizes(tokenizer, max_windows):
    strings = tf.TensorSpec([None], tf.string)
    windows = SlidingWindows(tokenizer, 12, stride=4, query_length=5, max_windows=max_windows)
    call = tf.function(lambda *texts: windows(*texts), input_signature=[strings, strings])
    for contexts, queries in (
        (HARD_TEXTS, HARD_TEXTS[::-1]),
        (HARD_TEXTS, [""] * len(HARD_TEXTS)),
        ([b""], [b"\xff"]),
        ([], []),
    ):
        texts = tf.constant(contexts, tf.string), tf.constant(queries, tf.string)
        rows = call(*texts)
        assert_equal(rows, windows(*texts))
        assert rows["token_ids"].shape[1] == 12
        assert sorted(set(rows["example"].numpy())) == [*range(len(contexts))]
        # Places of bytes are those of valid characters.
        starts, ends = rows["context_start"].numpy(), rows["context_end"].numpy()
        for row, column in np.argwhere(rows["context_index"].numpy() >= 0):
            text = texts[0][rows["example"][row]].numpy()
            text[starts[row, column] : ends[row, column]].decode()


def test_max_windows_keeps_the_first_ones(tokenizer):
    settings = {"stride": 3, "query_length": 5}
    every = SlidingWindows(tokenizer, 12, **settings)(CONTEXTS, QUERIES)
    some = SlidingWindows(tokenizer, 12, **settings, max_windows=2)(CONTEXTS, QUERIES)
    example = every["example"].numpy()
    kept = [row for row, number in enumerate(example) if number not in example[: max(row - 1, 0)]]
    assert len(kept) < len(example)
    assert_equal(some, {name: tf.gather(values, kept) for name, values in every.items()})


def test_empty_batch(tokenizer):
    none = tf.constant([], tf.string)
    rows = SlidingWindows(tokenizer, 12, query_length=5)(none, none)
    assert rows["token_ids"].shape == (0, 12)
    assert rows["context_start"].shape == (0, 12)


def test_conformance(tokenizer):
    windows = SlidingWindows(tokenizer, 12, stride=4, query_length=5, max_windows=2)
    check_preprocessing(windows, tf.constant(CONTEXTS))
    check_preprocessing(
        windows,
        (tf.constant(CONTEXTS), tf.constant(QUERIES)),
        lambda layer, texts: layer(*texts),
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"stride": 0},
        {"query_length": -1},
        {"sequence_length": 67},
        {"sequence_length": 3.5},
        {"max_windows": 0},
        {"max_windows": 2.0},
    ],
)
def test_wrong_arguments(tokenizer, arguments):
    with pytest.raises(InputError, match=next(iter(arguments))):
        SlidingWindows(tokenizer, **arguments)
