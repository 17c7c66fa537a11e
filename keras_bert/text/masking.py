"""Masking for the masked language model, in the graph and from stateless seeds."""

import math
from typing import Any

import keras
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.text.checks import check_sizes
from keras_bert.text.layer import TextLayer
from keras_bert.text.mask_replacement import check_rates, replace, unit_groups
from keras_bert.text.mask_selection import check_slots, select
from keras_bert.text.mask_units import check_units
from keras_bert.text.vocabulary import Vocabulary


def most_predictions(sequence_length: int, mask_rate: float = 0.15) -> int:
    """Returns how many tokens are chosen, at most, in rows of a length.

    Args:
        sequence_length: int. Most tokens of a row.
        mask_rate: float in (0, 1]. Share of tokens to choose.

    Raises:
        InputError: If the share is out of range.
    """
    check_rates(mask_rate, 0, 0)
    return math.ceil(sequence_length * mask_rate)


@keras.saving.register_keras_serializable("keras_bert")
class MaskedLMMasker(TextLayer):
    """Hides 15 % of the tokens and says what stood there.

    Of a row with n tokens, `[CLS]` and `[SEP]` counted, `min(max_predictions, max(1, round(0.15
    n)))` are chosen at most, never a special token. A chosen token becomes `[MASK]` in 80 % of
    cases, a token drawn uniformly from the whole vocabulary in 10 %, and stays in 10 %.

    Tokens are chosen in units, in random order until that number is reached:

    - `"token"`: each by itself, as in BERT.
    - `"whole_word"`: a word with all its pieces, as `Vocabulary.word_marker` tells. A word that
      does not fit into what is left is passed over.
    - `"ngram"`: runs of 1 to 3 words, p(n) proportional to 1/n, as in ALBERT. Of a run that does
      not fit as many neighbouring words are taken as do.
    - `"span"`: runs of words, their number geometric with p = 0.2 from 1 to 10, cut in the same
      way, as in SpanBERT. The tokens of a span are replaced, or kept, together.
    - `"phrase"`: the supplied units, never cut, as in ERNIE.

    The draw of a row depends only on its seed, not on its neighbours in the batch or its padding.

    Args:
        vocabulary: `Vocabulary` or a sequence of tokens.
        max_predictions: int. Slots for chosen tokens in each row.
        units: str. What is chosen as a whole.
        mask_rate: float in (0, 1]. Share of tokens to choose.
        mask_token_rate: float. Share of the chosen tokens that become `[MASK]`.
        random_token_rate: float. Share of the chosen tokens that become a random token.
        max_words: int or None. Words of the longest n-gram (None: 3) or span (None: 10).
        replace_by: `"token"`, `"unit"` or None. Whether each token or each unit draws if it becomes
            `[MASK]`, random or stays; None: units with spans, else tokens. Random tokens are drawn
            one by one in any case.

    Call arguments:
        features: dictionary with `token_ids`, int32 `(batch, length)`, and `padding_mask`, bool
            `(batch, length)`; other entries pass through. With `unit_starts`, bool
            `(batch, length)`, true where a unit begins, supplied words or phrases (of Chinese, say)
            take the place of the `##` rule.
        seeds: integer tensor `(batch,)`, one seed for each row.

    Returns:
        A copy of `features` in which `token_ids` is masked, with `masked_positions` and
        `masked_ids`, int32, and `masked_weights`, float32, each `(batch, max_predictions)`:
        positions ascend, unused slots hold zeros and have weight 0.

    Raises:
        InputError: If an argument is out of range, or phrases lack `unit_starts`.

    Example:

    ```python
    masker = MaskedLMMasker(tokenizer.vocabulary, max_predictions=20)
    masked = masker(preprocessor(texts), seeds=tf.range(len(texts)))
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 3.1 and appendix A.1.
        - `create_masked_lm_predictions` of google-research/bert (the rounding; whole words).
        - Lan et al. 2020, arXiv:1909.11942, section 4.1 (n-grams).
        - Joshi et al. 2020, arXiv:1907.10529, section 3.1 (spans).
        - Sun et al. 2019, arXiv:1904.09223, section 3.2 (phrases and entities).
    """

    def __init__(
        self,
        vocabulary: Vocabulary | list[str],
        max_predictions: int = 20,
        *,
        units: str = "token",
        mask_rate: float = 0.15,
        mask_token_rate: float = 0.8,
        random_token_rate: float = 0.1,
        max_words: int | None = None,
        replace_by: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_units(units, max_words)
        check_slots(max_predictions)
        check_rates(mask_rate, mask_token_rate, random_token_rate)
        if replace_by is None:
            replace_by = "unit" if units == "span" else "token"
        if replace_by not in ("token", "unit") or (units, replace_by) == ("token", "unit"):
            raise InputError(
                '`replace_by` must be "token" or, with units of several tokens, "unit". '
                f"Received: replace_by={replace_by!r}, units={units!r}"
            )
        self._vocabulary = Vocabulary.of(vocabulary)
        self.max_predictions = max_predictions
        self.units = units
        self.mask_rate = mask_rate
        self.mask_token_rate = mask_token_rate
        self.random_token_rate = random_token_rate
        self.max_words = max_words
        self.replace_by = replace_by

    def call(self, features, seeds):
        rule = "`seeds` must be one for each row of `token_ids`"
        seeds, token_ids = check_sizes(rule, [tf.cast(seeds, tf.uint64), features["token_ids"]])
        for name in ("padding_mask", "unit_starts"):
            if name in features:
                rule = f"`{name}` must have the shape of `token_ids`"
                _, token_ids = check_sizes(rule, [features[name], token_ids], axes=2)
        selection = select(
            token_ids,
            features["padding_mask"],
            seeds,
            self._vocabulary,
            slots=self.max_predictions,
            mask_rate=self.mask_rate,
            units=self.units,
            max_words=self.max_words,
            unit_starts=features.get("unit_starts"),
        )
        batch, length = tf.unstack(tf.shape(token_ids))
        positions = selection.positions(self.max_predictions)
        used = positions < length
        positions = tf.where(used, positions, 0)
        flat = positions + tf.range(batch)[:, tf.newaxis] * length
        masked_ids = tf.where(used, tf.gather(tf.reshape(token_ids, [-1]), flat), 0)
        new_ids = replace(
            masked_ids,
            seeds,
            self._vocabulary,
            mask_token_rate=self.mask_token_rate,
            random_token_rate=self.random_token_rate,
            groups=unit_groups(selection, positions) if self.replace_by == "unit" else None,
        )
        # A sum of differences takes a quarter of a scatter's time.
        changes = tf.math.unsorted_segment_sum(
            tf.reshape(tf.where(used, new_ids - masked_ids, 0), [-1]),
            tf.reshape(flat, [-1]),
            batch * length,
        )
        return {
            **features,
            "token_ids": token_ids + tf.reshape(changes, [batch, length]),
            "masked_positions": positions,
            "masked_ids": masked_ids,
            "masked_weights": tf.cast(used, tf.float32),
        }

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary": self._vocabulary.get_config(),
            "max_predictions": self.max_predictions,
            "units": self.units,
            "mask_rate": self.mask_rate,
            "mask_token_rate": self.mask_token_rate,
            "random_token_rate": self.random_token_rate,
            "max_words": self.max_words,
            "replace_by": self.replace_by,
        }
