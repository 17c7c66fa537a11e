"""Batches of tokenized examples: another order in every epoch, drawn by chance or by length."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.records.untuned import untuned
from keras_bert.tasks.rows import Rows


def epoch_order(
    lengths: np.ndarray, *, batch_size: int, seed: int, epoch: int, length_pool: int = 1
) -> np.ndarray:
    """Returns the order of rows in an epoch, a function of `(seed, epoch)`.

    Rows are shuffled, sorted by length among those of `length_pool` batches, cut into batches, and
    the batches shuffled.

    Args:
        lengths: integers `(rows,)`.
        batch_size: int.
        seed: int.
        epoch: int.
        length_pool: int. 1 leaves the batches to chance.

    Returns:
        int64 `(rows,)`.

    References:
        - Reimers & Gurevych 2019, arXiv:1908.10084, section 7 (batches of like length).
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    pool = length_pool * batch_size
    pools = (order[start : start + pool] for start in range(0, len(order), pool))
    order = np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in pools])
    # The rows that fill no batch stay at the end, where the next epoch's join them.
    full = len(order) - len(order) % batch_size
    # (rows,) -> (batches, batch_size)
    batches = order[:full].reshape(-1, batch_size)
    return np.concatenate([random.permutation(batches).reshape(-1), order[full:]])


def batch_indices(
    lengths: np.ndarray,
    *,
    batch_size: int,
    seed: int,
    first_batch: int = 0,
    length_pool: int = 1,
) -> Iterator[np.ndarray]:
    """Yields the rows of each batch, int64 `(batch_size,)`, without end.

    Batches run across epochs, so that all are full.

    Args:
        lengths: integers `(rows,)`.
        batch_size: int.
        seed: int.
        first_batch: int. Batches to leave out at the beginning.
        length_pool: int. See `epoch_order`.
    """
    epoch, start = divmod(first_batch * batch_size, len(lengths))
    left = np.zeros(0, np.int64)
    while True:
        order = epoch_order(
            lengths, batch_size=batch_size, seed=seed, epoch=epoch, length_pool=length_pool
        )
        left = np.concatenate([left, order[start:]])
        full = len(left) - len(left) % batch_size
        # (rows,) -> (batches, batch_size)
        yield from left[:full].reshape(-1, batch_size)
        left, start, epoch = left[full:], 0, epoch + 1


def training_batches(
    rows: Rows,
    strategy: tf.distribute.Strategy,
    *,
    batch_size: int,
    seed: int,
    first_batch: int = 0,
    length_pool: int = 1,
) -> Any:
    """Returns the batches of a training run, without end, for `fit` under a strategy.

    Args:
        rows: `Rows` with targets.
        strategy: `tf.distribute.Strategy` of the model; each of its devices gets its part of each
            batch, padded to its own longest row.
        batch_size: int. Rows of a batch, on all devices together.
        seed: int.
        first_batch: int. Batches to leave out at the beginning.
        length_pool: int. See `epoch_order`.
    """
    replicas = strategy.num_replicas_in_sync

    def of_host(hosts: int = 1, host: int = 0) -> tf.data.Dataset:
        devices = replicas // hosts

        def indices() -> Iterator[np.ndarray]:
            for batch in batch_indices(
                rows.lengths,
                batch_size=batch_size,
                seed=seed,
                first_batch=first_batch,
                length_pool=length_pool,
            ):
                parts = np.array_split(batch, replicas)
                yield from parts[host * devices : (host + 1) * devices]

        dataset = tf.data.Dataset.from_generator(
            indices, output_signature=tf.TensorSpec([None], tf.int64)
        )
        dataset = dataset.map(rows.batch, num_parallel_calls=tf.data.AUTOTUNE)
        return untuned(dataset.prefetch(tf.data.AUTOTUNE))

    if replicas == 1:
        return of_host()
    return strategy.distribute_datasets_from_function(
        lambda context: of_host(context.num_input_pipelines, context.input_pipeline_id)
    )


def balanced_weights(rows: Rows, classes: int) -> Rows:
    """Returns rows whose weights make every class count the same; the mean weight is 1.

    Args:
        rows: `Rows` whose targets are classes of texts, int32 `(rows,)`.
        classes: int.

    Raises:
        InputError: If the targets are something else.
    """
    if not isinstance(rows.targets, tf.Tensor) or rows.targets.shape.rank != 1 or not classes:
        raise InputError("`--class-weights balanced` is for tasks with one class for each text")
    targets = rows.targets.numpy()
    counts = np.bincount(targets, minlength=classes)
    present = np.count_nonzero(counts)
    weights = len(targets) / (present * counts[targets])
    return dataclasses.replace(rows, weights=tf.constant(weights, tf.float32))
