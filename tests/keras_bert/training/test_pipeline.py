import numpy as np
import pytest
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.records import Manifest, encode_example, write_shard
from keras_bert.text.masking import MaskedLMMasker
from keras_bert.training.example_streams import ExampleStreams
from keras_bert.training.pipeline import pretraining_dataset
from tests.keras_bert.training.stopping import finish_shards


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
            fields = {"token_ids": ids, "segment_ids": [0] * 23 + [1] * 3}
            examples.append(encode_example({**fields, "next_sentence_label": [index % 2]}))
        written.append(write_shard(directory / f"shard-{number:05d}.tfrecord", examples))
    return directory, finish_shards(directory, vocabulary, written, length=32)


def dataset_of(shards, vocabulary, **options):
    directory, manifest = shards
    options = {"batch_size": 7, "seed": 1, **options}
    masker = MaskedLMMasker(vocabulary, 5, mask_token_rate=0.0, random_token_rate=0.0)
    return pretraining_dataset(directory, manifest, masker, **options)


def batches(shards, vocabulary, count=None, **options):
    dataset = dataset_of(shards, vocabulary, **options)
    return list((dataset if count is None else dataset.take(count)).as_numpy_iterator())


def numbers(batch):
    """Which examples stand in a batch; the masker above changes no token."""
    return batch[0]["token_ids"][:, 1].tolist()


def masks_by_number(batch):
    positions = map(tuple, batch[0]["masked_positions"])
    return list(zip(numbers(batch), positions, strict=True))


def test_every_example_once_in_an_epoch(shards, vocabulary):
    found = [n for batch in batches(shards, vocabulary, epochs=1) for n in numbers(batch)]
    assert sorted(found) == list(range(10, 31))


def test_no_tuner_holds_up_the_end(shards, vocabulary):
    assert dataset_of(shards, vocabulary).options().autotune.enabled is False


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


def one_batch(tmp_path, vocabulary, rows, *, objective="single_sequence", masker=None, **settings):
    """The features, targets and weights of rows in their order."""
    shard = write_shard(tmp_path / "shard-00000.tfrecord", map(encode_example, rows))
    manifest = Manifest(
        **{"sequence_length": 10, "max_predictions": None, **settings},
        objective=objective,
        fields=tuple(rows[0]),
        vocabulary_size=len(vocabulary),
        vocabulary_sha256=vocabulary.sha256,
        lowercase=True,
        settings={},
        statistics={},
        shards=(shard,),
    )
    dataset = pretraining_dataset(
        tmp_path, manifest, masker, batch_size=len(rows), seed=1, shuffle_buffer=0
    )
    return next(iter(dataset))


def packed_row(vocabulary, *lengths):
    start, end = vocabulary.start_id, vocabulary.end_id
    ids = [[start, *range(20, 18 + length), end] for length in lengths]
    ids = [token for part in ids for token in part]
    return {"token_ids": ids, "segment_ids": [0] * len(ids), "example_lengths": list(lengths)}


def test_left_to_right_predicts_each_next_token(vocabulary, tmp_path):
    rows = [packed_row(vocabulary, 4, 5), packed_row(vocabulary, 3)]
    features, targets, weights = one_batch(tmp_path, vocabulary, rows, objective="left_to_right")
    ids = features["token_ids"].numpy()
    real = weights["masked_lm_logits"].numpy() > 0
    # No token predicts the first one of another example, or padding.
    assert real.tolist() == [
        [True, True, True, False, True, True, True, True, False],
        [True, True, *[False] * 7],
    ]
    np.testing.assert_array_equal(targets["masked_lm_logits"].numpy()[real], ids[:, 1:][real])
    np.testing.assert_array_equal(features["masked_positions"], [range(9)] * 2)
    assert "next_sentence_logits" not in targets
    mask = features["attention_mask"].numpy()
    assert mask[0, 6].tolist() == [False] * 4 + [True] * 3 + [False] * 3
    assert not np.triu(mask, 1).any()


def test_a_left_to_right_model_does_not_see_what_it_predicts(vocabulary, tmp_path, tiny_config):
    rows = [packed_row(vocabulary, 9), packed_row(vocabulary, 4, 5)]
    features, _, _ = one_batch(tmp_path, vocabulary, rows, objective="left_to_right")
    model = BertPretrainer(tiny_config, next_sentence=False)

    def logits(token_ids):
        return model({**features, "token_ids": token_ids})["masked_lm_logits"].numpy()

    before = logits(features["token_ids"])
    changed = features["token_ids"].numpy()
    changed[:, 6] = 70
    after = logits(changed)
    np.testing.assert_allclose(after[:, :6], before[:, :6], atol=1e-5)
    assert np.abs(after[:, 6:8] - before[:, 6:8]).max() > 1e-3
    # What stands in another example of the row is not seen either.
    changed = features["token_ids"].numpy()
    changed[1, 1] = 70
    np.testing.assert_allclose(logits(changed)[1, 4:8], before[1, 4:8], atol=1e-5)


def test_packed_examples_are_what_they_are_alone(vocabulary, tmp_path, tiny_config):
    rows = [packed_row(vocabulary, 4, 6), packed_row(vocabulary, 4), packed_row(vocabulary, 6)]
    masker = MaskedLMMasker(vocabulary, 2)
    features, _, _ = one_batch(tmp_path, vocabulary, rows, masker=masker)
    encoder = BertPretrainer(tiny_config, next_sentence=False).encoder
    token_ids = features["token_ids"].numpy()
    token_ids[0, :4], token_ids[0, 4:] = token_ids[1, :4], token_ids[2, :6]  # the same masks
    output = encoder({**features, "token_ids": token_ids})["sequence_output"].numpy()
    np.testing.assert_allclose(output[0, :4], output[1, :4], atol=1e-5)
    np.testing.assert_allclose(output[0, 4:10], output[2, :6], atol=1e-5)


