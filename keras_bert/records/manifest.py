"""Pre-training shards on disk: their manifest, and a reader that does not trust them.

A shard directory holds `shard-00000.tfrecord`, ..., `vocab.txt` and, written last, `manifest.json`.
A directory without a manifest is not finished, hence not readable. TFRecord files carry checksums
inside, but one that was cut between two records looks whole; so the manifest keeps the number of
examples, the bytes and the SHA-256 of each shard.
"""

import dataclasses
import hashlib
import itertools
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_bert.atomic import new_file, sha256_of_file, write_json
from keras_bert.errors import InputError
from keras_bert.reading import inside, read_json_object
from keras_bert.records.examples import LABEL, verify_example
from keras_bert.records.untuned import untuned

FORMAT = "keras-bert-tf pre-training shards"
FORMAT_VERSION = 2
MANIFEST = "manifest.json"
_RECORDS_AT_A_TIME = 1024


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
        objective: str. How examples are cut from documents, for example `"nsp"`.
        sequence_length: int. Most tokens of an example, special tokens counted.
        fields: tuple of str. What each example holds, among `keras_bert.records.FIELDS`.
        max_predictions: int or None. Most masked tokens of an example whose masks were drawn
            beforehand; None where they are drawn in training.
        vocabulary_size: int. Every id lies below.
        vocabulary_sha256: str. Fingerprint of the vocabulary (`Vocabulary.sha256`).
        lowercase: bool. Whether the text was lower-cased.
        settings: dict. The resolved options of the generator.
        statistics: dict. Counts and measured rates.
        shards: tuple of `Shard`.
        inputs: dict. Fingerprints of what the generator's options name, by option; empty of earlier
            versions.
    """

    objective: str
    sequence_length: int
    fields: tuple[str, ...]
    max_predictions: int | None
    vocabulary_size: int
    vocabulary_sha256: str
    lowercase: bool
    settings: dict[str, Any]
    statistics: dict[str, Any]
    shards: tuple[Shard, ...]
    inputs: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def examples(self) -> int:
        """Examples in all shards."""
        return sum(shard.examples for shard in self.shards)

    @property
    def sha256(self) -> str:
        """Fingerprint of what the shards hold, wherever they stand and whatever they were made of.

        Shards under other names are the same; their order counts, since readers follow it.
        """
        shards = [[shard.examples, shard.bytes, shard.sha256] for shard in self.shards]
        content = {
            "objective": self.objective,
            "sequence_length": self.sequence_length,
            "fields": list(self.fields),
            "max_predictions": self.max_predictions,
            "vocabulary": self.vocabulary_sha256,
            "lowercase": self.lowercase,
            "shards": shards,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def has_pairs(self) -> bool:
        """Whether examples are pairs of segments with a label."""
        return LABEL in self.fields

    @property
    def has_masks(self) -> bool:
        """Whether masks were drawn beforehand."""
        return self.max_predictions is not None


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
        values = read_json_object(path)
        if values.pop("format", None) != FORMAT or values.pop("version", None) != FORMAT_VERSION:
            raise InputError(f"{path}: not a manifest of {FORMAT}, version {FORMAT_VERSION}")
        shards = tuple(Shard(**shard) for shard in values.pop("shards"))
        fields = tuple(values.pop("fields"))
        manifest = Manifest(**values, fields=fields, shards=shards)
    except InputError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: damaged manifest: {error}") from error
    for shard in manifest.shards:
        file = inside(directory, shard.name)
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
            # Batches, because each step of a data set takes longer than the check of a record.
            records = untuned(tf.data.TFRecordDataset(str(path)).batch(_RECORDS_AT_A_TIME))
            for record in itertools.chain.from_iterable(records.as_numpy_iterator()):
                verify_example(record, manifest, f"{path}, example {count}")
                count += 1
        except tf.errors.OpError as error:
            raise InputError(f"{path}: damaged behind example {count}: {error.message}") from error
        if count != shard.examples:
            raise InputError(f"{path}: {shard.examples} examples expected. Received: {count}")
    return manifest
