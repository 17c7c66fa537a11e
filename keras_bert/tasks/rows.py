"""Tokenized examples without padding, from which batches are cut."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert.tasks.examples import Examples
from keras_bert.text.packing import LENGTH_STEP

# Examples tokenized at a time.
_CHUNK = 1024


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of a model's input, each as long as it is, with their targets.

    A row is an example, or one of several windows of it. Tokenizing all of them once, before the
    training, makes every length known, so that rows of similar length can share a batch.

    Args:
        features: dict of `tf.RaggedTensor`, int32 `(rows, (length))`, or `(rows, (choices),
            (length))` for multiple choice: `token_ids` and `segment_ids`.
        example: integers `(rows,)`. The example of each row, ascending.
        sequence_length: int. The longest that a row may be, padding included.
        pad_id: int. `[PAD]`.
        targets: None, or the structure of the model's outputs (a tensor or a dictionary): dense
            tensors `(rows, ...)`, or ragged ones `(rows, (length))` for targets of tokens.
        weights: None, or weights of the targets, in the same structure.
        maps: dict of tensors `(rows, ...)`, ragged or not: what a `Predictor` needs to find its way
            back from rows to the text.
    """

    features: dict[str, tf.RaggedTensor]
    example: np.ndarray
    sequence_length: int
    pad_id: int
    targets: Any = None
    weights: Any = None
    maps: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.example)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row, of its longest choice where there are several: int64 `(rows,)`."""
        ids = self.features["token_ids"]
        if ids.ragged_rank == 1:
            return ids.row_lengths().numpy()
        # (rows, (choices), (length)) -> (rows, (choices)) -> (rows,)
        return tf.reduce_max(ids.with_values(ids.values.row_lengths()), axis=1).numpy()

    def inputs(self, indices: Any) -> dict[str, tf.Tensor]:
        """Returns the model's inputs for some rows, padded to the longest of them.

        Args:
            indices: integers `(batch,)`.

        Returns:
            `token_ids`, `segment_ids` and `padding_mask`, `(batch, length)`, or
            `(batch, choices, length)`. The length is a multiple of 16, or `sequence_length`.
        """
        ids = tf.gather(self.features["token_ids"], indices)
        segments = tf.gather(self.features["segment_ids"], indices)
        shape = ids.bounding_shape(out_type=tf.int32)
        steps = tf.maximum(-(-shape[-1] // LENGTH_STEP), 1)
        length = tf.minimum(steps * LENGTH_STEP, self.sequence_length)
        shape = tf.concat([shape[:-1], [length]], axis=0)
        real = ids.with_flat_values(tf.ones_like(ids.flat_values, tf.bool))
        return {
            "token_ids": ids.to_tensor(self.pad_id, shape=shape),
            "segment_ids": segments.to_tensor(0, shape=shape),
            "padding_mask": real.to_tensor(False, shape=shape),
        }

    def batch(self, indices: Any) -> tuple:
        """Returns `(inputs, targets)`, or `(inputs, targets, weights)` where there are weights."""
        inputs = self.inputs(indices)
        shape = tf.stack([-1, tf.shape(inputs["token_ids"])[-1]])

        def chosen(tensor):
            part = tf.gather(tensor, indices)
            return part.to_tensor(shape=shape) if _is_ragged(part) else part

        parts = [part for part in (self.targets, self.weights) if part is not None]
        return (inputs, *(keras.tree.map_structure(chosen, part) for part in parts))


def make_rows(examples: Examples, encode: Callable[[Examples], Rows]) -> Rows:
    """Encodes examples chunk by chunk, so that memory holds few padded ones at a time.

    Args:
        examples: `Examples`.
        encode: A function of examples, whose rows' `example` counts from 0.
    """
    parts, starts = [], range(0, max(len(examples), 1), _CHUNK)
    for start in starts:
        part = encode(examples.part(start, start + _CHUNK))
        parts.append(dataclasses.replace(part, example=part.example + start))
    if len(parts) == 1:
        return parts[0]

    def joined(*tensors):
        return tf.concat(tensors, axis=0)

    fields = {
        name: keras.tree.map_structure(joined, *(getattr(part, name) for part in parts))
        for name in ("features", "targets", "weights", "maps")
        if getattr(parts[0], name) is not None
    }
    example = np.concatenate([part.example for part in parts])
    return dataclasses.replace(parts[0], example=example, **fields)


def unpadded(inputs: dict[str, tf.Tensor]) -> dict[str, tf.RaggedTensor]:
    """Returns `features` of `Rows` from a preprocessor's `(batch, length)` tensors."""
    lengths = tf.reduce_sum(tf.cast(inputs["padding_mask"], tf.int64), axis=-1)
    return {
        name: tf.RaggedTensor.from_tensor(inputs[name], lengths=lengths)
        for name in ("token_ids", "segment_ids")
    }


def grouped(
    features: dict[str, tf.RaggedTensor], counts: Sequence[int]
) -> dict[str, tf.RaggedTensor]:
    """Puts several rows of features into one: `(texts, (length))` to `(rows, (texts), (length))`.

    Args:
        features: See `unpadded`.
        counts: How many texts each row has, in their order.
    """
    counts = tf.constant(counts, tf.int64)
    return {
        name: tf.RaggedTensor.from_row_lengths(tokens, counts) for name, tokens in features.items()
    }


def _is_ragged(tensor) -> bool:
    return isinstance(tensor, tf.RaggedTensor)
