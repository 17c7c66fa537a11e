import numpy as np
import pytest

from keras_bert.records import Manifest, encode_example, write_manifest, write_shard
from keras_bert.text.masking import MaskedLMMasker
from keras_bert.training.pipeline import pretraining_dataset


@pytest.fixture(scope="module")
def shards(tmp_path_factory, vocabulary):
    """Three shards of 7 examples; the first token after [CLS] numbers the example."""
    directory = tmp_path_factory.mktemp("shards")
    written = []
    for number in range(3):
        examples = []
        for index in range(7):
            ids = [vocabulary.start_id, 10 + 7 * number + index, *range(40, 60)]
            ids = [*ids, vocabulary.end_id, 60, 61, vocabulary.end_id]
            examples.append(encode_example(ids, [0] * 23 + [1] * 3, index % 2))
        written.append(write_shard(directory / f"shard-{number:05d}.tfrecord", examples))
    vocabulary.save(directory / "vocab.txt")
    manifest = Manifest("nsp", 32, len(vocabulary), vocabulary.sha256, True, {}, {}, tuple(written))
    write_manifest(directory, manifest)
    return directory, manifest


def batches(shards, vocabulary, count=None, **options):
    directory, manifest = shards
    options = {"batch_size": 7, "seed": 1, **options}
    masker = MaskedLMMasker(vocabulary, 5, mask_token_rate=0.0, random_token_rate=0.0)
    dataset = pretraining_dataset(directory, manifest, masker, **options)
    return list((dataset if count is None else dataset.take(count)).as_numpy_iterator())


def numbers(batch):
    """Which examples stand in a batch; the masker above changes no token."""
    return batch[0]["token_ids"][:, 1].tolist()


def test_every_example_once_in_an_epoch(shards, vocabulary):
    found = [n for batch in batches(shards, vocabulary, epochs=1) for n in numbers(batch)]
    assert sorted(found) == list(range(10, 31))


def test_batches_run_across_epochs(shards, vocabulary):
    found = [n for b in batches(shards, vocabulary, batch_size=4, epochs=4) for n in numbers(b)]
    assert sorted(found) == sorted(list(range(10, 31)) * 4)


def test_order_and_masks_are_functions_of_the_seed(shards, vocabulary):
    first, second = (batches(shards, vocabulary, 9) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        for part, twin in zip(one, other, strict=True):
            for name in part:
                np.testing.assert_array_equal(part[name], twin[name])
    other = batches(shards, vocabulary, 9, seed=2)
    assert [numbers(b) for b in other] != [numbers(b) for b in first]


@pytest.mark.parametrize("global_seed", [0, 1])
def test_global_seed_changes_nothing(shards, vocabulary, global_seed):
    import keras

    expected = [numbers(batch) for batch in batches(shards, vocabulary, 5)]
    keras.utils.set_random_seed(global_seed)
    assert [numbers(batch) for batch in batches(shards, vocabulary, 5)] == expected


def test_windows_of_a_small_buffer(shards, vocabulary):
    options = {"shuffle_buffer": 5, "epochs": 1}
    found = [numbers(batch) for batch in batches(shards, vocabulary, **options)]
    assert sorted(n for batch in found for n in batch) == list(range(10, 31))


def test_epochs_differ_in_order_and_masks(shards, vocabulary):
    found = batches(shards, vocabulary, 6)
    orders = [[n for b in found[i : i + 3] for n in numbers(b)] for i in (0, 3)]
    assert orders[0] != orders[1]
    masks = [
        {
            n: tuple(p)
            for b in found[i : i + 3]
            for n, p in zip(numbers(b), b[0]["masked_positions"], strict=True)
        }
        for i in (0, 3)
    ]
    differing = sum(masks[0][n] != masks[1][n] for n in masks[0])
    assert differing > 15


def test_masks_do_not_depend_on_the_batch_size(shards, vocabulary):
    by_size = [
        {
            n: tuple(p)
            for b in batches(shards, vocabulary, batch_size=size, epochs=1)
            for n, p in zip(numbers(b), b[0]["masked_positions"], strict=True)
        }
        for size in (3, 7)
    ]
    assert by_size[0] == by_size[1]


def test_features_targets_and_weights(shards, vocabulary):
    features, targets, weights = batches(shards, vocabulary, 1)[0]
    assert {n: (a.shape, str(a.dtype)) for n, a in features.items()} == {
        "token_ids": ((7, 32), "int32"),
        "segment_ids": ((7, 32), "int32"),
        "padding_mask": ((7, 32), "bool"),
        "masked_positions": ((7, 5), "int32"),
    }
    ids = np.take_along_axis(features["token_ids"], features["masked_positions"], 1)
    used = weights["masked_lm_logits"] > 0
    np.testing.assert_array_equal(targets["masked_lm_logits"][used], ids[used])
    assert used.sum() == 7 * round(26 * 0.15)
    assert set(targets["next_sentence_logits"]) <= {0, 1}
