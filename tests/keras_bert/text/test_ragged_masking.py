import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.errors import InputError
from keras_bert.text.mask_units import UNITS
from keras_bert.text.masking import MaskedLMMasker
from keras_bert.text.ragged_masking import StatelessMaskValuesChooser, UnitSelector


def ragged_rows(vocabulary):
    random = np.random.default_rng(1)
    rows = [
        [vocabulary.start_id, *random.integers(5, len(vocabulary), count), vocabulary.end_id]
        for count in random.integers(0, 50, 60)
    ]
    return tf.ragged.constant(rows, tf.int32)


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("dtype", [tf.int32, tf.int64])
def test_equals_the_layer(vocabulary, units, dtype):
    ids = ragged_rows(vocabulary)
    seeds = tf.range(60)
    starts = None
    if units == "phrase":
        starts = ids.with_flat_values(ids.flat_values % 3 == 0)
    features = {"token_ids": ids.to_tensor(), "padding_mask": tf.sequence_mask(ids.row_lengths())}
    if starts is not None:
        features["unit_starts"] = starts.to_tensor()
    expected = MaskedLMMasker(vocabulary, 6, units=units)(features, seeds=seeds)

    @tf.function
    def mask(ids):
        selector = UnitSelector(vocabulary, seeds, 6, units=units, unit_starts=starts)
        shared = selector if units == "span" else None
        chooser = StatelessMaskValuesChooser(vocabulary, seeds, selector=shared)
        return tf_text.mask_language_model(ids, item_selector=selector, mask_values_chooser=chooser)

    masked_ids, positions, labels = mask(tf.cast(ids, dtype))
    np.testing.assert_array_equal(masked_ids.to_tensor(), expected["token_ids"])
    np.testing.assert_array_equal(
        positions.row_lengths(), expected["masked_weights"].numpy().sum(axis=1)
    )
    shape = (60, 6)
    np.testing.assert_array_equal(positions.to_tensor(shape=shape), expected["masked_positions"])
    np.testing.assert_array_equal(labels.to_tensor(shape=shape), expected["masked_ids"])


def test_wrong_arguments(vocabulary):
    ids = ragged_rows(vocabulary)
    with pytest.raises(InputError, match="axis"):
        UnitSelector(vocabulary, tf.range(60)).get_selection_mask(ids, axis=2)
    with pytest.raises(InputError, match="unit_starts"):
        UnitSelector(vocabulary, tf.range(60), units="phrase").get_selection_mask(ids)
    with pytest.raises(InputError, match="mask_token_rate"):
        StatelessMaskValuesChooser(vocabulary, tf.range(60), 0.9, 0.2)
