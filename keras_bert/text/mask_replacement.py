"""What stands in the place of a chosen token: `[MASK]`, a random token or itself."""

import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.text.mask_selection import Selection
from keras_bert.text.stateless import random_bits
from keras_bert.text.vocabulary import Vocabulary

_BITS = 24
_SLOT_STREAM, _GROUP_STREAM = 1, 2


def replace(
    masked_ids: tf.Tensor,
    keys: tf.Tensor,
    vocabulary: Vocabulary,
    *,
    mask_token_rate: float,
    random_token_rate: float,
    groups: tf.Tensor | None = None,
) -> tf.Tensor:
    """Draws what replaces the chosen tokens.

    Args:
        masked_ids: integer tensor `(batch, slots)`. The tokens themselves.
        keys: uint64 `(batch,)`.
        vocabulary: `Vocabulary`.
        mask_token_rate: float. Share that becomes `[MASK]`.
        random_token_rate: float. Share that becomes a token drawn from the whole vocabulary.
        groups: int32 `(batch, slots)` or None. Slots with equal numbers share the decision, though
            not the random token; without it each slot has its own.

    Returns:
        A tensor like `masked_ids`.
    """
    slots = tf.shape(masked_ids)[1]
    bits = random_bits(keys, tf.range(slots)[tf.newaxis], _SLOT_STREAM)
    # (batch, 2 * slots) -> (batch, slots, 2)
    decision, number = tf.unstack(tf.reshape(bits, [-1, slots, 2]), axis=2)
    if groups is not None:
        decision = random_bits(keys, groups, _GROUP_STREAM)[:, ::2]
    decision = tf.bitwise.bitwise_and(decision, 2**_BITS - 1)
    random_ids = tf.cast(tf.math.floormod(number, len(vocabulary)), masked_ids.dtype)
    return tf.where(
        decision < round(mask_token_rate * 2**_BITS),
        tf.cast(vocabulary.mask_id, masked_ids.dtype),
        tf.where(
            decision < round((mask_token_rate + random_token_rate) * 2**_BITS),
            random_ids,
            masked_ids,
        ),
    )


def unit_groups(selection: Selection, positions: tf.Tensor) -> tf.Tensor:
    """Returns the unit of each chosen token, int32 `(batch, slots)`; any for unused slots."""
    word = tf.gather(selection.words.word, positions, batch_dims=1)
    return tf.gather(selection.words.unit, tf.maximum(word, 0), batch_dims=1)


def check_rates(mask_rate: float, mask_token_rate: float, random_token_rate: float) -> None:
    """Checks the shares of masking.

    Raises:
        InputError: If one is out of range.
    """
    if not 0 < mask_rate <= 1:
        raise InputError(
            f"`mask_rate` must be above 0 and at most 1. Received: mask_rate={mask_rate}"
        )
    # Said so that nan, of which no comparison is true, is out of range.
    if not (
        mask_token_rate >= 0
        and random_token_rate >= 0
        and mask_token_rate + random_token_rate <= 1 + 1e-9
    ):
        raise InputError(
            "`mask_token_rate` and `random_token_rate` must not be negative and at most 1 "
            f"together. Received: mask_token_rate={mask_token_rate}, "
            f"random_token_rate={random_token_rate}"
        )
