"""Examples of a shard directory as a reader sees them."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from data_gen.report import Batch
from keras_bert.records import LABEL, Manifest
from keras_bert.text.masking import MaskedLMMasker, most_predictions
from keras_bert.text.vocabulary import Vocabulary

LABEL_WORDS = {"nsp": ("next", "random"), "sop": ("in order", "swapped")}


@dataclasses.dataclass(frozen=True)
class Token:
    """One token of a sample.

    Args:
        text: str. What the model sees.
        segment: int. 0 or 1.
        is_special: bool. Whether it delimits segments.
        starts_unit: bool or None. Whether a masking unit begins here; None where shards do not say.
        original: str or None. What stood here, if the token is to be predicted.
        replacement: str or None. What became of such a token: `"[MASK]"`, `"random"` or
            `"unchanged"`.
    """

    text: str
    segment: int
    is_special: bool
    starts_unit: bool | None = None
    original: str | None = None
    replacement: str | None = None


@dataclasses.dataclass(frozen=True)
class Sample:
    """One row of a shard: several examples where rows are packed, else one.

    Args:
        shard: str. Name of its file.
        index: int. Its number in the shard, from 0.
        label: str or None. The label of a pair in words.
        examples: tuple of tuples of `Token`.
    """

    shard: str
    index: int
    label: str | None
    examples: tuple[tuple[Token, ...], ...]


class SampleCollector:
    """Keeps some of the rows that pass by, at equal distances among all.

    Args:
        total: int. Rows that will pass by.
        samples: int. How many to keep.
    """

    def __init__(self, total: int, samples: int):
        samples = min(samples, total)
        self._wanted = {(2 * number + 1) * total // (2 * samples) for number in range(samples)}
        self._seen = 0
        self._rows: list[dict[str, np.ndarray]] = []

    def __call__(self, batch: Batch) -> None:
        count = len(batch["index"])
        for row in range(count):
            if self._seen + row in self._wanted:
                self._rows.append({name: values[row] for name, values in batch.items()})
        self._seen += count

    def samples(self, manifest: Manifest, vocabulary: Vocabulary) -> list[Sample]:
        """Returns the kept rows; masks that the shards lack are drawn from fixed seeds."""
        rows = self._rows
        if rows and not manifest.has_masks and manifest.objective != "left_to_right":
            rows = _masked(rows, manifest, vocabulary)
        return [_sample(row, manifest, vocabulary) for row in rows]


def _masked(
    rows: Sequence[dict[str, np.ndarray]], manifest: Manifest, vocabulary: Vocabulary
) -> list[dict[str, np.ndarray]]:
    masker = MaskedLMMasker(vocabulary, most_predictions(manifest.sequence_length))
    names = ("token_ids", "padding_mask")
    features = {name: tf.constant(np.stack([row[name] for row in rows])) for name in names}
    masked = masker(features, seeds=tf.range(len(rows)))
    arrays = {name: tensor.numpy() for name, tensor in masked.items()}
    return [
        {**row, **{name: array[number] for name, array in arrays.items()}}
        for number, row in enumerate(rows)
    ]


def _sample(row: dict[str, np.ndarray], manifest: Manifest, vocabulary: Vocabulary) -> Sample:
    length = int(row["padding_mask"].sum())
    targets = set()
    if "masked_positions" in row:
        targets = set(row["masked_positions"][row["masked_weights"] > 0].tolist())
    delimiters = (vocabulary.start_id, vocabulary.end_id)
    examples: list[list[Token]] = []
    for place in range(length):
        seen, original = int(row["token_ids"][place]), int(row["original_ids"][place])
        is_target = place in targets
        replacement = None
        if is_target:
            replacement = "unchanged" if seen == original else "random"
            replacement = "[MASK]" if seen == vocabulary.mask_id else replacement
        token = Token(
            text=vocabulary.tokens[seen],
            segment=int(row["segment_ids"][place]),
            is_special=original in delimiters and not is_target,
            starts_unit=bool(row["unit_starts"][place]) if "unit_starts" in row else None,
            original=vocabulary.tokens[original] if is_target else None,
            replacement=replacement,
        )
        begins = row["position_ids"][place] == 0 if "position_ids" in row else place == 0
        if begins or not examples:
            examples.append([])
        examples[-1].append(token)
    label = None
    if LABEL in row:
        words = LABEL_WORDS.get(manifest.objective, ("label 0", "label 1"))
        label = words[int(row[LABEL] == 1)]
    return Sample(
        shard=manifest.shards[int(row["shard"])].name,
        index=int(row["index"]),
        label=label,
        examples=tuple(map(tuple, examples)),
    )
