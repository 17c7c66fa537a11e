"""Shards to batches: order, shuffling and masks from one seed."""

import os
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_bert.records import Manifest, parse_examples
from keras_bert.text.masking import MaskedLMMasker
from keras_bert.text.stateless import fold_in


def pretraining_dataset(
    directory: str | os.PathLike,
    manifest: Manifest,
    masker: MaskedLMMasker,
    *,
    batch_size: int,
    seed: int,
    shuffle_buffer: int = 10000,
    epochs: int | None = None,
) -> tf.data.Dataset:
    """Reads shards as batches for `BertPretrainer.fit`.

    Every epoch has its own order of shards, shuffle and masks, all functions of `(seed, epoch)`
    and, for the masks, of the example's place in the shards: a repeated run sees the same batches.

    Args:
        directory: Shard directory.
        manifest: Its `Manifest`.
        masker: `MaskedLMMasker`.
        batch_size: int. Sequences of a batch.
        seed: int.
        shuffle_buffer: int. Sequences to shuffle among, window after window; 0 keeps the order.
        epochs: int or None. Passes over the shards; None for no end. Batches run across epochs,
            so that only the very last one, which is left out, can be incomplete.

    Returns:
        A dataset of `(features, targets, weights)`, dictionaries as `BertPretrainer` takes and
        `pretraining_losses` expects.

    Example:

    ```python
    manifest = read_manifest("shards")
    masker = MaskedLMMasker(vocabulary, max_predictions=20)
    dataset = pretraining_dataset("shards", manifest, masker, batch_size=32, seed=1)
    ```
    """
    paths = [str(Path(directory) / shard.name) for shard in manifest.shards]
    offsets, total = [], 0
    for shard in manifest.shards:
        offsets.append(total)
        total += shard.examples

    def read_shard(index: tf.Tensor) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(tf.gather(paths, index))
        return records.enumerate(tf.gather(tf.constant(offsets, tf.int64), index))

    def read_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.range(len(paths), dtype=tf.int64)
        if shuffle_buffer:
            order = tf.random.experimental.stateless_shuffle(order, seed=[seed, epoch])
        examples = tf.data.Dataset.from_tensor_slices(order).interleave(
            read_shard, cycle_length=4, block_length=16
        )
        if shuffle_buffer:
            # Whole windows by a stateless permutation: Dataset.shuffle mixes its seed with
            # TensorFlow's global one, so that its order is no function of `seed` alone.
            windows = examples.batch(shuffle_buffer).enumerate()
            examples = windows.flat_map(
                lambda window, parts: shuffle_window(parts, [fold_in(seed, epoch), window])
            )
        return examples.map(lambda index, record: (epoch, index, record))

    def shuffle_window(parts: tuple[tf.Tensor, tf.Tensor], key: list) -> tf.data.Dataset:
        index, records = parts
        order = tf.random.experimental.stateless_shuffle(
            tf.range(tf.size(index)), seed=tf.stack([tf.bitcast(key[0], tf.int64), key[1]])
        )
        return tf.data.Dataset.from_tensor_slices(
            (tf.gather(index, order), tf.gather(records, order))
        )

    def to_batch(epoch: tf.Tensor, index: tf.Tensor, records: tf.Tensor) -> tuple[Any, ...]:
        examples = parse_examples(records, manifest.sequence_length)
        seeds = tf.bitcast(fold_in(fold_in(seed, epoch), index), tf.int64)
        return split_targets(masker(examples, seeds=seeds))

    epoch_numbers = tf.data.Dataset.counter() if epochs is None else tf.data.Dataset.range(epochs)
    dataset = epoch_numbers.flat_map(read_epoch).batch(batch_size, drop_remainder=True)
    return dataset.map(to_batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def split_targets(examples: dict[str, tf.Tensor]) -> tuple[dict, dict, dict]:
    """Parts masked examples into a model's features, its targets and their weights."""
    targets = {
        "masked_lm_logits": examples["masked_ids"],
        "next_sentence_logits": examples["next_sentence_label"],
    }
    weights = {
        "masked_lm_logits": examples["masked_weights"],
        "next_sentence_logits": tf.ones_like(examples["next_sentence_label"], tf.float32),
    }
    names = ("token_ids", "segment_ids", "padding_mask", "masked_positions")
    return {name: examples[name] for name in names}, targets, weights
