"""Strings to model inputs."""

from typing import Any

import keras
import tensorflow as tf

from keras_bert.config import SHORTEST_SEQUENCE
from keras_bert.errors import InputError
from keras_bert.text.checks import check_shapes, check_sizes
from keras_bert.text.packing import TRUNCATIONS, pack, truncate_pair
from keras_bert.text.tokenization import Tokenizer, TokenizingLayer

_SAME_NUMBER = "`text` must have as many first texts as second ones"


@keras.saving.register_keras_serializable("keras_bert")
class BertPreprocessor(TokenizingLayer):
    """Turns single texts or pairs into the tensors that every model takes.

    Args:
        tokenizer: `Tokenizer`, such as `BertTokenizer`.
        sequence_length: int, at least 5. Longer inputs are cut at the end.
        padding: str. `"sequence_length"` pads every row to `sequence_length`; `"longest"` pads to
            the longest row of the batch, rounded up to a multiple of 16, which is faster wherever
            shapes may vary.
        truncation: str. What is cut of a pair that is too long: `"longest_first"` cuts whichever
            is longer, `"only_first"` the first text, `"only_second"` the second; the other one is
            cut only if it alone exceeds the room there is.

    Call arguments:
        text: strings of shape `(batch,)`, or a tuple `(a, b)` of them, or a list of two tensors. A
            single string, or a pair of single strings, makes a batch of one. For multiple choice,
            strings of shape `(batch, choices)`; in a pair, one side may be `(batch,)` and stands
            beside every choice.

    Returns:
        A dictionary of `token_ids` and `segment_ids`, int32, and `padding_mask`, bool, each of
        shape `(batch, sequence_length)`, or `(batch, choices, sequence_length)`.

    Raises:
        InputError: If `sequence_length` leaves no room for a pair, another argument is not among
            its values, or a call brings more than two texts or strings of more than two axes.

    Example:

    ```python
    preprocessor = BertPreprocessor(tokenizer, sequence_length=128)
    preprocessor(["one text", "another"])
    preprocessor((["a question"], ["its context"]))
    preprocessor((["a beginning"], [["an ending", "another"]]))     # (1, 2, 128)
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 3 (input representation).
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        sequence_length: int = 128,
        *,
        padding: str = "sequence_length",
        truncation: str = "longest_first",
        **kwargs: Any,
    ):
        super().__init__(tokenizer, **kwargs)
        if type(sequence_length) is not int or sequence_length < SHORTEST_SEQUENCE:
            raise InputError(
                f"`sequence_length` must be an integer of at least {SHORTEST_SEQUENCE}. "
                f"Received: sequence_length={sequence_length!r}"
            )
        if padding not in ("sequence_length", "longest"):
            raise InputError(
                f'`padding` must be "sequence_length" or "longest". Received: padding={padding!r}'
            )
        if truncation not in TRUNCATIONS:
            raise InputError(
                f"`truncation` must be one of {', '.join(TRUNCATIONS)}. "
                f"Received: truncation={truncation!r}"
            )
        self.sequence_length = sequence_length
        self.padding = padding
        self.truncation = truncation

    def call(self, text):
        texts = [self.to_strings(part) for part in self._texts(text)]
        if any(isinstance(part, tf.RaggedTensor) for part in texts):
            raise InputError("`text` must be a dense tensor of strings. Received: a ragged tensor")
        ranks = [part.shape.rank for part in texts]
        if max(ranks) > 2:
            raise InputError(f"`text` must have at most two axes. Received: {max(ranks)} axes")
        if len(texts) == 2:
            # Axes that both have: a side of one text for each example stands beside all of its
            # choices. A single string is a batch of one.
            texts = [part if part.shape.rank else part[tf.newaxis] for part in texts]
            ranks = [part.shape.rank for part in texts]
            texts = check_sizes(_SAME_NUMBER, texts, min(ranks))
        # Tokens of text that fit beside `[CLS]` and a `[SEP]` after each segment.
        budget = self.sequence_length - 1 - len(texts)
        segments = [self.tokenizer.first_tokens(tf.reshape(part, [-1]), budget) for part in texts]
        if max(ranks) < 2:
            return self._features(segments, budget)
        choices = tf.shape(texts[ranks.index(2)])
        # Tokens stand beside each choice, not the text, which may be far longer: (batch,) ->
        # (batch * choices,)
        row = tf.range(tf.reduce_prod(choices)) // tf.maximum(choices[1], 1)
        segments = [
            segment if rank == 2 else tf.gather(segment, row)
            for segment, rank in zip(segments, ranks, strict=True)
        ]
        # (batch * choices, length) -> (batch, choices, length)
        return {
            name: tf.reshape(tensor, tf.concat([choices, tf.shape(tensor)[1:]], 0))
            for name, tensor in self._features(segments, budget).items()
        }

    def _features(self, segments: list[tf.RaggedTensor], budget: int) -> dict[str, tf.Tensor]:
        if len(segments) == 2:
            segments = truncate_pair(*segments, budget, self.truncation)
        vocabulary = self.tokenizer.vocabulary
        return pack(
            list(segments),
            start_id=vocabulary.start_id,
            end_id=vocabulary.end_id,
            pad_id=vocabulary.pad_id,
            length=self.sequence_length,
            to_longest=self.padding == "longest",
        )

    @staticmethod
    def _texts(text) -> tuple:
        # A functional model that was saved gives a list, because JSON has no tuples.
        is_pair = isinstance(text, tuple) or (
            isinstance(text, list) and text and all(map(_is_tensor, text))
        )
        texts = tuple(text) if is_pair else (text,)
        if not 1 <= len(texts) <= 2:
            raise InputError(f"`text` must be one text or a pair. Received: {len(texts)} texts")
        return texts

    def compute_output_spec(self, text):
        for part in self._texts(text):
            if keras.backend.standardize_dtype(part.dtype) != "string":
                raise InputError(
                    '`text` must be strings, as `keras.Input(shape=(), dtype="string")` has them. '
                    f"Received: dtype={part.dtype}"
                )
        shapes = [tuple(part.shape) or (1,) for part in self._texts(text)]
        check_shapes(_SAME_NUMBER, shapes, min(map(len, shapes)))
        shape = max(shapes, key=len)
        length = self.sequence_length if self.padding == "sequence_length" else None
        dtypes = {"token_ids": "int32", "segment_ids": "int32", "padding_mask": "bool"}
        return {
            name: keras.KerasTensor((*shape, length), dtype=dtype) for name, dtype in dtypes.items()
        }

    def get_config(self):
        return {
            **super().get_config(),
            "sequence_length": self.sequence_length,
            "padding": self.padding,
            "truncation": self.truncation,
        }


def _is_tensor(value: Any) -> bool:
    return isinstance(value, keras.KerasTensor) or tf.is_tensor(value)
