"""Examples to the fields of a record."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from data_gen.documents import TokenizedDocuments
from data_gen.examples import Example
from keras_bert.records import LABEL, LENGTHS, MASK_FIELDS, TOKEN_FIELDS
from keras_bert.text.stateless import fold_in
from keras_bert.text.vocabulary import Vocabulary

_ROWS_AT_A_TIME = 1024

Fields = dict[str, list[int]]
Masker = Callable[..., dict[str, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class Encoder:
    """Writes out the tokens of rows of examples.

    Args:
        documents: `TokenizedDocuments` that the examples point into.
        vocabulary: `Vocabulary`.
        packed: bool. Whether a row may hold several examples, whose lengths are then kept.
    """

    documents: TokenizedDocuments
    vocabulary: Vocabulary
    packed: bool = False

    def __call__(self, row: Sequence[Example]) -> Fields:
        """Returns the fields of one row."""
        token_ids: list[int] = []
        segment_ids: list[int] = []
        unit_starts: list[int] = []
        units = self.documents.unit_starts
        for example in row:
            token_ids.append(self.vocabulary.start_id)
            segment_ids.append(0)
            unit_starts.append(1)
            for number, (start, end) in enumerate(example.pieces):
                token_ids += self.documents.token_ids[start:end].tolist()
                token_ids.append(self.vocabulary.end_id)
                segment = 0 if example.label is None else number
                segment_ids += [segment] * (end - start + 1)
                if units is not None:
                    # A cut may have taken the beginning of the first unit.
                    unit_starts += [1, *units[start + 1 : end].astype(int).tolist(), 1]
        fields = {"token_ids": token_ids, "segment_ids": segment_ids}
        if units is not None:
            fields["unit_starts"] = unit_starts
        if row[0].label is not None:
            fields[LABEL] = [row[0].label]
        if self.packed:
            fields[LENGTHS] = [example.length for example in row]
        return fields


def with_masks(
    rows: Sequence[Fields], masker: Masker, *, sequence_length: int, seed: int
) -> Iterator[Fields]:
    """Draws the masks of rows beforehand, as the original recipe does.

    Args:
        rows: Sequence of fields without masks.
        masker: `MaskedLMMasker`, or a graph of it.
        sequence_length: int. Most tokens of a row.
        seed: int. A row's masks depend on it and on the row's number.
    """
    for first in range(0, len(rows), _ROWS_AT_A_TIME):
        part = rows[first : first + _ROWS_AT_A_TIME]
        features = {
            name: _dense(part, name, sequence_length) for name in TOKEN_FIELDS if name in part[0]
        }
        lengths = [len(row["token_ids"]) for row in part]
        features["padding_mask"] = tf.sequence_mask(lengths, sequence_length)
        if "unit_starts" in features:
            features["unit_starts"] = tf.cast(features["unit_starts"], tf.bool)
        seeds = fold_in(seed, tf.range(first, first + len(part), dtype=tf.int64))
        masked = masker(features, seeds=tf.bitcast(seeds, tf.int64))
        counts = tf.reduce_sum(tf.cast(masked["masked_weights"] > 0, tf.int32), axis=1).numpy()
        arrays = {name: masked[name].numpy() for name in ("token_ids", *MASK_FIELDS)}
        for number, row in enumerate(part):
            yield {
                **row,
                "token_ids": arrays["token_ids"][number, : lengths[number]].tolist(),
                **{name: arrays[name][number, : counts[number]].tolist() for name in MASK_FIELDS},
            }


def _dense(rows: Sequence[Fields], name: str, columns: int) -> tf.Tensor:
    array = np.zeros((len(rows), columns), np.int32)
    lengths = np.array([len(fields[name]) for fields in rows])
    values = itertools.chain.from_iterable(fields[name] for fields in rows)
    array[np.arange(columns) < lengths[:, np.newaxis]] = np.fromiter(values, np.int32)
    return tf.constant(array)
