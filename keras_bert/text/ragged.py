"""Ragged operations in time and memory that grow with the values alone.

`tf.RaggedTensor.value_rowids`, `tf.ragged.boolean_mask` and `tf.repeat` make a dense table of rows
by the longest row on their way (`sequence_mask`; tensorflow 2.21), and so do sums over rows. Who
writes the text chooses both: one long word among twenty thousand short ones is 60 KB of text and
4 GB of memory.
"""

import tensorflow as tf


def row_ids(rows: tf.RaggedTensor) -> tf.Tensor:
    """Returns the row of each value, int64 `(values,)`, as `rows.value_rowids()`."""
    return _ids(rows.row_splits)


def repeated_ids(counts: tf.Tensor) -> tf.Tensor:
    """Returns each index of `counts` as often as it says, as `tf.repeat(tf.range(n), counts)`.

    Args:
        counts: int64 `(n,)`, not negative.

    Returns:
        int64 `(sum of counts,)`.
    """
    return _ids(tf.concat([[0], tf.cumsum(counts)], 0))


def keep(rows: tf.RaggedTensor, mask: tf.Tensor) -> tf.RaggedTensor:
    """Keeps some values of each row, as `tf.ragged.boolean_mask`.

    Args:
        rows: `tf.RaggedTensor` `(rows, (values), ...)`.
        mask: bool `(values,)`, for the flat list of all values.

    Returns:
        A `tf.RaggedTensor` of as many rows.
    """
    mask = tf.ensure_shape(mask, [None])
    kept_before = tf.concat([[0], tf.cumsum(tf.cast(mask, tf.int64))], 0)
    return tf.RaggedTensor.from_row_splits(
        tf.boolean_mask(rows.values, mask), tf.gather(kept_before, rows.row_splits), validate=False
    )


def _ids(splits: tf.Tensor) -> tf.Tensor:
    splits = tf.cast(splits, tf.int64)
    inner = splits[1:-1, tf.newaxis]
    # Each row but the first adds one where it begins; empty ones at the end begin behind the end.
    begins = tf.scatter_nd(inner, tf.ones_like(inner[:, 0]), splits[-1:] + 1)
    return tf.ensure_shape(tf.cumsum(begins)[:-1], [None])
