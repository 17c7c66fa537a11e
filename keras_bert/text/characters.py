"""Places in UTF-8 as places in characters."""

import tensorflow as tf

from keras_bert.text.offsets import substrings
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
        self._text = tf.gather(tf.strings.unicode_encode(codes, "UTF-8"), index)
        self._shift = tf.gather(shift, index)
        self._first = tf.gather(codes.row_starts(), index)

    def count_before(self, places: tf.Tensor | tf.RaggedTensor) -> tf.Tensor | tf.RaggedTensor:
        """Turns places in bytes into places in characters.

        Args:
            places: int64 `(texts, places)` or ragged. Bytes, each the first of a character or the
                end of the text.

        Returns:
            int64 of the same shape.
        """
        if isinstance(places, tf.RaggedTensor):
            row = row_ids(places)
            count = self._index(places.values, row) - tf.gather(self._first, row)
            return places.with_values(count)
        rows = tf.range(tf.size(self._first))[:, tf.newaxis]
        return self._index(places, rows) - self._first[:, tf.newaxis]

    def pieces(self, starts: tf.Tensor, ends: tf.Tensor, texts: tf.Tensor) -> tf.Tensor:
        """Cuts a few pieces out of some texts; meanwhile, memory holds a copy of a text for each.

        Args:
            starts: int64 `(rows, pieces)`. First byte of each.
            ends: int64 `(rows, pieces)`. Exclusive ends.
            texts: int64 `(rows,)`. The text that each row is of.

        Returns:
            strings `(rows, pieces)`, valid UTF-8.
        """
        # (rows,) -> (rows, 1)
        row = texts[:, tf.newaxis]
        first, last = self._valid_span(starts, ends, row)
        return tf.strings.substr(tf.gather(self._text, row), first, last - first)

    def ragged_pieces(self, starts: tf.RaggedTensor, ends: tf.RaggedTensor) -> tf.RaggedTensor:
        """Cuts any number of pieces out of each text, in memory for the texts and the pieces.

        Args:
            starts: int64 `(texts, (pieces))`. First byte of each.
            ends: int64 `(texts, (pieces))`. Exclusive ends.

        Returns:
            strings `(texts, (pieces))`, valid UTF-8.
        """
        row = row_ids(starts)
        first, last = self._valid_span(starts.values, ends.values, row)
        return starts.with_values(substrings(self._text, row, first, last))

    def _valid_span(self, starts, ends, row):
        """Bytes of the valid texts for those of the given ones."""
        begin, first, last = (
            tf.gather(self._valid_places, index)
            for index in (
                tf.gather(self._first, row),
                self._index(starts, row),
                self._index(ends, row),
            )
        )
        return first - begin, last - begin

    def _index(self, places, row):
        """Numbers of characters, counted through all texts."""
        flat = tf.reshape(places + tf.gather(self._shift, row), [-1])
        index = tf.searchsorted(self._places, flat, out_type=tf.int64)
        return tf.reshape(index, tf.shape(places))
