"""What stands in finished shards, counted again from their records."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from data_gen.statistics import LABEL_RATES
from keras_bert.atomic import sha256_of_file
from keras_bert.errors import InputError
from keras_bert.records import LABEL, LENGTHS, Manifest, damage_in, parse_examples
from keras_bert.records.untuned import untuned
from keras_bert.text.vocabulary import Vocabulary

_ROWS_AT_A_TIME = 1024

Batch = Mapping[str, np.ndarray]
"""Rows as `parse_examples` gives them, with `shard` and `index`, int64 `(batch,)`, the places where
they come from, and `original_ids`, `token_ids` without masks."""


def _zeros(size: int) -> np.ndarray:
    return np.zeros(size, np.int64)


@dataclasses.dataclass
class Counts:
    """Counts of the examples of a shard directory; `add` takes them batch by batch.

    Histograms are indexed by what they count: `row_lengths[128]` is the number of rows of 128
    tokens. In packed shards a row holds several examples; elsewhere the two are the same. Lengths
    of rows and examples include special tokens, those of segments and units do not. Tokens are
    counted as they stood before masks were drawn.

    Args:
        manifest: `Manifest` of the shards.
        vocabulary: `Vocabulary` of the shards.
        quotas: list of int. How many examples of each shard are to be read.
    """

    manifest: Manifest
    vocabulary: Vocabulary
    quotas: list[int]

    def __post_init__(self):
        lengths, shards = self.manifest.sequence_length + 1, len(self.manifest.shards)
        self.shard_examples = _zeros(shards)
        self.shard_tokens = _zeros(shards)
        self.shard_labels_of_one = _zeros(shards)
        self.row_lengths = _zeros(lengths)
        self.example_lengths = _zeros(lengths)
        self.first_lengths = _zeros(lengths)
        self.second_lengths = _zeros(lengths)
        self.unit_lengths = _zeros(lengths)
        self.token_counts = _zeros(len(self.vocabulary))
        self.masked_positions = _zeros(lengths - 1)
        self.mask_replacements = {"[MASK]": 0, "random": 0, "unchanged": 0}

    @property
    def examples(self) -> int:
        """Rows that were read."""
        return int(self.shard_examples.sum())

    @property
    def is_whole(self) -> bool:
        """Whether shards were read to their end."""
        return sum(self.quotas) == self.manifest.examples

    @property
    def text_counts(self) -> np.ndarray:
        """`token_counts` without padding and the tokens that delimit segments."""
        counts = self.token_counts.copy()
        vocabulary = self.vocabulary
        counts[[vocabulary.pad_id, vocabulary.start_id, vocabulary.end_id]] = 0
        return counts

    def add(self, batch: Batch) -> None:
        """Counts the rows of a batch."""
        real, shard, tokens = batch["padding_mask"], batch["shard"], batch["original_ids"]
        lengths = real.sum(axis=1)
        shards = len(self.shard_examples)
        self.shard_examples += np.bincount(shard, minlength=shards)
        self.shard_tokens += np.bincount(shard, lengths, minlength=shards).astype(np.int64)
        self._add_histogram(self.row_lengths, lengths)
        flat = tokens[real]
        self._add_histogram(self.token_counts, flat)
        starts = np.zeros_like(real)
        starts[:, 0] = True
        if "position_ids" in batch:
            starts |= batch["position_ids"] == 0
        self._add_histogram(self.example_lengths, _runs(starts[real]))
        if LABEL in batch:
            self.shard_labels_of_one += np.bincount(shard[batch[LABEL] == 1], minlength=shards)
            second = ((batch["segment_ids"] == 1) & real).sum(axis=1)
            # [CLS] and a [SEP] on one side, a [SEP] on the other.
            self._add_histogram(self.first_lengths, np.maximum(lengths - second - 2, 0))
            self._add_histogram(self.second_lengths, np.maximum(second - 1, 0))
        if "unit_starts" in batch:
            begins = (batch["unit_starts"] | starts)[real]
            special = np.isin(flat[begins], [self.vocabulary.start_id, self.vocabulary.end_id])
            self._add_histogram(self.unit_lengths, _runs(begins)[~special])
        if "masked_positions" in batch:
            self._add_masks(batch)

    def _add_masks(self, batch: Batch) -> None:
        used = batch["masked_weights"] > 0
        rows, _ = np.nonzero(used)
        positions, originals = batch["masked_positions"][used], batch["masked_ids"][used]
        self._add_histogram(self.masked_positions, positions)
        seen = batch["token_ids"][rows, positions]
        is_mask = seen == self.vocabulary.mask_id
        is_unchanged = ~is_mask & (seen == originals)
        self.mask_replacements["[MASK]"] += int(is_mask.sum())
        self.mask_replacements["unchanged"] += int(is_unchanged.sum())
        self.mask_replacements["random"] += int((~is_mask & ~is_unchanged).sum())

    @staticmethod
    def _add_histogram(histogram: np.ndarray, values: np.ndarray) -> None:
        histogram += np.bincount(values, minlength=len(histogram))

    def measures(self) -> dict[str, int | float]:
        """Returns the manifest's statistics that records tell, under the same names.

        `unknown_tokens` and `unknown_token_rate` are those of the examples, the manifest's those of
        the text: examples repeat some of it and lose some.
        """
        length = self.manifest.sequence_length
        tokens, examples = int(self.shard_tokens.sum()), self.examples
        text = self.text_counts
        unknown = int(text[self.vocabulary.unknown_id])
        result: dict[str, int | float] = {
            "examples": examples,
            "example_tokens": tokens,
            "tokens_per_example": tokens / max(examples, 1),
            "fill_rate": tokens / max(examples, 1) / length,
            "unknown_tokens": unknown,
            "unknown_token_rate": unknown / max(int(text.sum()), 1),
        }
        if LABEL in self.manifest.fields:
            key = LABEL_RATES.get(self.manifest.objective, "labels_of_one_rate")
            result[key] = int(self.shard_labels_of_one.sum()) / max(examples, 1)
        if LENGTHS in self.manifest.fields:
            cut = int(self.example_lengths.sum())
            result["packed_examples"] = cut
            result["unpacked_fill_rate"] = tokens / max(cut, 1) / length
        if self.manifest.has_masks:
            masked = sum(self.mask_replacements.values())
            result["masked_tokens"] = masked
            result["mask_rate"] = masked / max(tokens, 1)
        return result

    def disagreements(self) -> list[str]:
        """Returns a sentence for each number of the manifest that the records contradict.

        Where only some examples were read, rates may differ as far as chance explains it.
        """
        found = [
            f"{shard.name}: the manifest says {shard.examples} examples, {count} could be read"
            for shard, count, quota in zip(
                self.manifest.shards, self.shard_examples.tolist(), self.quotas, strict=True
            )
            if count != quota
        ]
        stated, counted = self.manifest.statistics, self.measures()
        # Five standard deviations of a share of so many examples, at most.
        tolerance = 1e-9 if self.is_whole else 2.5 / max(self.examples, 1) ** 0.5
        for name, value in counted.items():
            is_rate = name.endswith("_rate")
            is_comparable = (is_rate or self.is_whole) and not name.startswith("unknown")
            if not is_comparable or not isinstance(stated.get(name), int | float):
                continue
            if abs(stated[name] - value) > tolerance * (1 if is_rate else max(1, value)):
                found.append(f"{name}: the manifest says {stated[name]}, the shards hold {value}")
        if stated.get("unknown_tokens") == 0 and counted["unknown_tokens"]:
            found.append(
                "unknown_tokens: the manifest says that the text has none, the shards hold "
                f"{counted['unknown_tokens']}"
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Returns all counts as JSON has them; `token_counts` is in the vocabulary's order."""
        values = {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
            if name not in ("manifest", "vocabulary", "quotas")
        }
        return {"examples_read": self.examples, "is_whole": self.is_whole, **values}


