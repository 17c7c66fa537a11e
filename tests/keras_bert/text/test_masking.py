import numpy as np
import pytest
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.text.mask_units import UNITS
from keras_bert.text.masking import MaskedLMMasker, most_predictions
from keras_bert.text.stateless import fold_in, uniform
from keras_bert.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.conformance import assert_equal, check_preprocessing

ROWS, LENGTH = 400, 60
GROUPS = tuple(units for units in UNITS if units != "token")


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
    ("length", "rate", "expected"), [(128, 0.15, 20), (512, 0.15, 77), (5, 0.01, 1), (5, 1, 5)]
)
def test_most_predictions(length, rate, expected):
    assert most_predictions(length, rate) == expected


@pytest.mark.parametrize("rate", [0, -0.1, 1.1, float("nan"), float("inf")])
def test_most_predictions_of_a_wrong_rate(rate):
    with pytest.raises(InputError, match="`mask_rate` must be above 0 and at most 1"):
        most_predictions(128, rate)


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


@pytest.mark.parametrize("units", UNITS)
def test_rows_with_nothing_to_mask(vocabulary, units):
    features = {
        "token_ids": tf.constant([[vocabulary.start_id, vocabulary.end_id, 0], [0, 0, 0]]),
        "padding_mask": tf.constant([[True, True, False], [False, False, False]]),
        "unit_starts": tf.ones((2, 3), tf.bool),
    }
    masked = MaskedLMMasker(vocabulary, 2, units=units)(features, seeds=tf.range(2))
    assert not masked["masked_weights"].numpy().any()
    np.testing.assert_array_equal(masked["token_ids"], features["token_ids"])


def test_more_slots_than_columns(vocabulary):
    features = {
        "token_ids": tf.constant([[vocabulary.start_id, 9, vocabulary.end_id]]),
        "padding_mask": tf.constant([[True, True, True]]),
    }
    masked = MaskedLMMasker(vocabulary, 10)(features, seeds=tf.range(1))
    assert masked["masked_positions"].numpy().tolist() == [[1] + [0] * 9]


@pytest.mark.parametrize("units", UNITS)
def test_conformance(vocabulary, rows, units):
    arguments = (with_unit_starts(rows), tf.range(ROWS))
    check_preprocessing(
        MaskedLMMasker(vocabulary, 8, units=units),
        arguments,
        lambda layer, parts: layer(parts[0], parts[1]),
    )


def with_unit_starts(rows):
    return {**rows, "unit_starts": rows["token_ids"] % 3 != 0}


def long_rows(vocabulary, count):
    """Rows of 100 tokens between [CLS] and [SEP]: words of one, two and three pieces in turn."""
    pattern = ["dog", "dog", "##s", "dog", "##ed", "##s"]
    words = [vocabulary.ids[pattern[column % 6]] for column in range(100)]
    # Shifted from row to row, so that every place sees every piece of a word.
    rows = np.array([np.roll(words[:96], row % 6)[np.arange(100) % 96] for row in range(count)])
    ends = np.full((count, 1), vocabulary.end_id)
    token_ids = np.concatenate([np.full((count, 1), vocabulary.start_id), rows, ends], axis=1)
    features = {
        "token_ids": tf.constant(token_ids, tf.int32),
        "padding_mask": tf.ones(token_ids.shape, tf.bool),
    }
    is_piece = np.isin(token_ids, [vocabulary.ids["##s"], vocabulary.ids["##ed"]])
    return {**features, "unit_starts": tf.constant(~is_piece)}


def chosen_columns(masked):
    """Which tokens were chosen, bool (batch, length)."""
    positions, used = masked["masked_positions"].numpy(), masked["masked_weights"].numpy() > 0
    chosen = np.zeros(masked["token_ids"].shape, bool)
    rows = np.broadcast_to(np.arange(len(positions))[:, None], positions.shape)
    chosen[rows[used], positions[used]] = True
    return chosen


@pytest.mark.parametrize("units", GROUPS)
def test_units_spend_the_budget_evenly(vocabulary, units):
    features = long_rows(vocabulary, 4000)
    masked = MaskedLMMasker(vocabulary, 20, units=units)(features, seeds=tf.range(4000))
    chosen = chosen_columns(masked)
    counts = chosen.sum(axis=1)
    assert counts.max() == 15  # round(0.15 * 102)
    assert counts.mean() > 14.9  # Single tokens fill what is left.
    assert not chosen[:, [0, -1]].any()
    shares = chosen[:, 1:-1].mean(axis=0)
    shares /= shares.mean()
    assert abs(shares - 1).max() < 0.25
    assert abs(shares.reshape(-1, 10).mean(axis=1) - 1).max() < 0.08
    after = masked["token_ids"].numpy()
    assert (after[chosen] == vocabulary.mask_id).mean() == pytest.approx(0.8, abs=0.02)
    same = (after == features["token_ids"].numpy())[chosen].mean()
    assert same == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("units", GROUPS)
