"""Shards to batches: masks, targets and weights from one seed."""

import os
from typing import Any

import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.records import LABEL, Manifest, parse_examples
from keras_bert.records.untuned import untuned
from keras_bert.text.masking import MaskedLMMasker
from keras_bert.text.stateless import fold_in
from keras_bert.training.example_streams import ExampleStreams

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
    first_batch: int = 0,
    hosts: int = 1,
    host: int = 0,
    devices: int = 1,
) -> tf.data.Dataset:
    """Reads shards as batches for `BertPretrainer.fit`.

    Every epoch has its own order of shards, shuffle and masks, all functions of `(seed, epoch)`
    and, for the masks, of the example's place in the shards: a repeated run sees the same batches,
    on any number of hosts.

    Args:
        directory: Shard directory.
        manifest: Its `Manifest`.
        masker: `MaskedLMMasker`; None for shards whose masks were drawn beforehand and for
            left-to-right ones, which have none.
        batch_size: int. Sequences of a batch, on all hosts together.
        seed: int.
        shuffle_buffer: int. Sequences to shuffle among, window after window; 0 keeps the order.
        epochs: int or None. Passes over the shards; None for no end. Batches run across epochs,
            so that only the very last one, which is left out, can be incomplete.
        first_batch: int. Batches to leave out at the start, of which few are read.
        hosts: int. Machines that share each batch.
        host: int. Which of them reads here: it gets its part of each batch.
        devices: int. Devices of this host: each gets its part of that, as a batch of its own.

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
    if not 0 <= host < hosts <= batch_size:
        raise InputError(
            "`hosts` must be between 1 and `batch_size` and `host` below it. Received: "
            f"hosts={hosts}, host={host}, batch_size={batch_size}"
        )
    streams = ExampleStreams(
        directory,
        manifest,
        batch_size=batch_size,
        seed=seed,
        shuffle_buffer=shuffle_buffer,
        epochs=epochs,
        first_batch=first_batch,
    )

    def to_batch(epoch: tf.Tensor, index: tf.Tensor, records: tf.Tensor) -> tuple[Any, ...]:
        examples = parse_examples(records, manifest)
        if manifest.objective == LEFT_TO_RIGHT:
            examples = next_tokens(examples)
        elif not manifest.has_masks:
            seeds = tf.bitcast(fold_in(fold_in(seed, epoch), index), tf.int64)
            examples = masker(examples, seeds=seeds)
        return split_targets(examples)

    dataset = streams.of_host(host, hosts)
    if devices > 1:
        size = (host + 1) * batch_size // hosts - host * batch_size // hosts
        parts = [(i + 1) * size // devices - i * size // devices for i in range(devices)]
        dataset = dataset.rebatch(parts[0] if len(set(parts)) == 1 else parts)
    dataset = dataset.map(to_batch, num_parallel_calls=tf.data.AUTOTUNE)
    return untuned(dataset.prefetch(tf.data.AUTOTUNE))


def distributed_pretraining_dataset(
    strategy: tf.distribute.Strategy, *arguments: Any, batch_size: int, **options: Any
) -> Any:
    """`pretraining_dataset` for a strategy: each host reads its own part of each batch.

    Args:
        strategy: `tf.distribute.Strategy` of the model.
        *arguments: of `pretraining_dataset`.
        batch_size: int. Sequences of a batch, on all devices together.
        **options: Further arguments of `pretraining_dataset`.

    Returns:
        What `fit` and `evaluate` take.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return pretraining_dataset(*arguments, batch_size=batch_size, **options)

    def of_host(context: tf.distribute.InputContext) -> tf.data.Dataset:
        hosts = context.num_input_pipelines
        return pretraining_dataset(
            *arguments,
            batch_size=batch_size,
            hosts=hosts,
            host=context.input_pipeline_id,
            devices=replicas // hosts,
            **options,
        )

    return strategy.distribute_datasets_from_function(of_host)


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
