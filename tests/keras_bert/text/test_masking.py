import numpy as np
import pytest
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.text.masking import MaskedLMMasker
from keras_bert.text.stateless import fold_in, uniform
from tests.conformance import assert_equal, check_preprocessing

ROWS, LENGTH = 400, 60


@pytest.fixture(scope="module")
def rows(vocabulary):
    """Rows of [CLS] ... [SEP] with 3 to 60 tokens."""
    random = np.random.default_rng(0)
    lengths = random.integers(3, LENGTH + 1, ROWS)
    padding_mask = np.arange(LENGTH) < lengths[:, None]
    token_ids = random.integers(5, len(vocabulary), (ROWS, LENGTH)) * padding_mask
    token_ids[:, 0] = vocabulary.start_id
    token_ids[np.arange(ROWS), lengths - 1] = vocabulary.end_id
    return {
        "token_ids": tf.constant(token_ids, tf.int32),
        "padding_mask": tf.constant(padding_mask),
    }


def test_counts_follow_the_reference(vocabulary, rows):
    masked = MaskedLMMasker(vocabulary, 6)(rows, seeds=tf.range(ROWS))
    chosen = masked["masked_weights"].numpy().sum(axis=1)
    for length, count in zip(rows["padding_mask"].numpy().sum(axis=1), chosen, strict=True):
        assert count == min(6, max(1, round(int(length) * 0.15)), length - 2)


def test_only_chosen_tokens_change_and_they_are_remembered(vocabulary, rows):
    masked = MaskedLMMasker(vocabulary, 8)(rows, seeds=tf.range(ROWS))
    before, after = rows["token_ids"].numpy(), masked["token_ids"].numpy()
    special = {vocabulary.start_id, vocabulary.end_id, vocabulary.pad_id}
    for row in range(ROWS):
        used = masked["masked_weights"].numpy()[row] > 0
        positions = masked["masked_positions"].numpy()[row][used]
        assert (np.diff(positions) > 0).all()
        ids = masked["masked_ids"].numpy()[row]
        np.testing.assert_array_equal(ids[used], before[row][positions])
        assert not special & set(ids[used].tolist())
        assert not ids[~used].any()
        changed = np.flatnonzero(before[row] != after[row])
        assert set(changed.tolist()) <= set(positions.tolist())


def test_rates_and_uniform_positions(vocabulary):
    length, count = 102, 4000
    token_ids = np.full((count, length), vocabulary.ids["dog"])
    token_ids[:, 0], token_ids[:, -1] = vocabulary.start_id, vocabulary.end_id
    features = {
        "token_ids": tf.constant(token_ids, tf.int32),
        "padding_mask": tf.ones((count, length), tf.bool),
    }
    masked = MaskedLMMasker(vocabulary, 20)(features, seeds=tf.range(count))
    positions = masked["masked_positions"].numpy()[masked["masked_weights"].numpy() > 0]
    assert len(positions) == count * 15
    after = np.take_along_axis(masked["token_ids"].numpy(), masked["masked_positions"].numpy(), 1)
    after = after[masked["masked_weights"].numpy() > 0]
    share = 1 / np.sqrt(len(after))  # about two standard deviations
    assert abs((after == vocabulary.mask_id).mean() - 0.8) < share
    # A random token is the old one now and then.
    assert abs((after == vocabulary.ids["dog"]).mean() - 0.1 - 0.1 / len(vocabulary)) < share
    counts = np.bincount(positions, minlength=length)[1:-1]
    expected = count * 15 / 100
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert 50 < chi_square < 160  # 99 degrees of freedom, far tails cut off


@pytest.mark.parametrize(
    ("mask", "random", "same"), [(1, 0, 0), (0.8, 0, 0.2), (0, 1, 0), (0, 0.2, 0.8)]
)
def test_rates_are_arguments(vocabulary, rows, mask, random, same):
    masker = MaskedLMMasker(vocabulary, 20, mask_token_rate=mask, random_token_rate=random)
    masked = masker(rows, seeds=tf.range(ROWS))
    weights = masked["masked_weights"].numpy() > 0
    after = np.take_along_axis(masked["token_ids"].numpy(), masked["masked_positions"].numpy(), 1)
    is_mask = (after == vocabulary.mask_id)[weights].mean()
    is_same = (after == masked["masked_ids"].numpy())[weights].mean()
    assert is_mask == pytest.approx(mask, abs=0.05)
    assert is_same == pytest.approx(same, abs=0.05)


def test_draw_depends_on_the_seed_alone(vocabulary, rows):
    masker = MaskedLMMasker(vocabulary, 8)
    seeds = tf.range(ROWS)
    together = masker(rows, seeds=seeds)
    assert_equal(masker(rows, seeds=seeds), together)
    part = {name: tensor[10:20] for name, tensor in rows.items()}
    alone = masker(part, seeds=seeds[10:20])
    assert_equal(alone, tf.nest.map_structure(lambda x: x[10:20], together))
    other = masker(rows, seeds=seeds + 1000)
    assert (other["masked_positions"].numpy() != together["masked_positions"].numpy()).any()


def test_rows_with_nothing_to_mask(vocabulary):
    features = {
        "token_ids": tf.constant([[vocabulary.start_id, vocabulary.end_id, 0], [0, 0, 0]]),
        "padding_mask": tf.constant([[True, True, False], [False, False, False]]),
    }
    masked = MaskedLMMasker(vocabulary, 2)(features, seeds=tf.range(2))
    assert not masked["masked_weights"].numpy().any()
    np.testing.assert_array_equal(masked["token_ids"], features["token_ids"])


def test_more_slots_than_columns(vocabulary):
    features = {
        "token_ids": tf.constant([[vocabulary.start_id, 9, vocabulary.end_id]]),
        "padding_mask": tf.constant([[True, True, True]]),
    }
    masked = MaskedLMMasker(vocabulary, 10)(features, seeds=tf.range(1))
    assert masked["masked_positions"].numpy().tolist() == [[1] + [0] * 9]


def test_conformance(vocabulary, rows):
    arguments = (rows, tf.range(ROWS))
    check_preprocessing(
        MaskedLMMasker(vocabulary, 8), arguments, lambda layer, parts: layer(parts[0], parts[1])
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_predictions": 0},
        {"mask_rate": 0.0},
        {"mask_token_rate": 0.9, "random_token_rate": 0.2},
        {"random_token_rate": -0.1},
    ],
)
def test_wrong_arguments(vocabulary, arguments):
    with pytest.raises(InputError, match=next(iter(arguments))):
        MaskedLMMasker(vocabulary, **arguments)


def test_uniform_numbers_are_uniform_and_independent():
    numbers = uniform(fold_in(7, tf.range(500)), 400).numpy()
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.003
    assert abs(numbers.var() - 1 / 12) < 0.001
    for first, second in ((numbers[:-1], numbers[1:]), (numbers[:, :-1], numbers[:, 1:])):
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.01
    counts = np.histogram(numbers, 50, (0, 1))[0]
    assert ((counts - 4000) ** 2 / 4000).sum() < 90  # 49 degrees of freedom
