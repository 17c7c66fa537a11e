"""From places in normalised strings back to the bytes that the user gave."""

import tensorflow as tf

from keras_bert.text.normalization import Normalizer
from keras_bert.text.ragged import row_ids

_BYTES = [bytes([code]) for code in range(256)]


def source_spans(
    text: tf.Tensor, starts: tf.RaggedTensor, ends: tf.RaggedTensor, normalize: Normalizer
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Maps byte spans of `normalize(text)` to byte spans of `text`.

    Normalisation works character by character (only the final sigma looks at its neighbours, and
    it is as long as the other one), so that the lengths of the normalised characters, added up,
    align the two strings. A span takes in the accents that follow its last character and were
    stripped; where one character became several, as a Hangul syllable does, each of them has the
    span of the whole character.

    Args:
        text: string tensor of shape `(rows,)`, before normalisation.
        starts: int64 `tf.RaggedTensor` of shape `(rows, tokens)`, in bytes of the normalised text.
        ends: int64 `tf.RaggedTensor` of shape `(rows, tokens)`, exclusive.
        normalize: `Normalizer`. How `text` was normalised.

    Returns:
        Starts and exclusive ends in bytes of `text`, of the same shapes.
    """
    characters, places = tf.strings.unicode_decode_with_offsets(text, "UTF-8", errors="ignore")
    distinct, index = tf.unique(characters.flat_values, out_idx=tf.int64)
    # (distinct,) -> (distinct, 1): one string for each character.
    encoded = tf.strings.unicode_encode(distinct[:, tf.newaxis], "UTF-8")
    size = _byte_length(encoded)
    size_cased = _byte_length(normalize.clean(encoded))
    size_normal = _byte_length(normalize(encoded))
    stripped = tf.logical_and(size_normal == 0, size_cased > 0)

    # One coordinate for all rows: the place in the concatenation of their normalised texts.
    sizes_normal = tf.gather(size_normal, index)
    position = tf.cumsum(sizes_normal, exclusive=True)
    total = tf.reduce_sum(sizes_normal)[tf.newaxis]
    row_position = tf.gather(tf.concat([position, total], 0), characters.row_starts())
    shift = tf.gather(row_position, row_ids(starts))

    first = tf.searchsorted(position, starts.flat_values + shift, side="right") - 1
    last = tf.searchsorted(position, ends.flat_values + shift - 1, side="right") - 1
    rows = row_ids(characters)
    continues_row = tf.concat([rows[:1] < 0, rows[1:] == rows[:-1]], 0)
    accent = tf.logical_and(tf.gather(stripped, index), continues_row)
    others = tf.where(tf.logical_not(accent))[:, 0]
    following = tf.concat([others, tf.size(index, tf.int64)[tf.newaxis]], 0)
    last = tf.gather(following, tf.searchsorted(others, tf.cast(last, tf.int64), side="right")) - 1

    places = places.flat_values
    source_ends = places + tf.gather(size, index)
    return (
        starts.with_flat_values(tf.gather(places, first)),
        ends.with_flat_values(tf.gather(source_ends, last)),
    )


def _byte_length(text: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.strings.length(text), tf.int64)


def substrings(text: tf.Tensor, rows: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
    """Cuts pieces out of texts.

    `tf.strings.substr` needs a copy of the whole text for each piece, which for all words of a long
    text is more than a machine holds.

    Args:
        text: strings `(batch,)`.
        rows: int64 `(pieces,)`. The text of each piece.
        starts: int64 `(pieces,)`. First byte of each.
        ends: int64 `(pieces,)`. Exclusive ends.

    Returns:
        strings `(pieces,)`.
    """
    begin = tf.gather(bytes_before(text), rows)
    places = tf.ragged.range(begin + starts, begin + ends)
    letters = tf.gather(bytes_of(text), places.flat_values)
    # Not `reduce_join`, which pads every piece to the longest.
    return tf.strings.unsorted_segment_join(
        tf.gather(_BYTES, tf.cast(letters, tf.int32)), row_ids(places), places.nrows()
    )


def bytes_of(text: tf.Tensor) -> tf.Tensor:
    """Returns the bytes of all texts `(rows,)` one after the other, uint8."""
    return tf.io.decode_raw(tf.strings.reduce_join(text), tf.uint8)


def bytes_before(text: tf.Tensor) -> tf.Tensor:
    """Returns where each text begins among `bytes_of` them, int64 `(rows,)`."""
    return tf.cumsum(_byte_length(text), exclusive=True)
