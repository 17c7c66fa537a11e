"""Linear forms of ragged operations equal TensorFlow's own."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert.text.ragged import keep, repeated_ids, row_ids

LENGTHS = st.lists(st.integers(0, 4), max_size=8)


@settings(deadline=None)
@given(LENGTHS, st.data())
def test_any_rows(lengths, data):
    size = sum(lengths)
    rows = tf.RaggedTensor.from_row_lengths(tf.range(size), tf.constant(lengths, tf.int64))
    expected = np.repeat(np.arange(len(lengths)), lengths)
    np.testing.assert_array_equal(row_ids(rows), expected)
    np.testing.assert_array_equal(repeated_ids(tf.constant(lengths, tf.int64)), expected)
    mask = tf.constant(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), tf.bool)
    kept = keep(rows, mask)
    assert kept.to_list() == tf.ragged.boolean_mask(rows, rows.with_values(mask)).to_list()
    assert kept.row_splits.dtype == tf.int64


@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 3, 0], [2, 1]])
def test_in_a_graph(lengths):
    @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.int32)])
    def graph(rows):
        return row_ids(rows), keep(rows, rows.values % 2 == 0)

    rows = tf.RaggedTensor.from_row_lengths(tf.range(sum(lengths)), tf.constant(lengths, tf.int64))
    ids, kept = graph(rows)
    assert ids.numpy().tolist() == np.repeat(np.arange(len(lengths)), lengths).tolist()
    assert kept.to_list() == [[value for value in row if value % 2 == 0] for row in rows.to_list()]


def test_one_long_row_among_many_takes_little_memory():
    """A dense table of them would be 20,001 x 20,000."""
    lengths = tf.constant([20_000] + [1] * 20_000, tf.int64)
    rows = tf.RaggedTensor.from_row_lengths(tf.range(40_000), lengths)

    @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.int32)])
    def graph(rows):
        kept = keep(rows, rows.values % 2 == 0)
        return row_ids(kept), repeated_ids(kept.row_lengths())

    @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.int32)])
    def dense(rows):
        return rows.value_rowids()

    def padding(function):
        operations = function.get_concrete_function().graph.get_operations()
        return {operation.type for operation in operations} & {"BroadcastTo", "Tile"}

    assert padding(dense)  # What TensorFlow's own form has.
    assert not padding(graph)
    ids, repeated = graph(rows)
    np.testing.assert_array_equal(ids, repeated)
