import numpy as np
import pytest
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.text.mask_selection import choose_words
from keras_bert.text.mask_units import Words, check_units, find_words, join_words, run_probabilities


def greedy(sizes, units, numbers, budget):
    """Takes words one after the other, as the definition says."""
    taken, left = set(), budget
    order = sorted(set(units), key=lambda unit: (-numbers[unit], unit))
    for unit in order:
        for word in [word for word, other in enumerate(units) if other == unit]:
            if sizes[word] > left:
                break
            taken.add(word)
            left -= sizes[word]
    return taken


@pytest.mark.parametrize("longest_unit", [1, 3, 10])
def test_choice_equals_the_sequential_algorithm(longest_unit):
    random = np.random.default_rng(longest_unit)
    rows, width = 300, 40
    tables = np.zeros((4, rows, width), "int32")  # size, unit, limit, number
    budgets = random.integers(0, 25, rows).astype("int32")
    expected = np.zeros((rows, width), bool)
    for row in range(rows):
        count = random.integers(0, width + 1)
        sizes = random.choice([1, 1, 1, 2, 3, 7], count)
        units = np.repeat(np.arange(count), random.integers(1, longest_unit + 1, count))[:count]
        limits = [
            max(sizes[other] for other in range(word + 1) if units[other] == units[word])
            for word in range(count)
        ]
        numbers = random.integers(-50, 50, width)  # Some are equal.
        for table, values in zip(tables, (sizes, units, limits), strict=False):
            table[row, :count] = values
        tables[3, row] = numbers
        expected[row, list(greedy(sizes, units, numbers, budgets[row]))] = True
    size, unit, limit, number = map(tf.constant, tables)
    words = Words(tf.zeros_like(size), size, unit, limit)
    np.testing.assert_array_equal(choose_words(words, tf.constant(budgets), number), expected)


def test_words_end_at_what_cannot_be_masked():
    maskable = tf.constant([[False, True, True, True, False, True, True, False]])
    starts = tf.constant([[False, True, False, True, True, False, False, True]])
    words, after_break = find_words(maskable, starts)
    assert words.word.numpy().tolist() == [[-1, 0, 0, 1, -1, 2, 2, -1]]
    assert words.size.numpy().tolist() == [[2, 1, 2, 0, 0, 0, 0, 0]]
    assert after_break.numpy().tolist() == [[True, False, True] + [False] * 5]


@pytest.mark.parametrize(
    ("units", "longest", "mean"), [("span", 10, 3.797), ("ngram", 3, 18 / 11), ("ngram", 1, 1)]
)
def test_lengths_of_runs(units, longest, mean):
    probabilities = run_probabilities(units, longest)
    assert probabilities @ np.arange(1, longest + 1) == pytest.approx(mean, abs=5e-4)
    rows, length = 500, 200
    words, after_break = find_words(tf.ones((rows, length), tf.bool), tf.ones((1, length), tf.bool))
    words = join_words(words, after_break, tf.cast(tf.range(rows), tf.uint64), probabilities)
    unit = words.unit.numpy()
    # The first units: those before a place of the row would be short ones more often.
    lengths = np.concatenate([np.bincount(row)[row[0] : row[0] + 15] for row in unit])
    counts = np.bincount(lengths, minlength=longest + 1)
    assert counts[0] == 0
    assert len(counts) == longest + 1
    expected = len(lengths) * probabilities
    assert ((counts[1:] - expected) ** 2 / expected).sum() < 30  # At most 9 degrees of freedom.


def test_limit_is_the_longest_word_so_far():
    random = np.random.default_rng(0)
    starts = tf.constant(random.random((50, 80)) < 0.6)
    maskable = tf.constant(random.random((50, 80)) < 0.95)
    words, after_break = find_words(maskable, starts)
    words = join_words(words, after_break, tf.cast(tf.range(50), tf.uint64), np.full(10, 0.1))
    for size, unit, limit in zip(
        words.size.numpy(), words.unit.numpy(), words.limit.numpy(), strict=True
    ):
        most = {}
        for word in np.flatnonzero(size):
            most[unit[word]] = max(most.get(unit[word], 0), size[word])
            assert limit[word] == most[unit[word]]


def test_what_is_kept_of_a_cut_unit_is_in_one_piece_and_anywhere():
    rows, length = 2000, 12
    words, after_break = find_words(tf.ones((rows, length), tf.bool), tf.ones((1, length), tf.bool))
    sizes = words.size.numpy()
    keys = tf.cast(tf.range(rows), tf.uint64)
    words = join_words(words, after_break, keys, np.array([0.0, 0.0, 1.0]))
    columns = words.word.numpy().reshape(rows, 4, 3) - 3 * np.arange(4)[:, None]
    assert (np.sort(columns, axis=2) == np.arange(3)).all()
    assert (np.sort(words.size.numpy(), axis=1) == np.sort(sizes, axis=1)).all()
    # The word that is kept first is any of the three, the next one its neighbour.
    order = np.argsort(columns, axis=2)
    shares = np.bincount(order[:, :, 0].ravel()) / (4 * rows)
    assert abs(shares - 1 / 3).max() < 0.02
    assert (abs(order[:, :, 1] - order[:, :, 0]) == 1).all()


@pytest.mark.parametrize(
    ("units", "max_words"), [("letter", None), ("token", 2), ("span", 0), ("ngram", 2.0)]
)
def test_wrong_arguments(units, max_words):
    with pytest.raises(InputError, match="units"):
        check_units(units, max_words)
