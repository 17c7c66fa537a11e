"""Masking for the masked language model, in the graph and from stateless seeds."""

from typing import Any

import keras
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.text.layer import TextLayer
from keras_bert.text.stateless import fold_in, uniform
from keras_bert.text.vocabulary import Vocabulary


@keras.saving.register_keras_serializable("keras_bert")
class MaskedLMMasker(TextLayer):
    """Hides 15 % of the tokens and says what stood there.

    Of a row with n tokens, `[CLS]` and `[SEP]` counted, `min(max_predictions, max(1, round(0.15
    n)))` are chosen, uniformly and never a special token. A chosen token becomes `[MASK]` in 80 %
    of cases, a token drawn uniformly from the whole vocabulary in 10 %, and stays in 10 %.

    The draw of a row depends only on its seed, not on its neighbours in the batch.

    Args:
        vocabulary: `Vocabulary` or a sequence of tokens.
        max_predictions: int. Slots for chosen tokens in each row.
        mask_rate: float in (0, 1]. Share of tokens to choose.
        mask_token_rate: float. Share of the chosen tokens that become `[MASK]`.
        random_token_rate: float. Share of the chosen tokens that become a random token.

    Call arguments:
        features: dictionary with `token_ids`, int32 `(batch, length)`, and `padding_mask`, bool
            `(batch, length)`; other entries pass through.
        seeds: integer tensor `(batch,)`, one seed for each row.

    Returns:
        A copy of `features` in which `token_ids` is masked, with `masked_positions` and
        `masked_ids`, int32, and `masked_weights`, float32, each `(batch, max_predictions)`:
        positions ascend, unused slots hold zeros and have weight 0.

    Raises:
        InputError: If a rate or the number of slots is out of range.

    Example:

    ```python
    masker = MaskedLMMasker(tokenizer.vocabulary, max_predictions=20)
    masked = masker(preprocessor(texts), seeds=tf.range(len(texts)))
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 3.1 and appendix A.1.
        - `create_masked_lm_predictions` of google-research/bert (the rounding).
    """

    def __init__(
        self,
        vocabulary: Vocabulary | list[str],
        max_predictions: int = 20,
        *,
        mask_rate: float = 0.15,
        mask_token_rate: float = 0.8,
        random_token_rate: float = 0.1,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if type(max_predictions) is not int or max_predictions < 1:
            raise InputError(
                "`max_predictions` must be a positive integer. "
                f"Received: max_predictions={max_predictions!r}"
            )
        if not 0 < mask_rate <= 1:
            raise InputError(
                f"`mask_rate` must be above 0 and at most 1. Received: mask_rate={mask_rate}"
            )
        if (
            min(mask_token_rate, random_token_rate) < 0
            or mask_token_rate + random_token_rate > 1 + 1e-9
        ):
            raise InputError(
                "`mask_token_rate` and `random_token_rate` must not be negative and at most 1 "
                f"together. Received: mask_token_rate={mask_token_rate}, "
                f"random_token_rate={random_token_rate}"
            )
        self._vocabulary = Vocabulary.of(vocabulary)
        self.max_predictions = max_predictions
        self.mask_rate = mask_rate
        self.mask_token_rate = mask_token_rate
        self.random_token_rate = random_token_rate

    def call(self, features, seeds):
        token_ids = features["token_ids"]
        keys = tf.cast(seeds, tf.uint64)
        positions, weights = self._choose(token_ids, features["padding_mask"], keys)
        slots = tf.where(weights > 0, positions, 0)
        masked_ids = tf.where(weights > 0, tf.gather(token_ids, slots, batch_dims=1), 0)
        return {
            **features,
            "token_ids": self._replace(token_ids, masked_ids, positions, keys),
            "masked_positions": slots,
            "masked_ids": masked_ids,
            "masked_weights": weights,
        }

    def _choose(self, token_ids, padding_mask, keys):
        """Draws `(batch, max_predictions)` positions, ascending; unused ones point past the end."""
        length = tf.shape(token_ids)[1]
        maskable = padding_mask
        for special_id in self._vocabulary.special_ids:
            # A true [UNK] in the text is maskable in the reference.
            if special_id != self._vocabulary.unknown_id:
                maskable &= token_ids != special_id
        # In float64, so that ties round as in the reference's Python arithmetic.
        tokens = tf.reduce_sum(tf.cast(padding_mask, tf.float64), axis=1)
        budget = tf.maximum(tf.cast(tf.round(tokens * self.mask_rate), tf.int32), 1)
        budget = tf.minimum(budget, tf.reduce_sum(tf.cast(maskable, tf.int32), axis=1))
        order = tf.where(maskable, uniform(fold_in(keys, 0), length), -1.0)
        slots = tf.minimum(self.max_predictions, length)
        _, drawn = tf.math.top_k(order, k=slots)
        used = tf.range(slots)[tf.newaxis] < budget[:, tf.newaxis]
        positions = tf.sort(tf.where(used, drawn, length), axis=1)
        missing = self.max_predictions - slots
        positions = tf.pad(positions, [[0, 0], [0, missing]], constant_values=length)
        positions = tf.ensure_shape(positions, [None, self.max_predictions])
        return positions, tf.cast(positions < length, tf.float32)

    def _replace(self, token_ids, masked_ids, positions, keys):
        decision = uniform(fold_in(keys, 1), self.max_predictions)
        vocabulary_size = len(self._vocabulary)
        random_ids = uniform(fold_in(keys, 2), self.max_predictions) * vocabulary_size
        new_ids = tf.where(
            decision < self.mask_token_rate,
            self._vocabulary.mask_id,
            tf.where(
                decision < self.mask_token_rate + self.random_token_rate,
                tf.cast(random_ids, tf.int32),
                masked_ids,
            ),
        )
        # One more column takes the writes of unused slots.
        batch, length = tf.unstack(tf.shape(token_ids))
        padded = tf.pad(token_ids, [[0, 0], [0, 1]])
        rows = tf.broadcast_to(tf.range(batch)[:, tf.newaxis], tf.shape(positions))
        indices = tf.stack([rows, positions], axis=-1)
        written = tf.tensor_scatter_nd_update(padded, indices, new_ids)
        return tf.ensure_shape(written[:, :length], token_ids.shape)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary": self._vocabulary.get_config(),
            "max_predictions": self.max_predictions,
            "mask_rate": self.mask_rate,
            "mask_token_rate": self.mask_token_rate,
            "random_token_rate": self.random_token_rate,
        }
