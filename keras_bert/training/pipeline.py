"""Shards to batches: order, shuffling and masks from one seed."""

import os
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_bert.records import LABEL, Manifest, parse_examples
from keras_bert.text.masking import MaskedLMMasker
from keras_bert.text.stateless import fold_in

LEFT_TO_RIGHT = "left_to_right"

_FEATURES = (
    "token_ids",
    "segment_ids",
    "padding_mask",
    "masked_positions",
    "position_ids",
    "attention_mask",
)


def pretraining_dataset(
    directory: str | os.PathLike,
    manifest: Manifest,
    masker: MaskedLMMasker | None,
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
        masker: `MaskedLMMasker`; None for shards whose masks were drawn beforehand and for
            left-to-right ones, which have none.
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
        windows = examples.batch(shuffle_buffer or batch_size).enumerate()
        if shuffle_buffer:
            # Whole windows by a stateless permutation: Dataset.shuffle mixes its seed with
            # TensorFlow's global one, so that its order is no function of `seed` alone.
            windows = windows.map(
                lambda window, parts: (window, shuffled(parts, [fold_in(seed, epoch), window]))
            )
        return windows.map(lambda _, parts: (tf.fill([tf.size(parts[0])], epoch), *parts))

    def shuffled(parts: tuple[tf.Tensor, tf.Tensor], key: list) -> tuple[tf.Tensor, tf.Tensor]:
        index, records = parts
        order = tf.random.experimental.stateless_shuffle(
            tf.range(tf.size(index)), seed=tf.stack([tf.bitcast(key[0], tf.int64), key[1]])
        )
        return tf.gather(index, order), tf.gather(records, order)

    def to_batch(epoch: tf.Tensor, index: tf.Tensor, records: tf.Tensor) -> tuple[Any, ...]:
        examples = parse_examples(records, manifest)
        if manifest.objective == LEFT_TO_RIGHT:
            examples = next_tokens(examples)
        elif not manifest.has_masks:
            seeds = tf.bitcast(fold_in(fold_in(seed, epoch), index), tf.int64)
            examples = masker(examples, seeds=seeds)
        return split_targets(examples)

    epoch_numbers = tf.data.Dataset.counter() if epochs is None else tf.data.Dataset.range(epochs)
    # Windows are cut to batches whole: one by one, examples would cost more than their masks.
    dataset = epoch_numbers.flat_map(read_epoch).rebatch(batch_size, drop_remainder=True)
    return dataset.map(to_batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def next_tokens(examples: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Makes every token predict the one behind it and see none of those.

    Args:
        examples: dictionary of tensors, as `parse_examples` makes it.

    Returns:
        `examples` with `attention_mask`, bool `(batch, length, length)`, lower triangular, and
        `masked_positions`, `masked_ids` and `masked_weights`, each `(batch, length - 1)`, that name
        every position, its next token, and 0 where there is none.

    References:
        - Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training"; the
          left-to-right model of Devlin et al. 2019, arXiv:1810.04805, section 5.1.
    """
    token_ids, real = examples["token_ids"], examples["padding_mask"]
    length = token_ids.shape[1]
    visible = examples.get("attention_mask", real[:, tf.newaxis, :])
    # (length, length) and (batch, 1 or length, length)
    causal = tf.linalg.band_part(tf.ones([length, length], tf.bool), -1, 0) & visible
    has_next = real[:, 1:]
    if "position_ids" in examples:
        has_next &= examples["position_ids"][:, 1:] > 0  # not the first token of another example
    return {
        **examples,
        "attention_mask": causal,
        # (length - 1,) -> (batch, length - 1)
        "masked_positions": tf.zeros_like(token_ids[:, 1:]) + tf.range(length - 1),
        "masked_ids": tf.where(has_next, token_ids[:, 1:], 0),
        "masked_weights": tf.cast(has_next, tf.float32),
    }


def split_targets(examples: dict[str, tf.Tensor]) -> tuple[dict, dict, dict]:
    """Parts masked examples into a model's features, its targets and their weights."""
    targets = {"masked_lm_logits": examples["masked_ids"]}
    weights = {"masked_lm_logits": examples["masked_weights"]}
    if LABEL in examples:
        targets["next_sentence_logits"] = examples[LABEL]
        weights["next_sentence_logits"] = tf.ones_like(examples[LABEL], tf.float32)
    return {name: examples[name] for name in _FEATURES if name in examples}, targets, weights
