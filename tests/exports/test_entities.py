import itertools

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies
from seqeval.metrics.sequence_labeling import get_entities

from exports.entities import find_entities

# Types that are easy to take for something else, and several spellings of tags.
NAMES = ("O", *(f"{kind}-{name}" for kind in "BIES" for name in ("PER", "A-B", "_")))
SPECS = [
    tf.RaggedTensorSpec([None, None], dtype, ragged_rank=1)
    for dtype in (tf.int32, tf.float32, tf.int64, tf.int64)
]


def graph_of(names):
    return tf.function(lambda *parts: find_entities(*parts, names=names), input_signature=SPECS)


GRAPH = graph_of(NAMES)


def columns_of(sentences):
    """The arguments for lists of indices: scores, starts and ends are all different."""
    lengths = [len(sentence) for sentence in sentences]
    flat = np.array([tag for sentence in sentences for tag in sentence], np.int32)
    count = len(flat)
    scores = (np.arange(count, dtype=np.float32) * 0.37) % 1
    starts = np.arange(count) * 7
    return [
        tf.RaggedTensor.from_row_lengths(values, np.array(lengths, np.int64))
        for values in (flat, scores, starts, starts + 5)
    ]


def by_seqeval(columns, names):
    """What `TagPredictor.decode` makes of them."""
    answers = []
    for tags, scores, starts, ends in zip(*(column.to_list() for column in columns), strict=True):
        answers.append(
            [
                (kind, first, last, starts[first], ends[last], np.mean(scores[first : last + 1]))
                for kind, first, last in get_entities([names[tag] for tag in tags])
            ]
        )
    return answers


def check(sentences, graph=GRAPH, names=NAMES):
    columns = columns_of(sentences)
    found = graph(*columns)
    expected = by_seqeval(columns, names)
    fields = ("type", "first_word", "last_word", "start", "end", "score")
    assert tuple(found) == fields
    for place, field in enumerate(fields):
        values = [[entity[place] for entity in entities] for entities in expected]
        assert found[field].nrows() == len(sentences)
        assert found[field].row_lengths().numpy().tolist() == [len(row) for row in values]
        flat = [value for row in values for value in row]
        if field == "score":
            np.testing.assert_allclose(found[field].flat_values, flat, atol=1e-6)
        elif field == "type":
            assert [kind.decode() for kind in found[field].flat_values.numpy()] == flat
        else:
            assert found[field].flat_values.numpy().tolist() == flat
    return expected


_SENTENCES = strategies.lists(
    strategies.lists(strategies.integers(0, len(NAMES) - 1), max_size=12), max_size=6
)


@hypothesis.settings(deadline=None, max_examples=200)
@hypothesis.given(_SENTENCES)
def test_entities_are_those_of_seqeval(sentences):
    check(sentences)


def test_every_three_tags_in_a_row():
    expected = check([list(tags) for tags in itertools.product(range(len(NAMES)), repeat=3)])
    assert sum(map(len, expected)) > len(NAMES) ** 3


def test_the_end_of_a_sentence_ends_an_entity():
    person, inside = NAMES.index("B-PER"), NAMES.index("I-PER")
    expected = check([[person], [], [inside, inside], [inside]])
    assert [[entity[:3] for entity in row] for row in expected] == [
        [("PER", 0, 0)],
        [],
        [("PER", 0, 1)],
        [("PER", 0, 0)],
    ]


@pytest.mark.parametrize("sentences", [[], [[]], [[], []], [[0, 0], [], [0]]])
def test_nothing_to_find(sentences):
    assert not any(check(sentences))


def test_the_place_of_o_among_the_tags_does_not_matter():
    names = ("I-LOC", "B-LOC", "O")
    check([[0, 0, 2, 1, 0], [2], [1, 1]], graph_of(names), names)
    # Nor need there be one.
    check([[0, 0, 1, 0], [], [1]], graph_of(names[:2]), names[:2])


def test_a_long_sentence_has_the_scores_of_its_own_words():
    # A sum over 100,000 words in float32 would be wrong by more than this.
    check([[NAMES.index("B-PER"), NAMES.index("I-PER"), 0] * 30_000])


def test_tags_of_another_kind_are_no_entities():
    found = graph_of(("NOUN", "VERB", "B-X"))(*columns_of([[0, 1], [2]]))
    assert found["type"].to_list() == [[], []]
    assert found["score"].dtype == tf.float32


def test_types_outside_ascii():
    names = ("O", "B-人", "I-人")
    found = graph_of(names)(*columns_of([[1, 2, 0]]))
    assert found["type"].to_list() == [["人".encode()]]
    check([[1, 2, 0, 2]], graph_of(names), names)


def test_stock_operations_only():
    # `tf.argmax` gives int64 where nothing else is said.
    columns = columns_of([[1, 4], [0]])
    columns[0] = tf.cast(columns[0], tf.int64)
    graph = tf.function(lambda *parts: find_entities(*parts, names=NAMES))
    operations = graph.get_concrete_function(*columns).graph.get_operations()
    kinds = {operation.type for operation in operations}
    assert not any(">" in kind or kind in ("PyFunc", "EagerPyFunc", "While") for kind in kinds)
    assert (
        graph(*columns)["last_word"].to_list()
        == find_entities(*columns, names=NAMES)["last_word"].to_list()
    )
