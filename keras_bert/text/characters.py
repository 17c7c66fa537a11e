"""Places in UTF-8 as places in characters."""

import tensorflow as tf

from keras_bert.text.ragged import row_ids


class Characters:
    """The Unicode characters of some texts, in any graph.

    Bytes that are no UTF-8 count as U+FFFD, as many times as where Python decodes with
    `errors="replace"`.

    Args:
        text: strings `(texts,)`.

    Example:

    ```python
    characters = Characters(tf.constant(["Où est-il ?"]))
    characters.count_before([[4, 7]])       # [[3, 6]]
    characters.pieces([[4]], [[7]])         # [[b"est"]]
    ```
    """

    def __init__(self, text: tf.Tensor):
        # Several questions often share a context.
        distinct, index = tf.unique(text)
        codes, places = tf.strings.unicode_decode_with_offsets(distinct, "UTF-8", errors="replace")
        # One coordinate for all texts: the place in their concatenation.
        shift = tf.cumsum(tf.cast(tf.strings.length(distinct), tf.int64), exclusive=True)
        self._places = places.flat_values + tf.gather(shift, row_ids(codes))
        # The same for the texts with U+FFFD in them.
        code = codes.flat_values
        sizes = 1 + sum(tf.cast(code >= least, tf.int64) for least in (0x80, 0x800, 0x10000))
        self._valid_places = tf.concat([[0], tf.cumsum(sizes)], axis=0)
        # (texts,) -> (texts, 1), each
        self._text = tf.gather(tf.strings.unicode_encode(codes, "UTF-8"), index)[:, tf.newaxis]
        self._shift = tf.gather(shift, index)[:, tf.newaxis]
        self._first = tf.gather(codes.row_starts(), index)[:, tf.newaxis]

    def count_before(self, places: tf.Tensor) -> tf.Tensor:
        """Turns places in bytes into places in characters.

        Args:
            places: int64 `(texts, places)`. Bytes, each the first of a character or the end of the
                text.

        Returns:
            int64 `(texts, places)`.
        """
        return self._index(places) - self._first

    def pieces(self, starts: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
        """Cuts pieces out of each text; meanwhile, memory holds a copy of the text for each.

        Args:
            starts: int64 `(texts, pieces)`. First byte of each.
            ends: int64 `(texts, pieces)`. Exclusive ends.

        Returns:
            strings `(texts, pieces)`, valid UTF-8.
        """
        begin, first, last = (
            tf.gather(self._valid_places, index)
            for index in (self._first, self._index(starts), self._index(ends))
        )
        return tf.strings.substr(self._text, first - begin, last - first)

    def _index(self, places):
        """Numbers of characters, counted through all texts."""
        flat = tf.reshape(places + self._shift, [-1])
        index = tf.searchsorted(self._places, flat, out_type=tf.int64)
        return tf.reshape(index, tf.shape(places))