def test_masks_drawn_beforehand_are_kept(vocabulary, tmp_path):
    row = {
        "token_ids": [vocabulary.start_id, vocabulary.mask_id, 21, vocabulary.end_id],
        "segment_ids": [0, 0, 0, 0],
        "masked_positions": [1],
        "masked_ids": [30],
    }
    features, targets, weights = one_batch(tmp_path, vocabulary, [row], max_predictions=2)
    assert features["token_ids"].numpy()[0, :4].tolist() == row["token_ids"]
    assert features["masked_positions"].numpy().tolist() == [[1, 0]]
    assert targets["masked_lm_logits"].numpy().tolist() == [[30, 0]]
    assert weights["masked_lm_logits"].numpy().tolist() == [[1, 0]]


@pytest.mark.parametrize(("batch_size", "hosts"), [(8, 4), (7, 2)])
def test_hosts_share_the_batches_of_one(shards, vocabulary, batch_size, hosts):
    options = {"batch_size": batch_size, "epochs": 3}
    whole = batches(shards, vocabulary, **options)
    parts = [
        batches(shards, vocabulary, hosts=hosts, host=host, **options) for host in range(hosts)
    ]
    for batch, *shares in zip(whole, *parts, strict=True):
        rows = dict(masks_by_number(batch))
        shared = [pair for share in shares for pair in masks_by_number(share)]
        assert len(shared) == batch_size
        assert sorted(n for n, _ in shared) == sorted(numbers(batch))
        assert dict(shared) == rows
        assert max(map(len, map(numbers, shares))) - min(map(len, map(numbers, shares))) <= 1
    assert len(whole) == 63 // batch_size


@pytest.mark.parametrize("batch_size", [7, 8])
def test_no_example_twice_in_an_epoch(shards, vocabulary, batch_size):
    directory, manifest = shards
    streams = ExampleStreams(
        directory, manifest, batch_size=batch_size, seed=1, shuffle_buffer=6, epochs=8
    )
    seen = {}
    for epoch, index, _ in streams.of_host().as_numpy_iterator():
        for pair in zip(epoch.tolist(), index.tolist(), strict=True):
            seen[pair] = seen.get(pair, 0) + 1
    assert set(seen.values()) == {1}
    assert len(seen) == 8 * 21 // batch_size * batch_size
    assert {e: sum(k[0] == e for k in seen) for e in range(7)} == dict.fromkeys(range(7), 21)


def test_a_host_reads_its_own_share(shards, vocabulary):
    """Two hosts of two: each reads half of the examples, and none of the other's."""
    directory, manifest = shards
    streams = ExampleStreams(directory, manifest, batch_size=6, seed=1, shuffle_buffer=6, epochs=2)
    assert streams.streams == 2
    found = [
        {
            pair
            for epoch, index, _ in streams.of_host(host, 2).as_numpy_iterator()
            for pair in zip(epoch.tolist(), index.tolist(), strict=True)
        }
        for host in range(2)
    ]
    assert not found[0] & found[1]
    assert len(found[0]) == len(found[1]) == 21


def test_wrong_hosts(shards, vocabulary):
    with pytest.raises(InputError, match="hosts=2, host=2, batch_size=7"):
        batches(shards, vocabulary, hosts=2, host=2)


@pytest.mark.parametrize(
    "options",
    [pytest.param({}, marks=pytest.mark.slow), {"shuffle_buffer": 5}, {"shuffle_buffer": 0}],
)
def test_any_batch_can_be_the_first(shards, vocabulary, options):
    options = {"batch_size": 4, **options}
    whole = batches(shards, vocabulary, 14, **options)
    for start in (1, 6, 11):  # In the first epoch, the second and the third.
        found = batches(shards, vocabulary, 2, first_batch=start, **options)
        for batch, expected in zip(found, whole[start:], strict=False):
            tf.nest.map_structure(np.testing.assert_array_equal, batch, expected)
    assert len(batches(shards, vocabulary, epochs=2, first_batch=9, **options)) == 1
    assert not batches(shards, vocabulary, epochs=2, first_batch=30, **options)


def test_devices_share_the_batch_of_a_host(shards, vocabulary):
    for hosts, host, devices in ((1, 0, 2), (1, 0, 3), (2, 1, 2)):
        options = {"batch_size": 8, "hosts": hosts, "host": host}
        whole = batches(shards, vocabulary, count=4, **options)
        parts = batches(shards, vocabulary, count=4 * devices, devices=devices, **options)
        for place, batch in enumerate(whole):
            own = parts[place * devices : (place + 1) * devices]
            assert [row for part in own for row in masks_by_number(part)] == masks_by_number(batch)


@pytest.mark.slow
def test_reading_is_silent(shards, vocabulary, capfd):
    """TensorFlow complains of slices that are cut again, on the terminal of a progress bar."""
    batches(shards, vocabulary, count=6, batch_size=8)
    batches(shards, vocabulary, count=6, batch_size=8, devices=2, first_batch=2)
    batches(shards, vocabulary, count=6, batch_size=8, hosts=2)
    batches(shards, vocabulary, count=2, batch_size=8, shuffle_buffer=0)
    captured = capfd.readouterr()
    assert captured.err == captured.out == ""
