"""Random numbers that depend on nothing but their keys.

TensorFlow's stateless generators take one seed for a whole tensor. Masking needs one for each
example, so that the draw of an example does not change with the batch it stands in, with the
number of readers or with a restart. These functions hash `(key, position)` with the finaliser of
SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195), a counter-based generator
that is a few elementwise operations on whole batches.
"""

import tensorflow as tf

_GOLDEN = 0x9E3779B97F4A7C15
_KEY_STEP = 0xD1342543DE82EF95
_STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def _word(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint64)


def _scramble(words: tf.Tensor) -> tf.Tensor:
    for shift, factor in _STEPS:
        words = tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, _word(shift)))
        words = words * _word(factor)
    return tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, _word(31)))


def fold_in(keys: tf.Tensor | int, value: tf.Tensor | int) -> tf.Tensor:
    """Derives new keys from keys and values, elementwise.

    Args:
        keys: int or tensor of integers.
        value: int or tensor of integers that broadcasts against `keys`.

    Returns:
        A uint64 tensor.

    Example:

    ```python
    keys = fold_in(fold_in(seed, epoch), example_index)      # (batch,)
    ```
    """
    keys, value = (tf.cast(tf.convert_to_tensor(part), tf.uint64) for part in (keys, value))
    return _scramble(_scramble(keys + _word(_GOLDEN)) + (value + _word(1)) * _word(_GOLDEN))


def random_bits(keys: tf.Tensor, counters: tf.Tensor, stream: int = 0) -> tf.Tensor:
    """Returns 64 random bits for each key and counter, as two int32 numbers.

    Args:
        keys: uint64 tensor of shape `(batch,)`; any numbers, consecutive ones too.
        counters: integer tensor that broadcasts against `(batch, 1)`, from 0 to below 2**32.
        stream: int. Different streams are independent.

    Returns:
        An int32 tensor of shape `(batch, 2 * count)`: those of one counter stand together.
    """
    # Keys and counters advance by different odd numbers, so that no two rows share a sequence.
    counters = tf.cast(counters, tf.uint64) + _word((stream << 32) + 1)
    weyl = counters * _word(_GOLDEN)
    words = _scramble(keys[:, tf.newaxis] * _word(_KEY_STEP) + weyl)
    batch, count = tf.unstack(tf.shape(words))
    # (batch, count, 2) -> (batch, 2 * count)
    return tf.reshape(tf.bitcast(words, tf.int32), [batch, 2 * count])


def random_columns(keys: tf.Tensor, count: tf.Tensor | int, stream: int = 0) -> tf.Tensor:
    """Returns an int32 tensor `(batch, count)` of 32 random bits for each key and column.

    Args:
        keys: uint64 tensor of shape `(batch,)`.
        count: int or int32 scalar tensor. The first columns do not change with it.
        stream: int. Different streams are independent.
    """
    return random_bits(keys, tf.range((count + 1) // 2)[tf.newaxis], stream)[:, :count]


def uniform(keys: tf.Tensor, count: tf.Tensor | int) -> tf.Tensor:
    """Returns float32 numbers in [0, 1), `count` for each key.

    Args:
        keys: uint64 tensor of shape `(batch,)`.
        count: int or integer scalar tensor.

    Returns:
        A float32 tensor of shape `(batch, count)` with 24 random bits in each number.
    """
    # The lower 24 bits are exactly what a float32 can hold.
    bits = tf.bitwise.bitwise_and(random_columns(keys, count), 2**24 - 1)
    return tf.cast(bits, tf.float32) * 2.0**-24
