"""Long contexts as overlapping windows, with the way back to the text."""

from typing import Any

import keras
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.text.checks import check_sizes
from keras_bert.text.packing import pack
from keras_bert.text.ragged import repeated_ids, row_ids
from keras_bert.text.tokenization import TokenizingLayer
from keras_bert.text.tokenizer import BertTokenizer

_SAME_NUMBER = "`query` and `context` must have the same number of strings"


@keras.saving.register_keras_serializable("keras_bert")
class SlidingWindows(TokenizingLayer):
    """Cuts contexts of any length into overlapping rows `[CLS] query [SEP] window [SEP]`.

    Without queries the rows are `[CLS] window [SEP]`.

    Args:
        tokenizer: `BertTokenizer`.
        sequence_length: int. Columns of a row.
        stride: int. Tokens from the start of one window to the start of the next, as `doc_stride`
            of google-research/bert. (Hugging Face calls the overlap of two windows so.)
        query_length: int. Tokens of the query that are kept.
        max_windows: int or None. The most windows of one context; those after them are left out,
            with the tokens that only they hold. None sets no bound.

    Call arguments:
        context: strings `(batch,)`.
        query: strings `(batch,)` or None.

    Returns:
        A dictionary; `windows` is the number of all windows, those of one context stand together:

        - `token_ids`, `segment_ids`, int32, and `padding_mask`, bool, `(windows, sequence_length)`.
        - `example`, int32 `(windows,)`: the row of `context` that a window comes from.
        - `context_index`, int32 `(windows, sequence_length)`: which token of the context stands at
          each position, -1 elsewhere.
        - `context_start`, `context_end`, int64 `(windows, sequence_length)`: its bytes in the
          context as it was given (end exclusive), -1 elsewhere.

    Raises:
        InputError: If an argument is not positive, or the query leaves no room for a window.

    Example:

    ```python
    windows = SlidingWindows(tokenizer, sequence_length=384, stride=128, query_length=64)
    rows = windows(["a very long context"], ["a question"])
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 4.2; `run_squad.py` of google-research/bert.
    """

    def __init__(
        self,
        tokenizer: BertTokenizer,
        sequence_length: int = 384,
        *,
        stride: int = 128,
        query_length: int = 64,
        max_windows: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(tokenizer, **kwargs)
        for name, value in (("stride", stride), ("query_length", query_length)):
            if type(value) is not int or value < 1:
                raise InputError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
        if type(sequence_length) is not int or sequence_length < query_length + 4:
            raise InputError(
                "`sequence_length` must have room for `[CLS]`, two `[SEP]`, the query and one "
                f"token of the context: at least query_length + 4 = {query_length + 4}. "
                f"Received: sequence_length={sequence_length!r}"
            )
        self.sequence_length = sequence_length
        self.stride = stride
        self.query_length = query_length
        self.max_windows = checked_max_windows(max_windows)

    def call(self, context, query=None):
        context = self._strings(context)
        if query is not None:
            query, context = check_sizes(_SAME_NUMBER, [self._strings(query), context])
        ids, starts, ends = self.tokenizer.tokenize_with_offsets(context)
        before = tf.ones([ids.nrows()], tf.int64)  # Columns before the window: [CLS] ...
        segments = []
        if query is not None:
            segments = [self.tokenizer.first_tokens(query, self.query_length)]
            before += segments[0].row_lengths() + 1  # ... query [SEP]
        room = self.sequence_length - 1 - before
        # With a step above the window's size, tokens would be left out.
        step = tf.minimum(tf.cast(self.stride, tf.int64), room)
        tokens = ids.row_lengths()
        count = 1 + tf.maximum(-((room - tokens) // step), 0)
        if self.max_windows is not None:
            count = tf.minimum(count, self.max_windows)

        example = repeated_ids(count)
        ordinal = tf.range(tf.size(example, tf.int64)) - tf.gather(
            tf.cumsum(count, exclusive=True), example
        )
        begin = ordinal * tf.gather(step, example)
        end = tf.minimum(begin + tf.gather(room, example), tf.gather(tokens, example))
        index = tf.ragged.range(begin, end)
        # Places in the flat values of all contexts.
        places = index.flat_values + tf.gather(tf.gather(ids.row_starts(), example), row_ids(index))
        window = index.with_flat_values(tf.gather(ids.flat_values, places))

        vocabulary = self.tokenizer.vocabulary
        features = pack(
            [*(tf.gather(segment, example) for segment in segments), window],
            start_id=vocabulary.start_id,
            end_id=vocabulary.end_id,
            pad_id=vocabulary.pad_id,
            length=self.sequence_length,
        )
        margin = tf.ragged.range(tf.gather(before, example))
        maps = {
            "context_index": tf.cast(index.flat_values, tf.int32),
            "context_start": tf.gather(starts.flat_values, places),
            "context_end": tf.gather(ends.flat_values, places),
        }
        for name, values in maps.items():
            blank = margin.with_flat_values(-tf.ones_like(margin.flat_values, values.dtype))
            rows = tf.concat([blank, index.with_flat_values(values)], axis=1)
            features[name] = rows.to_tensor(-1, shape=[None, self.sequence_length])
        return {**features, "example": tf.cast(example, tf.int32)}

    def _strings(self, text: Any) -> tf.Tensor:
        """Strings `(batch,)`; a single one is a batch of one."""
        strings = self.to_strings(text)
        return strings if strings.shape.rank else strings[tf.newaxis]

    def get_config(self):
        return {
            **super().get_config(),
            "sequence_length": self.sequence_length,
            "stride": self.stride,
            "query_length": self.query_length,
            "max_windows": self.max_windows,
        }


def checked_max_windows(value: int | None) -> int | None:
    """Returns the argument `max_windows`.

    Raises:
        InputError: If it is neither a positive integer nor None.
    """
    if value is not None and (type(value) is not int or value < 1):
        raise InputError(
            f"`max_windows` must be a positive integer or None. Received: max_windows={value!r}"
        )
    return value
