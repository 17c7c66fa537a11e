"""Shards read and written in plain Python, record by record."""

import dataclasses

import tensorflow as tf

from data_gen.encoding import with_masks
from keras_bert.records import (
    MASK_FIELDS,
    encode_example,
    read_manifest,
    write_manifest,
    write_shard,
)
from keras_bert.text.masking import MaskedLMMasker


def records_of(directory):
    """The fields of all records of each shard, as lists of integers."""
    shards = []
    for shard in read_manifest(directory).shards:
        rows = []
        for record in tf.data.TFRecordDataset(str(directory / shard.name)).as_numpy_iterator():
            features = tf.train.Example.FromString(record).features.feature
            rows.append({name: list(value.int64_list.value) for name, value in features.items()})
        shards.append(rows)
    return shards


def rewrite(directory, shards, **changes):
    """Puts other records into the shards of a directory; `changes` are the manifest's."""
    manifest = read_manifest(directory)
    written = [
        write_shard(directory / shard.name, map(encode_example, rows))
        for shard, rows in zip(manifest.shards, shards, strict=True)
    ]
    write_manifest(directory, dataclasses.replace(manifest, shards=tuple(written), **changes))


def draw_masks(directory, vocabulary, *, max_predictions=5):
    """Makes the masks of shards static."""
    manifest = read_manifest(directory)
    masker = MaskedLMMasker(vocabulary, max_predictions)
    shards = [
        list(with_masks(rows, masker, sequence_length=manifest.sequence_length, seed=number))
        for number, rows in enumerate(records_of(directory))
    ]
    fields = (*manifest.fields, *MASK_FIELDS)
    rewrite(directory, shards, fields=fields, max_predictions=max_predictions)