def test_words_are_never_cut(vocabulary, units):
    features = long_rows(vocabulary, 500)
    chosen = chosen_columns(
        MaskedLMMasker(vocabulary, 20, units=units)(features, seeds=tf.range(500))
    )
    inside = ~features["unit_starts"].numpy()
    inside[:, :2] = False  # The first token of the text begins a word in any case.
    assert (chosen[:, 1:] == chosen[:, :-1])[inside[:, 1:]].all()


def test_supplied_words_take_the_place_of_pieces(vocabulary):
    """Words of four tokens; two never fit into a budget of six."""
    features = long_rows(vocabulary, 300)
    features["unit_starts"] = tf.repeat([(np.arange(102) - 1) % 4 == 0], 300, axis=0)
    for units in ("whole_word", "phrase"):
        masker = MaskedLMMasker(vocabulary, 6, units=units)
        chosen = chosen_columns(masker(features, seeds=tf.range(300)))
        assert (chosen.sum(axis=1) == 4).all()
        assert (chosen[:, 1:101].reshape(300, 25, 4).sum(axis=2) % 4 == 0).all()


def test_a_span_is_replaced_as_one(vocabulary):
    features = long_rows(vocabulary, 1000)
    arguments = {"mask_token_rate": 0.5, "random_token_rate": 0.0, "units": "span"}
    tests = {}
    for replace_by in ("unit", "token"):
        masker = MaskedLMMasker(vocabulary, 20, replace_by=replace_by, **arguments)
        masked = masker(features, seeds=tf.range(1000))
        chosen = chosen_columns(masked)
        hidden = masked["token_ids"].numpy() == vocabulary.mask_id
        pairs = chosen[:, 1:] & chosen[:, :-1]
        tests[replace_by] = (hidden[:, 1:] == hidden[:, :-1])[pairs].mean()
    # Pairs of neighbours are not of one span where two spans touch.
    assert tests["unit"] > 0.93
    assert tests["token"] == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("units", UNITS)
def test_epochs_are_independent(vocabulary, units):
    features = long_rows(vocabulary, 1000)
    masker = MaskedLMMasker(vocabulary, 20, units=units)
    first, second = (
        chosen_columns(masker(features, seeds=tf.range(1000) + offset)) for offset in (0, 1000)
    )
    overlap = (first & second)[:, 1:-1].mean()
    assert overlap == pytest.approx(first[:, 1:-1].mean() * second[:, 1:-1].mean(), rel=0.1)


@pytest.mark.parametrize("units", UNITS)
def test_parallelism_and_padding_change_nothing(vocabulary, rows, units):
    masker = MaskedLMMasker(vocabulary, 8, units=units)
    features = with_unit_starts(rows)
    expected = masker(features, seeds=tf.range(ROWS))
    dataset = tf.data.Dataset.from_tensor_slices((features, tf.range(ROWS)))
    for batch_size, calls in ((7, 1), (50, 4)):
        batches = dataset.batch(batch_size).map(
            lambda features, seeds: masker(features, seeds=seeds), num_parallel_calls=calls
        )
        parts = [tf.nest.flatten(batch) for batch in batches]
        assert_equal(
            [tf.concat(part, 0) for part in zip(*parts, strict=True)], tf.nest.flatten(expected)
        )
    wider = {name: tf.pad(tensor, [[0, 0], [0, 5]]) for name, tensor in features.items()}
    masked = masker(wider, seeds=tf.range(ROWS))
    assert_equal(masked["masked_positions"], expected["masked_positions"])
    assert_equal(masked["token_ids"][:, :-5], expected["token_ids"])


def test_phrases_must_be_given(vocabulary, rows):
    with pytest.raises(InputError, match="unit_starts"):
        MaskedLMMasker(vocabulary, units="phrase")(rows, seeds=tf.range(ROWS))


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_predictions": 0},
        {"units": "letter"},
        {"max_words": 3},
        {"replace_by": "unit"},
        {"mask_rate": 0.0},
        {"mask_token_rate": 0.9, "random_token_rate": 0.2},
        {"mask_token_rate": float("nan")},
        {"random_token_rate": float("nan")},
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


def test_random_tokens_are_tokens_of_the_vocabulary():
    # A padded table has more rows than there are tokens; none of those is ever drawn.
    vocabulary = Vocabulary((*SPECIAL_TOKENS, "the", "dog"))
    features = {
        "token_ids": tf.fill([200, 16], vocabulary.ids["the"]),
        "padding_mask": tf.ones([200, 16], tf.bool),
    }
    masker = MaskedLMMasker(vocabulary, 8, mask_rate=0.5, mask_token_rate=0, random_token_rate=1)
    drawn = masker(features, tf.range(200))["token_ids"].numpy()
    assert set(np.unique(drawn)) == set(range(len(vocabulary)))
