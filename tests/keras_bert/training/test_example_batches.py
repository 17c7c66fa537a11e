import dataclasses
import itertools
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.tasks.rows import Rows
from keras_bert.training.example_batches import (
    balanced_weights,
    batch_indices,
    epoch_order,
    training_batches,
)
from keras_bert.training.input_meter import InputMeter

LENGTHS = np.random.default_rng(0).integers(3, 60, 1000)


def batches(count, **options):
    return list(itertools.islice(batch_indices(LENGTHS, batch_size=32, seed=7, **options), count))


def test_every_row_once_in_each_epoch():
    stream = np.concatenate(batches(125))  # 4,000 rows
    for epoch in range(4):
        part = stream[epoch * 1000 : (epoch + 1) * 1000]
        assert sorted(part) == list(range(1000))
    assert stream[:1000].tolist() != stream[1000:2000].tolist()


def test_all_batches_are_full_and_can_be_taken_up_anywhere():
    whole = batches(100)
    assert {len(batch) for batch in whole} == {32}
    for start in (1, 31, 32, 62, 63, 99):
        rest = batches(100 - start, first_batch=start)
        np.testing.assert_array_equal(rest, whole[start:])


def test_fewer_rows_than_a_batch_holds():
    stream = batch_indices(np.array([4, 5, 6]), batch_size=8, seed=0)
    first, second, third = itertools.islice(stream, 3)
    assert Counter(np.concatenate([first, second, third]).tolist()) == {0: 8, 1: 8, 2: 8}


def test_rows_of_like_length_share_a_batch():
    def padding(order):
        # (1000,) -> (31, 32)
        lengths = LENGTHS[order[:992]].reshape(31, 32)
        return 1 - lengths.sum() / (lengths.max(axis=1) * 32).sum()

    plain, order = (
        epoch_order(LENGTHS, batch_size=32, seed=0, epoch=0, length_pool=pool) for pool in (1, 50)
    )
    assert padding(order) < 0.1 < 0.4 < padding(plain)
    # The batches themselves come in no order.
    longest = LENGTHS[order[:992]].reshape(31, 32).max(axis=1)
    assert (np.diff(longest) < 0).sum() > 8


@pytest.fixture
def rows():
    ids = tf.ragged.range(2, 2 + LENGTHS[:40])
    return Rows(
        {"token_ids": ids, "segment_ids": tf.zeros_like(ids)},
        example=np.arange(40),
        sequence_length=64,
        pad_id=0,
        targets=tf.range(40),
    )


def test_batches_hold_the_rows(rows):
    strategy = tf.distribute.get_strategy()
    options = {"batch_size": 8, "seed": 3, "first_batch": 2, "length_pool": 3}
    dataset = training_batches(rows, strategy, **options)
    expected = batch_indices(rows.lengths, **options)
    for (features, targets), indices in itertools.islice(zip(dataset, expected, strict=False), 6):
        assert targets.numpy().tolist() == indices.tolist()
        assert features["padding_mask"].numpy().sum(axis=1).tolist() == LENGTHS[indices].tolist()
        longest = max(LENGTHS[indices])
        assert features["token_ids"].shape == (8, min(-(-longest // 16) * 16, 64))


def test_no_tuner_holds_up_the_end(rows):
    dataset = training_batches(rows, tf.distribute.get_strategy(), batch_size=8, seed=3)
    # As training has it.
    assert InputMeter().watch(dataset).options().autotune.enabled is False


def test_devices_share_each_batch(rows):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    one = next(iter(training_batches(rows, strategy, batch_size=8, seed=3)))

    class TwoHosts:
        num_replicas_in_sync = 4

        @staticmethod
        def distribute_datasets_from_function(function):
            contexts = (tf.distribute.InputContext(2, host, 4) for host in (0, 1))
            return [function(context) for context in contexts]

    hosts = training_batches(rows, TwoHosts, batch_size=8, seed=3)
    parts = [batch[1].numpy() for host in hosts for batch in host.take(2)]
    assert {len(part) for part in parts} == {2}
    np.testing.assert_array_equal(np.concatenate(parts), one[1])


def test_balanced_classes(rows):
    targets = tf.constant([0] * 30 + [2] * 10)
    weights = balanced_weights(dataclasses.replace(rows, targets=targets), 3).weights.numpy()
    assert weights[:30].sum() == pytest.approx(weights[30:].sum())
    assert weights.mean() == pytest.approx(1)
    with pytest.raises(InputError, match="--class-weights balanced"):
        balanced_weights(dataclasses.replace(rows, targets=tf.zeros([40, 1])), 3)
