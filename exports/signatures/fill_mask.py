"""The tokens that a pre-trained model puts in the place of `[MASK]`."""

import tensorflow as tf

from exports.signatures.base import STRINGS, Signature, TaskSignatures
from keras_bert.tasks.fill_mask import FillMaskPredictor, masked_positions
from keras_bert.text.ragged import keep, row_ids
from keras_bert.text.vocabulary import MASK

# The filled texts are as many as the square of this.
_MOST_MASKS = 20
_SPACES_AT_THE_END = r"[\s\p{Z}\x0B\x1C-\x1F\x{85}]+$"
_TOKENS = {
    "tokens": f"the most probable tokens for each of the first {_MOST_MASKS} masks, the best first",
    "scores": "their probabilities",
    "mask_counts": "masks of each row that have tokens; behind them stand empty strings and 0",
}


class FillMaskSignatures(TaskSignatures):
    """The most probable tokens for each `[MASK]`, and the text with each of them in its place.

    A text without a mask is no error, which would be one for the other texts of its batch too: it
    has no tokens.
    """

    family = FillMaskPredictor

    def signatures(self):
        return [
            Signature(
                "serving_default",
                self._fill,
                {"text": STRINGS},
                {
                    **_TOKENS,
                    "texts": "the text with each token in the place of its mask, the other masks "
                    "filled with their most probable tokens",
                },
                {"text": [f"She {MASK} in the city.", f"The {MASK} is {MASK}."]},
            ),
            self.features_signature(self._tokens, _TOKENS),
        ]

    def _tokens(self, features):
        vocabulary = self.predictor.tokenizer.vocabulary
        positions = masked_positions(features["token_ids"], vocabulary.mask_id)[:, :_MOST_MASKS]
        counts = tf.cast(positions.row_lengths(), tf.int32)
        # A column at least: no masks in a batch are nothing special to the model.
        columns = tf.maximum(tf.reduce_max(tf.concat([counts, [0]], 0)), 1)
        places = positions.to_tensor(0, shape=tf.stack([-1, columns]))
        found = self.infer({**features, "masked_positions": places})
        is_mask = tf.sequence_mask(counts, columns)[..., tf.newaxis]
        names = tf.constant(vocabulary.tokens)
        return {
            "tokens": tf.where(is_mask, tf.gather(names, found["token_ids"]), ""),
            "scores": tf.where(is_mask, found["probabilities"], 0.0),
            "mask_counts": counts,
        }

    def _fill(self, text):
        text = self.bounded(text)
        reply = self._tokens(self.predictor.preprocessor(text))
        tokens, counts = reply["tokens"], reply["mask_counts"]
        columns = tf.shape(tokens)[1]
        # One part more than masks, those beyond the row's end among them.
        parts = tf.strings.split(text, MASK)
        before = parts[:, :columns].to_tensor("", shape=tf.stack([-1, columns]))
        # Of the first part spaces alone have no word before them.
        stripped = tf.strings.regex_replace(before, _SPACES_AT_THE_END, "")
        is_first = tf.range(columns) == 0
        stripped = tf.where(is_first & (stripped == ""), before, stripped)
        # (batch, masks, top_k): what stands before a mask, and the token
        continues = tf.strings.regex_full_match(tokens, "##.+")
        pieces = tf.where(continues, stripped[..., tf.newaxis], before[..., tf.newaxis])
        pieces += tf.strings.regex_replace(tokens, "^##(.)", r"\1")
        is_mask = tf.sequence_mask(counts, columns)
        pieces = tf.where(is_mask[..., tf.newaxis], pieces, "")
        # (batch, 1, 1, masks) and (batch, masks, top_k, 1), of which the diagonal is taken
        best, own = pieces[:, tf.newaxis, tf.newaxis, :, 0], pieces[..., tf.newaxis]
        is_own = tf.eye(columns, dtype=tf.bool)[:, tf.newaxis]
        beginnings = tf.strings.reduce_join(tf.where(is_own, own, best), axis=-1)
        row = row_ids(parts)
        number = tf.range(tf.size(row, tf.int64)) - tf.gather(parts.row_starts(), row)
        rest = keep(parts, number >= tf.gather(tf.cast(counts, tf.int64), row))
        ends = tf.strings.unsorted_segment_join(
            rest.values, row_ids(rest), rest.nrows(), separator=MASK
        )
        texts = beginnings + ends[:, tf.newaxis, tf.newaxis]
        return {**reply, "texts": tf.where(is_mask[..., tf.newaxis], texts, "")}
