"""The order of examples, and which host reads which of them."""

import math
import os
from pathlib import Path

import tensorflow as tf

from keras_bert.records import Manifest
from keras_bert.text.stateless import fold_in

_STREAMS = 8
# Shards that a stream mixes, and how many examples of one it takes at a time.
_MIXED_SHARDS, _BLOCK = 4, 16


class ExampleStreams:
    """Serialised examples in batches, the same ones for any number of hosts.

    The place of an example in the run, counted over all epochs, belongs to stream
    `place % streams`. In each epoch the shards, in an order of its own, are cut into one range of
    examples for each stream, which shuffles it window after window; so every epoch has every
    example once. A batch takes as many examples from each stream. The number of streams follows
    from the batch size, not from the number of hosts.

    Args:
        directory: Shard directory.
        manifest: Its `Manifest`.
        batch_size: int. Examples of a batch, on all hosts together.
        seed: int.
        shuffle_buffer: int. Examples that all streams together hold to shuffle among; 0 keeps the
            order, in one stream.
        epochs: int or None. Passes over the shards; None for no end.
        first_batch: int. Batches to leave out at the start.
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        manifest: Manifest,
        *,
        batch_size: int,
        seed: int,
        shuffle_buffer: int,
        epochs: int | None,
        first_batch: int = 0,
    ):
        self.batch_size = batch_size
        self.streams = math.gcd(batch_size, _STREAMS) if shuffle_buffer else 1
        self._paths = [str(Path(directory) / shard.name) for shard in manifest.shards]
        self._sizes = [shard.examples for shard in manifest.shards]
        self._total = sum(self._sizes)
        self._seed = seed
        self._shuffled = bool(shuffle_buffer)
        self._window = max(shuffle_buffer // self.streams, 1) if shuffle_buffer else batch_size
        self._epochs = epochs
        self._first_batch = first_batch

    def of_host(self, host: int = 0, hosts: int = 1) -> tf.data.Dataset:
        """Returns the part of one host of each batch: `(epoch, index, record)`, each `(batch,)`.

        A host reads no examples but its own where `hosts` divides the streams. Elsewhere it reads
        all of them and keeps its slice.
        """
        is_own = self.streams % hosts == 0
        streams = range(host, self.streams, hosts) if is_own else range(self.streams)
        dataset = tf.data.Dataset.from_tensor_slices(tf.constant(list(streams), tf.int64))
        dataset = dataset.interleave(self._stream, cycle_length=len(streams), block_length=1)
        # (streams, batch / all streams) -> (batch of these streams,)
        dataset = dataset.batch(len(streams), drop_remainder=True)
        dataset = dataset.map(lambda *parts: tuple(tf.reshape(part, [-1]) for part in parts))
        if self._epochs is not None:
            batches = self._epochs * self._total // self.batch_size - self._first_batch
            dataset = dataset.take(max(batches, 0))
        if is_own:
            return dataset
        start, end = (number * self.batch_size // hosts for number in (host, host + 1))
        return dataset.map(lambda *parts: tuple(part[start:end] for part in parts))

    def _stream(self, stream: tf.Tensor) -> tf.data.Dataset:
        """The examples of one stream, as many at a time as a batch takes of it."""
        start = self._first_batch * self.batch_size
        epoch = start // self._total
        if self._epochs is None:
            epochs = tf.data.Dataset.counter(epoch)
        else:
            epochs = tf.data.Dataset.range(epoch, max(self._epochs, epoch))
        windows = epochs.flat_map(lambda epoch: self._windows(stream, epoch))
        taken = self._places(start, stream) - self._places(epoch * self._total, stream)
        if start > epoch * self._total:
            windows = windows.unbatch().skip(taken).batch(self._window)
        # Windows are cut to batches whole: one by one, examples would cost more than their masks.
        return windows.rebatch(self.batch_size // self.streams, drop_remainder=True)

    def _places(self, end, stream):
        """How many of the places before `end` belong to a stream."""
        return (tf.cast(end, tf.int64) - stream + self.streams - 1) // self.streams

    def _windows(self, stream: tf.Tensor, epoch: tf.Tensor) -> tf.data.Dataset:
        """One epoch of a stream, window after window."""
        sizes = tf.constant(self._sizes, tf.int64)
        order = tf.range(len(self._sizes), dtype=tf.int64)
        if self._shuffled:
            order = tf.random.experimental.stateless_shuffle(order, seed=[self._seed, epoch])
        begin = epoch * self._total
        everyone = tf.range(self.streams, dtype=tf.int64)
        counts = self._places(begin + self._total, everyone) - self._places(begin, everyone)
        last = tf.cumsum(counts)[stream]
        first = last - counts[stream]
        # Each shard's range of the epoch, and the part of it that belongs to the stream.
        ends = tf.cumsum(tf.gather(sizes, order))
        starts = ends - tf.gather(sizes, order)
        skipped = tf.maximum(first - starts, 0)
        taken = tf.minimum(ends, last) - tf.maximum(starts, first)
        own = taken > 0
        pieces = tuple(tf.boolean_mask(part, own) for part in (order, skipped, taken))
        examples = tf.data.Dataset.from_tensor_slices(pieces).interleave(
            self._piece, cycle_length=_MIXED_SHARDS, block_length=1
        )
        if not self._shuffled:
            return examples.map(lambda *parts: (tf.fill([tf.size(parts[0])], epoch), *parts))
        windows = examples.rebatch(self._window).enumerate()
        # Whole windows by a stateless permutation: Dataset.shuffle mixes its seed with TensorFlow's
        # global one, so that its order is no function of `seed` alone.
        key = tf.bitcast(fold_in(fold_in(self._seed, epoch), stream), tf.int64)

        def shuffled(window: tf.Tensor, parts: tuple) -> tuple:
            index, records = _permuted(parts, [key, window])
            return tf.fill([tf.size(index)], epoch), index, records

        return windows.map(shuffled)

    def _piece(self, shard: tf.Tensor, skipped: tf.Tensor, taken: tf.Tensor) -> tf.data.Dataset:
        """Part of a shard in blocks, with the places of its examples among all."""
        offsets = tf.cumsum(tf.constant(self._sizes, tf.int64), exclusive=True)
        records = tf.data.TFRecordDataset(tf.gather(self._paths, shard))
        records = records.enumerate(tf.gather(offsets, shard)).skip(skipped).take(taken)
        # Blocks pass from dataset to dataset as one; examples would one by one.
        return records.batch(_BLOCK)


def _permuted(parts: tuple[tf.Tensor, tf.Tensor], key: list) -> tuple[tf.Tensor, tf.Tensor]:
    index, records = parts
    places = tf.range(tf.size(index))
    order = tf.random.experimental.stateless_shuffle(places, seed=tf.stack(key))
    return tf.gather(index, order), tf.gather(records, order)
