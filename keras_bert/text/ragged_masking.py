"""The masking engine behind `tensorflow_text.mask_language_model`."""

import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.errors import InputError
from keras_bert.text.mask_replacement import check_rates, replace, unit_groups
from keras_bert.text.mask_selection import check_slots, select
from keras_bert.text.mask_units import check_units
from keras_bert.text.vocabulary import Vocabulary


class UnitSelector(tf_text.RandomItemSelector):
    """Selects the tokens that `MaskedLMMasker` selects for the same seeds.

    tf-text's own selectors draw from the global generator and take 15 % of the maskable tokens,
    rounded up; this one draws from its seeds and rounds as google-research/bert does.

    Args:
        vocabulary: `Vocabulary` or a sequence of tokens.
        seeds: integer tensor `(batch,)`, one seed for each row.
        max_predictions: int. Most tokens of a row.
        units: str. What is selected as a whole, see `MaskedLMMasker`.
        mask_rate: float in (0, 1]. Share of tokens to select.
        max_words: int or None. Words of the longest n-gram or span.
        unit_starts: bool `tf.RaggedTensor` `(batch, tokens)` or None. True where a supplied unit
            begins.

    Raises:
        InputError: If an argument is out of range, or phrases lack `unit_starts`.

    Example:

    ```python
    seeds = tf.range(token_ids.nrows())                     # token_ids: ragged (batch, tokens)
    masked_ids, positions, labels = tensorflow_text.mask_language_model(
        token_ids,
        item_selector=UnitSelector(vocabulary, seeds, units="whole_word"),
        mask_values_chooser=StatelessMaskValuesChooser(vocabulary, seeds),
    )
    ```
    """

    def __init__(
        self,
        vocabulary: Vocabulary | list[str],
        seeds: tf.Tensor,
        max_predictions: int = 20,
        *,
        units: str = "token",
        mask_rate: float = 0.15,
        max_words: int | None = None,
        unit_starts: tf.RaggedTensor | None = None,
    ):
        check_units(units, max_words)
        check_slots(max_predictions)
        check_rates(mask_rate, 0, 0)
        self._vocabulary = Vocabulary.of(vocabulary)
        special = [
            special_id
            for special_id in self._vocabulary.special_ids
            if special_id != self._vocabulary.unknown_id
        ]
        super().__init__(max_predictions, mask_rate, unselectable_ids=special)
        self._keys = tf.cast(seeds, tf.uint64)
        self._units = units
        self._max_words = max_words
        self._unit_starts = unit_starts
        self.groups = None

    def get_selection_mask(self, input_ids, axis=1):
        """Returns which tokens are selected.

        Args:
            input_ids: integer `tf.RaggedTensor` `(batch, tokens)`.
            axis: int. Must be 1: units are found here, not given as an inner dimension.

        Returns:
            A bool `tf.RaggedTensor` `(batch, tokens)`. `groups` then holds the unit of each
            selected token, int32 `(batch, max_predictions)`, or None if every token is a unit.
        """
        if axis != 1 or input_ids.ragged_rank != 1:
            raise InputError(
                "`input_ids` must be ragged (batch, tokens), `axis` 1. "
                f"Received: axis={axis}, input_ids.shape={input_ids.shape}"
            )
        lengths = input_ids.row_lengths()
        token_ids = tf.cast(input_ids.to_tensor(), tf.int32)
        slots = self.max_selections_per_batch
        selection = select(
            token_ids,
            tf.sequence_mask(lengths, tf.shape(token_ids)[1]),
            self._keys,
            self._vocabulary,
            slots=slots,
            mask_rate=self.selection_rate,
            units=self._units,
            max_words=self._max_words,
            unit_starts=None if self._unit_starts is None else self._unit_starts.to_tensor(),
        )
        if selection.words is not None:
            positions = selection.positions(slots)
            inside = tf.minimum(positions, tf.shape(token_ids)[1] - 1)
            self.groups = unit_groups(selection, inside)
        chosen = selection.chosen[:, : tf.shape(token_ids)[1]]
        chosen = tf.RaggedTensor.from_tensor(chosen, lengths=lengths)
        return input_ids.with_flat_values(chosen.flat_values)


class StatelessMaskValuesChooser(tf_text.MaskValuesChooser):
    """Replaces selected tokens as `MaskedLMMasker` does for the same seeds.

    Args:
        vocabulary: `Vocabulary` or a sequence of tokens.
        seeds: integer tensor `(batch,)`, one seed for each row.
        mask_token_rate: float. Share of the selected tokens that become `[MASK]`.
        random_token_rate: float. Share of the selected tokens that become a random token.
        selector: `UnitSelector` or None. With it, the tokens of a unit that it selected last share
            the decision, as `MaskedLMMasker` has it for spans.

    Raises:
        InputError: If a rate is out of range.
    """

    def __init__(
        self,
        vocabulary: Vocabulary | list[str],
        seeds: tf.Tensor,
        mask_token_rate: float = 0.8,
        random_token_rate: float = 0.1,
        *,
        selector: UnitSelector | None = None,
    ):
        check_rates(1, mask_token_rate, random_token_rate)
        self._vocabulary = Vocabulary.of(vocabulary)
        super().__init__(
            len(self._vocabulary), self._vocabulary.mask_id, mask_token_rate, random_token_rate
        )
        self._keys = tf.cast(seeds, tf.uint64)
        self._selector = selector

    def get_mask_values(self, masked_lm_ids):
        """Returns what replaces the selected tokens, ragged `(batch, selected)` as they are."""
        dense = masked_lm_ids.to_tensor()
        groups = None if self._selector is None else self._selector.groups
        values = replace(
            dense,
            self._keys,
            self._vocabulary,
            mask_token_rate=self._mask_token_rate,
            random_token_rate=self._random_token_rate,
            groups=None if groups is None else groups[:, : tf.shape(dense)[1]],
        )
        values = tf.RaggedTensor.from_tensor(values, lengths=masked_lm_ids.row_lengths())
        return masked_lm_ids.with_flat_values(values.flat_values)