def _runs(starts: np.ndarray) -> np.ndarray:
    """Lengths of the runs that begin where `starts` holds; the first element begins one."""
    return np.diff(np.flatnonzero(starts), append=len(starts))


def quotas_of(manifest: Manifest, examples: int) -> list[int]:
    """Returns how many examples of each shard to read, `examples` in all; 0 stands for all.

    Shards give in proportion to what they hold, from their beginning: their order is random.
    """
    sizes = [shard.examples for shard in manifest.shards]
    if not 0 < examples < sum(sizes):
        return sizes
    shares = np.floor(np.cumsum([0, *sizes]) * (examples / sum(sizes)) + 0.5).astype(int)
    return np.diff(shares).tolist()


def read_batches(
    directory: str | os.PathLike, manifest: Manifest, *, examples: int
) -> Iterator[Batch]:
    """Yields the examples of a shard directory in batches, in the order of shards.

    Args:
        directory: Path.
        manifest: `Manifest` of the directory.
        examples: int. How many to read at most, spread over all shards; 0 for all.

    Raises:
        InputError: If a shard is damaged or an id lies outside the vocabulary.
    """
    directory = Path(directory)
    paths = [str(directory / shard.name) for shard in manifest.shards]
    chosen = quotas_of(manifest, examples)
    if sum(chosen) == manifest.examples:
        chosen = [-1] * len(chosen)  # To the end, wherever the manifest expects it.

    def read(shard: tf.Tensor, path: tf.Tensor, count: tf.Tensor) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(path).take(count).enumerate()
        return records.map(lambda index, record: (shard, index, record))

    def parse(shard: tf.Tensor, index: tf.Tensor, records: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = parse_examples(records, manifest)
        # As large as everything else together, and `position_ids` tell the same.
        parsed.pop("attention_mask", None)
        return {**parsed, "shard": shard, "index": index}

    places = (tf.range(len(paths), dtype=tf.int64), paths, tf.constant(chosen, tf.int64))
    dataset = tf.data.Dataset.from_tensor_slices(places).flat_map(read).batch(_ROWS_AT_A_TIME)
    dataset = untuned(dataset.map(parse, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2))
    try:
        for batch in dataset.as_numpy_iterator():
            yield {**batch, "original_ids": _checked_originals(directory, batch, manifest)}
    except tf.errors.OpError as error:
        for shard in manifest.shards:
            path = directory / shard.name
            if sha256_of_file(path) != shard.sha256:
                raise InputError(
                    f"{path}: damaged shard: its SHA-256 differs from the manifest's"
                ) from error
        damage = damage_in(directory, error)
        raise damage or InputError(f"{directory}: cannot read: {error.message}") from error


def _checked_originals(directory: Path, batch: Batch, manifest: Manifest) -> np.ndarray:
    tokens = batch["token_ids"].copy()
    if "masked_positions" in batch:
        used = batch["masked_weights"] > 0
        rows, _ = np.nonzero(used)
        places = batch["masked_positions"][used]
        if places.size and not 0 <= places.min() <= places.max() < manifest.sequence_length:
            raise _damaged(directory, "masked positions", places, manifest.sequence_length)
        tokens[rows, places] = batch["masked_ids"][used]
        if not 0 <= tokens.min() <= tokens.max() < manifest.vocabulary_size:
            raise _damaged(directory, "masked ids", tokens, manifest.vocabulary_size)
    return tokens


def _damaged(directory: Path, what: str, values: np.ndarray, end: int) -> InputError:
    return InputError(
        f"{directory}: {what} must lie in 0..{end - 1}; `python -m data_gen verify` names the "
        f"example. Received: {values.min()}..{values.max()}"
    )


def count_shards(
    directory: str | os.PathLike,
    manifest: Manifest,
    vocabulary: Vocabulary,
    *,
    examples: int = 0,
    watch: Callable[[Batch], None] | None = None,
) -> Counts:
    """Counts the examples of a shard directory.

    Args:
        directory: Path.
        manifest: `Manifest` of the directory.
        vocabulary: `Vocabulary` of the directory.
        examples: int. How many to read at most, spread over all shards; 0 for all.
        watch: Function that is called with each batch.

    Raises:
        InputError: If a shard is damaged.

    Example:

    ```python
    manifest = read_manifest("shards")
    vocabulary = Vocabulary.from_file("shards/vocab.txt")
    count_shards("shards", manifest, vocabulary).measures()["fill_rate"]
    ```
    """
    counts = Counts(manifest, vocabulary, quotas_of(manifest, examples))
    for batch in read_batches(directory, manifest, examples=examples):
        counts.add(batch)
        if watch:
            watch(batch)
    return counts
