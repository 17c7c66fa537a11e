"""One or two token sequences in one row: `[CLS] a [SEP]` or `[CLS] a [SEP] b [SEP]`."""

import tensorflow as tf

from keras_bert.text.ragged import keep, row_ids

TRUNCATIONS = ("longest_first", "only_first", "only_second")
# Kernels are compiled for every new shape (oneDNN's cache holds a thousand, a model has some
# hundred for each length), so that lengths of every size would cost more than their padding.
LENGTH_STEP = 16


def truncate_pair(
    first: tf.RaggedTensor,
    second: tf.RaggedTensor,
    budget: int,
    truncation: str = "longest_first",
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Cuts pairs to `budget` tokens in all, from the end.

    Taking one token at a time from the longer sequence, and from the second where both are equal
    (`_truncate_seq_pair` of google-research/bert), leaves the lengths computed here at once.

    Args:
        first: `tf.RaggedTensor` of shape `(batch, tokens)`.
        second: `tf.RaggedTensor` of shape `(batch, tokens)`.
        budget: int. Tokens allowed in both together.
        truncation: str. `"longest_first"` always cuts the longer one, `"only_first"` and
            `"only_second"` the named one; the other one is cut only if it alone exceeds the
            budget.
    """
    first_length, second_length = first.row_lengths(), second.row_lengths()
    first_least = {"longest_first": (budget + 1) // 2, "only_first": 0, "only_second": budget}
    second_least = {"longest_first": budget // 2, "only_first": budget, "only_second": 0}
    first_kept = tf.maximum(budget - second_length, first_least[truncation])
    second_kept = tf.maximum(budget - first_length, second_least[truncation])
    return keep_first(first, first_kept), keep_first(second, second_kept)


def keep_first(tokens: tf.RaggedTensor, counts: tf.Tensor) -> tf.RaggedTensor:
    """Keeps at most the first `counts[i]` tokens of row i."""
    row = row_ids(tokens)
    places = tf.range(tf.size(row, tf.int64)) - tf.gather(tokens.row_starts(), row)
    return keep(tokens, places < tf.gather(counts, row))


def pack(
    segments: list[tf.RaggedTensor],
    *,
    start_id: int,
    end_id: int,
    pad_id: int,
    length: int,
    to_longest: bool = False,
) -> dict[str, tf.Tensor]:
    """Joins segments that fit into `length`, with special tokens and padding.

    Only core ragged operations are used: tf-text's own packer needs operations which stock
    TensorFlow Serving lacks.

    Args:
        segments: One or two `tf.RaggedTensor` of shape `(batch, tokens)`, int32.
        start_id: int. `[CLS]`.
        end_id: int. `[SEP]`.
        pad_id: int. `[PAD]`.
        length: int. Columns of the result.
        to_longest: bool. Only as many columns as the longest row needs, rounded up to a multiple
            of 16, at most `length`.

    Returns:
        A dictionary of `token_ids` and `segment_ids`, int32, and `padding_mask`, bool, each
        `(batch, length)`.
    """
    rows = segments[0].nrows()
    start = _column(start_id, rows)
    end = _column(end_id, rows)
    parts, segment_parts = [start], [_column(0, rows)]
    for index, tokens in enumerate(segments):
        parts += [tokens, end]
        segment_parts += [tokens.with_flat_values(tf.fill(tf.shape(tokens.flat_values), index))]
        segment_parts += [_column(index, rows)]
    token_ids = tf.concat(parts, axis=1)
    segment_ids = tf.concat(segment_parts, axis=1)
    padding_mask = tf.RaggedTensor.from_row_splits(
        tf.ones_like(token_ids.flat_values, tf.bool), token_ids.row_splits, validate=False
    )
    columns = {
        "token_ids": (token_ids, pad_id),
        "segment_ids": (segment_ids, 0),
        "padding_mask": (padding_mask, False),
    }
    if to_longest:
        steps = -(-token_ids.bounding_shape(axis=1) // LENGTH_STEP)
        length = tf.minimum(tf.maximum(steps, 1) * LENGTH_STEP, length)
        shape = tf.stack([tf.constant(-1, tf.int64), length])
    else:
        shape = [None, length]
    return {name: rows.to_tensor(pad, shape=shape) for name, (rows, pad) in columns.items()}


def _column(value: int, rows: tf.Tensor) -> tf.RaggedTensor:
    """One token in each row: `(rows, 1)`."""
    return tf.RaggedTensor.from_uniform_row_length(
        tf.fill([rows], tf.constant(value, tf.int32)), tf.constant(1, tf.int64), nrows=rows
    )
