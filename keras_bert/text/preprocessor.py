"""Strings to model inputs."""

from typing import Any

import keras
import tensorflow as tf

from keras_bert.config import SHORTEST_SEQUENCE
from keras_bert.errors import InputError
from keras_bert.text.layer import TextLayer
from keras_bert.text.packing import keep_first, pack, truncate_pair
from keras_bert.text.tokenizer import BertTokenizer


@keras.saving.register_keras_serializable("keras_bert")
class BertPreprocessor(TextLayer):
    """Turns single texts or pairs into the tensors that every model takes.

    Args:
        tokenizer: `BertTokenizer`.
        sequence_length: int, at least 5. Longer inputs are cut: single texts at the end, pairs
            from the end of the longer one.
        padding: str. `"sequence_length"` pads every row to `sequence_length`; `"longest"` pads to
            the longest row of the batch, rounded up to a multiple of 16, which is faster wherever
            shapes may vary.

    Call arguments:
        text: strings of shape `(batch,)`, or a pair `(a, b)` of them. A single string, or a pair
            of single strings, makes a batch of one.

    Returns:
        A dictionary of `token_ids` and `segment_ids`, int32, and `padding_mask`, bool, each of
        shape `(batch, sequence_length)`.

    Raises:
        InputError: If `sequence_length` leaves no room for a pair.

    Example:

    ```python
    preprocessor = BertPreprocessor(tokenizer, sequence_length=128)
    preprocessor(["one text", "another"])
    preprocessor((["a question"], ["its context"]))
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 3 (input representation).
    """

    def __init__(
        self,
        tokenizer: BertTokenizer,
        sequence_length: int = 128,
        *,
        padding: str = "sequence_length",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if type(sequence_length) is not int or sequence_length < SHORTEST_SEQUENCE:
            raise InputError(
                f"`sequence_length` must be an integer of at least {SHORTEST_SEQUENCE}. "
                f"Received: sequence_length={sequence_length!r}"
            )
        if padding not in ("sequence_length", "longest"):
            raise InputError(
                f'`padding` must be "sequence_length" or "longest". Received: padding={padding!r}'
            )
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length
        self.padding = padding

    def call(self, text):
        texts = text if isinstance(text, tuple) else (text,)
        segments = [self.tokenizer(self._as_batch(part)) for part in texts]
        if len(segments) == 1:
            segments = [keep_first(segments[0], segments[0].row_lengths() * 0 + self._budget(1))]
        else:
            segments = truncate_pair(*segments, budget=self._budget(2))
        vocabulary = self.tokenizer.vocabulary
        return pack(
            list(segments),
            start_id=vocabulary.start_id,
            end_id=vocabulary.end_id,
            pad_id=vocabulary.pad_id,
            length=self.sequence_length,
            to_longest=self.padding == "longest",
        )

    def _budget(self, segments: int) -> int:
        """Tokens of text that fit beside `[CLS]` and a `[SEP]` after each segment."""
        return self.sequence_length - 1 - segments

    def _as_batch(self, text) -> tf.Tensor:
        text = self.to_strings(text)
        return text[tf.newaxis] if text.shape.rank == 0 else text

    def compute_output_spec(self, text):
        first = text[0] if isinstance(text, tuple) else text
        batch = first.shape[0] if first.shape else 1
        length = self.sequence_length if self.padding == "sequence_length" else None
        dtypes = {"token_ids": "int32", "segment_ids": "int32", "padding_mask": "bool"}
        return {
            name: keras.KerasTensor((batch, length), dtype=dtype) for name, dtype in dtypes.items()
        }

    def get_config(self):
        return {
            **super().get_config(),
            "tokenizer": keras.saving.serialize_keras_object(self.tokenizer),
            "sequence_length": self.sequence_length,
            "padding": self.padding,
        }

    @classmethod
    def from_config(cls, config):
        tokenizer = keras.saving.deserialize_keras_object(config["tokenizer"])
        return cls(**{**config, "tokenizer": tokenizer})
