"""Several short examples in one row."""

import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.text.checks import assertion


def pack_examples(
    features: dict[str, tf.Tensor], length: int, *, pad_id: int = 0
) -> dict[str, tf.Tensor]:
    """Puts examples side by side into as few rows as first-fit decreasing needs.

    The longest example comes first; each goes into the first row with room for it. Tokens attend
    to their own example alone and count positions from its beginning, so that a model computes for
    each example what it would compute for it alone.

    Args:
        features: dictionary of `token_ids`, `segment_ids`, int32, and `padding_mask`, bool, each
            `(examples, columns)`, as a preprocessor makes them: padding stands at the end.
        length: int. Columns of the packed rows; no example may have more tokens.
        pad_id: int. `[PAD]`.

    Returns:
        A dictionary of `token_ids`, `segment_ids`, `position_ids`, int32, and `padding_mask`, bool,
        each `(rows, length)`; `attention_mask`, bool `(rows, length, length)`, block-diagonal; and
        `example_starts`, int32 `(examples, 2)`: row and column of each example's `[CLS]`, in the
        order of `features`.

    Raises:
        InputError: If `length` is not positive, or an example has more tokens; in a graph
            `tf.errors.InvalidArgumentError`, which holds the same sentence.

    Example:

    ```python
    packed = pack_examples(preprocessor(texts), length=128)
    outputs = encoder({key: value for key, value in packed.items() if key != "example_starts"})
    first = tf.gather_nd(outputs["sequence_output"], packed["example_starts"])
    ```

    References:
        - Krell et al. 2021, arXiv:2107.02027.
    """
    if type(length) is not int or length < 1:
        raise InputError(f"`length` must be a positive integer. Received: length={length!r}")
    sizes = tf.reduce_sum(tf.cast(features["padding_mask"], tf.int32), axis=1)
    longest = tf.reduce_max(tf.concat([[0], sizes], 0))
    fits = assertion(
        longest <= length,
        f"an example must have at most length={length} tokens",
        [tf.strings.as_string(longest)],
    )
    with tf.control_dependencies([fits] if fits is not None else []):
        starts = _first_fit_decreasing(sizes, length)
    rows = tf.reduce_max(tf.concat([[-1], starts[:, 0]], 0)) + 1

    # Every real token: its example, and its column in the example's own row.
    real = tf.where(features["padding_mask"])
    example, column = tf.unstack(tf.cast(real, tf.int32), axis=1)
    target = tf.gather(starts, example) + tf.stack([tf.zeros_like(column), column], axis=1)

    def place(values, blank):
        return tf.tensor_scatter_nd_update(tf.fill([rows, length], blank), target, values)

    block = place(example, -1)
    padding_mask = block >= 0
    same = block[:, :, tf.newaxis] == block[:, tf.newaxis, :]
    return {
        "token_ids": place(tf.gather_nd(features["token_ids"], real), pad_id),
        "segment_ids": place(tf.gather_nd(features["segment_ids"], real), 0),
        "position_ids": place(column, 0),
        "padding_mask": padding_mask,
        "attention_mask": tf.logical_and(same, padding_mask[:, tf.newaxis, :]),
        "example_starts": starts,
    }


def _first_fit_decreasing(sizes: tf.Tensor, length: int) -> tf.Tensor:
    """Row and column for each example: int32 `(examples, 2)`."""
    examples = tf.size(sizes)
    order = tf.argsort(sizes, direction="DESCENDING", stable=True)

    def place(step, used, starts):
        example = order[step]
        row = tf.argmax(used + sizes[example] <= length, output_type=tf.int32)
        start = tf.stack([row, used[row]])
        used = tf.tensor_scatter_nd_add(used, [[row]], [sizes[example]])
        return step + 1, used, tf.tensor_scatter_nd_update(starts, [[example]], [start])

    _, _, starts = tf.while_loop(
        lambda step, used, starts: step < examples,
        place,
        [0, tf.zeros([examples], tf.int32), tf.zeros([examples, 2], tf.int32)],
    )
    return starts
