"""Pre-training shards on disk: their schema, their manifest, and a reader that trusts neither.

A shard directory holds `shard-00000.tfrecord`, ..., `vocab.txt` and, written last, `manifest.json`.
A directory without a manifest is not finished, hence not readable. TFRecord files carry checksums
inside, but one that was cut between two records looks whole; so the manifest keeps the number of
examples, the bytes and the SHA-256 of each shard.
"""

import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_bert.atomic import new_file, sha256_of_file, write_json
from keras_bert.errors import InputError

FORMAT = "keras-bert-tf pre-training shards"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file: its name, number of examples, size in bytes and SHA-256."""

    name: str
    examples: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What stands in a shard directory.

    Args:
        objective: str. What the second segment is, for example `"nsp"`.
        sequence_length: int. Most tokens of an example, special tokens counted.
        vocabulary_size: int. Every id lies below.
        vocabulary_sha256: str. Fingerprint of the vocabulary (`Vocabulary.sha256`).
        lowercase: bool. Whether the text was lower-cased.
        settings: dict. The resolved options of the generator.
        statistics: dict. Counts and measured rates.
        shards: tuple of `Shard`.
    """

    objective: str
    sequence_length: int
    vocabulary_size: int
    vocabulary_sha256: str
    lowercase: bool
    settings: dict[str, Any]
    statistics: dict[str, Any]
    shards: tuple[Shard, ...]

    @property
    def examples(self) -> int:
        """Examples in all shards."""
        return sum(shard.examples for shard in self.shards)


def write_manifest(directory: str | os.PathLike, manifest: Manifest) -> None:
    """Declares a shard directory finished."""
    values = {"format": FORMAT, "version": FORMAT_VERSION, **dataclasses.asdict(manifest)}
    write_json(Path(directory) / MANIFEST, values)


def read_manifest(directory: str | os.PathLike) -> Manifest:
    """Reads a manifest and checks that every shard is present with its size.

    Raises:
        InputError: If the manifest is missing, damaged or of another format, or a shard is missing,
            has another size or is not listed.
    """
    directory = Path(directory)
    path = directory / MANIFEST
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory")
    if not path.exists():
        raise InputError(
            f"{directory}: no {MANIFEST}, so the shards are unfinished; "
            "run `python -m data_gen pretrain` again"
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("format", None) != FORMAT or values.pop("version", None) != FORMAT_VERSION:
            raise InputError(f"{path}: not a manifest of {FORMAT}, version {FORMAT_VERSION}")
        shards = tuple(Shard(**shard) for shard in values.pop("shards"))
        manifest = Manifest(**values, shards=shards)
    except InputError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: damaged manifest: {error}") from error
    for shard in manifest.shards:
        file = directory / shard.name
        if not file.exists():
            raise InputError(f"{file}: the manifest lists this shard, but it is missing")
        if file.stat().st_size != shard.bytes:
            raise InputError(
                f"{file}: damaged shard: {shard.bytes} bytes expected. "
                f"Received: {file.stat().st_size}"
            )
    listed = {shard.name for shard in manifest.shards}
    for file in sorted(directory.glob("*.tfrecord")):
        if file.name not in listed:
            raise InputError(f"{file}: the manifest does not list this shard")
    return manifest


def encode_example(
    token_ids: Iterable[int], segment_ids: Iterable[int], next_sentence_label: int
) -> bytes:
    """Serialises one example.

    Args:
        token_ids: Ids with `[CLS]` and `[SEP]`, without padding.
        segment_ids: 0 or 1 for each token.
        next_sentence_label: 0 when the second segment follows the first, 1 when it is random.
    """
    features = {
        "token_ids": _integers(token_ids),
        "segment_ids": _integers(segment_ids),
        "next_sentence_label": _integers([next_sentence_label]),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def _integers(values: Iterable[int]) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def write_shard(path: str | os.PathLike, examples: Iterable[bytes]) -> Shard:
    """Writes serialised examples; the file appears whole or not at all."""
    path = Path(path)
    count = 0
    with new_file(path) as temporary:
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            for example in examples:
                writer.write(example)
                count += 1
        digest, size = sha256_of_file(temporary), temporary.stat().st_size
    return Shard(path.name, count, size, digest)


def parse_examples(serialized: tf.Tensor, sequence_length: int) -> dict[str, tf.Tensor]:
    """Parses a batch of serialised examples.

    Args:
        serialized: string tensor `(batch,)`.
        sequence_length: int. Columns of the result; examples are padded with zeros.

    Returns:
        A dictionary of `token_ids` and `segment_ids`, int32 `(batch, sequence_length)`,
        `padding_mask`, bool `(batch, sequence_length)`, and `next_sentence_label`, int32
        `(batch,)`.
    """
    rows = tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64)
    parsed = tf.io.parse_example(
        serialized,
        {
            "token_ids": rows,
            "segment_ids": rows,
            "next_sentence_label": tf.io.FixedLenFeature([], tf.int64),
        },
    )
    shape = [None, sequence_length]
    lengths = parsed["token_ids"].row_lengths()
    return {
        "token_ids": tf.cast(parsed["token_ids"].to_tensor(shape=shape), tf.int32),
        "segment_ids": tf.cast(parsed["segment_ids"].to_tensor(shape=shape), tf.int32),
        "padding_mask": tf.sequence_mask(lengths, sequence_length),
        "next_sentence_label": tf.cast(parsed["next_sentence_label"], tf.int32),
    }


def verify_shards(directory: str | os.PathLike) -> Manifest:
    """Reads everything and checks checksums, counts, fields, lengths and ids.

    Raises:
        InputError: On the first fault; the message names the shard and the example.
    """
    manifest = read_manifest(directory)
    for shard in manifest.shards:
        path = Path(directory) / shard.name
        if sha256_of_file(path) != shard.sha256:
            raise InputError(f"{path}: damaged shard: its SHA-256 differs from the manifest's")
        count = 0
        try:
            for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
                _verify_example(record, manifest, f"{path}, example {count}")
                count += 1
        except tf.errors.OpError as error:
            raise InputError(f"{path}: damaged after {count} examples: {error.message}") from error
        if count != shard.examples:
            raise InputError(f"{path}: {shard.examples} examples expected. Received: {count}")
    return manifest


def _verify_example(record: bytes, manifest: Manifest, place: str) -> None:
    try:
        features = tf.train.Example.FromString(record).features.feature
    except Exception as error:  # the protocol buffer library's own error class varies
        raise InputError(f"{place}: not a tf.train.Example: {error}") from error
    for name in ("token_ids", "segment_ids", "next_sentence_label"):
        if features[name].WhichOneof("kind") != "int64_list":
            raise InputError(f"{place}: field {name!r} must be a list of integers")
    token_ids = features["token_ids"].int64_list.value
    segment_ids = features["segment_ids"].int64_list.value
    label = list(features["next_sentence_label"].int64_list.value)
    if not 0 < len(token_ids) <= manifest.sequence_length:
        raise InputError(
            f"{place}: 1 to {manifest.sequence_length} tokens expected. Received: {len(token_ids)}"
        )
    if not 0 <= min(token_ids) <= max(token_ids) < manifest.vocabulary_size:
        raise InputError(
            f"{place}: ids must lie in 0..{manifest.vocabulary_size - 1}. "
            f"Received: {min(token_ids)}..{max(token_ids)}"
        )
    if len(segment_ids) != len(token_ids) or not set(segment_ids) <= {0, 1}:
        raise InputError(f"{place}: one segment id, 0 or 1, is expected for each token")
    if label not in ([0], [1]):
        raise InputError(f"{place}: the label must be 0 or 1. Received: {label}")
