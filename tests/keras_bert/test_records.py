import json
import re

import pytest
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.records import (
    FIELDS,
    Manifest,
    encode_example,
    parse_examples,
    read_manifest,
    verify_example,
    verify_shards,
    write_manifest,
    write_shard,
)


def encode(token_ids, segment_ids, label, **others):
    fields = {"token_ids": token_ids, "segment_ids": segment_ids, "next_sentence_label": [label]}
    return encode_example({**fields, **others})


def manifest_of(vocabulary, shards, *, fields=FIELDS[:2], **others):
    return Manifest(
        **{"objective": "nsp", "sequence_length": 8, "max_predictions": None, **others},
        fields=fields,
        vocabulary_size=len(vocabulary),
        vocabulary_sha256=vocabulary.sha256,
        lowercase=True,
        settings={"seed": 1},
        statistics={},
        shards=tuple(shards),
    )


@pytest.fixture
def directory(tmp_path, vocabulary):
    shards = []
    for number in range(2):
        examples = [encode([2, 5 + i, 3, 7, 3], [0, 0, 0, 1, 1], i % 2) for i in range(6)]
        shards.append(write_shard(tmp_path / f"shard-{number:05d}.tfrecord", examples))
    vocabulary.save(tmp_path / "vocab.txt")
    fields = ("token_ids", "segment_ids", "next_sentence_label")
    manifest = manifest_of(vocabulary, shards, fields=fields)
    write_manifest(tmp_path, manifest)
    return tmp_path


def test_round_trip(directory):
    manifest = verify_shards(directory)
    assert manifest.examples == 12
    records = tf.data.TFRecordDataset(str(directory / "shard-00000.tfrecord")).batch(4)
    parsed = parse_examples(next(iter(records)), manifest)
    assert parsed["token_ids"].numpy()[1].tolist() == [2, 6, 3, 7, 3, 0, 0, 0]
    assert parsed["segment_ids"].numpy()[1].tolist() == [0, 0, 0, 1, 1, 0, 0, 0]
    assert parsed["padding_mask"].numpy().sum(axis=1).tolist() == [5] * 4
    assert parsed["next_sentence_label"].numpy().tolist() == [0, 1, 0, 1]


def test_every_field_is_parsed(vocabulary):
    row = {
        "token_ids": [2, 5, 6, 3, 2, 7, 3],
        "segment_ids": [0] * 7,
        "unit_starts": [1, 1, 0, 1, 1, 1, 1],
        "masked_positions": [2, 5],
        "masked_ids": [9, 8],
        "example_lengths": [4, 3],
    }
    other = {
        "token_ids": [2, 3],
        "segment_ids": [0, 0],
        "unit_starts": [1, 1],
        "masked_positions": [],
        "masked_ids": [],
        "example_lengths": [2],
    }
    manifest = manifest_of(vocabulary, (), fields=tuple(row), max_predictions=3)
    serialized = [encode_example(row), encode_example(other)]
    for record in serialized:
        verify_example(record, manifest, "here")
    parsed = {
        name: tensor.numpy().tolist()
        for name, tensor in parse_examples(tf.constant(serialized), manifest).items()
    }
    assert parsed["unit_starts"][0] == [True, True, False, True, True, True, True, False]
    assert parsed["masked_positions"] == [[2, 5, 0], [0, 0, 0]]
    assert parsed["masked_ids"] == [[9, 8, 0], [0, 0, 0]]
    assert parsed["masked_weights"] == [[1, 1, 0], [0, 0, 0]]
    assert parsed["position_ids"] == [[0, 1, 2, 3, 0, 1, 2, 0], [0, 1, 0, 0, 0, 0, 0, 0]]
    blocks = [0, 0, 0, 0, 1, 1, 1, None]
    expected = [[a == b and b is not None for b in blocks] for a in blocks]
    assert parsed["attention_mask"][0] == expected
    assert "next_sentence_label" not in parsed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unit_starts": [1, 1]}, "'unit_starts', 0 or 1, is expected"),
        ({"unit_starts": [1, 2, 1]}, "'unit_starts', 0 or 1, is expected"),
        ({"masked_positions": [3]}, r"masked positions must lie in 0..2. Received: 3..3"),
        ({"masked_positions": [1, 2]}, "Received: 2 and 1"),
        ({"masked_positions": [1, 2, 2], "masked_ids": [5, 5, 5]}, "at most 2"),
        ({"masked_ids": [10_000]}, "ids must lie"),
        ({"example_lengths": [2]}, "must sum to 3 tokens"),
        ({"example_lengths": [3, 0]}, "must sum to 3 tokens"),
        ({"example_lengths": []}, "must sum to 3 tokens"),
    ],
)
def test_every_field_is_checked(vocabulary, changes, message):
    fields = {
        "token_ids": [2, 5, 3],
        "segment_ids": [0, 0, 0],
        "unit_starts": [1, 1, 1],
        "masked_positions": [1],
        "masked_ids": [7],
        "example_lengths": [3],
    }
    manifest = manifest_of(vocabulary, (), fields=tuple(fields), max_predictions=2)
    verify_example(encode_example(fields), manifest, "here")
    with pytest.raises(InputError, match=f"^here: .*{message}"):
        verify_example(encode_example({**fields, **changes}), manifest, "here")


def replace_byte(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x40
    path.write_bytes(bytes(data))


# A record is its length, the length's checksum, the payload and the payload's checksum.
@pytest.mark.parametrize("offset", [0, 8, 20, -1], ids=["length", "length-crc", "payload", "crc"])
def test_a_changed_byte_is_found(directory, offset):
    replace_byte(directory / "shard-00001.tfrecord", offset)
    with pytest.raises(InputError, match=r"shard-00001.*SHA-256"):
        verify_shards(directory)


@pytest.mark.parametrize("kept", [0, 10, "a record"])
def test_truncation_is_found_when_opened(directory, kept):
    path = directory / "shard-00001.tfrecord"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 6 if kept == "a record" else kept])
    with pytest.raises(InputError, match=r"shard-00001.*bytes expected"):
        read_manifest(directory)


def test_missing_extra_and_swapped_shards(directory):
    first, second = (directory / f"shard-0000{n}.tfrecord" for n in range(2))
    extra = directory / "shard-00002.tfrecord"
    extra.write_bytes(first.read_bytes())
    with pytest.raises(InputError, match=r"shard-00002.*does not list"):
        read_manifest(directory)
    extra.unlink()
    write_shard(second, [encode([2, 9, 3, 8, 3], [0, 0, 0, 1, 1], 0) for _ in range(6)])
    with pytest.raises(InputError, match="shard-00001"):
        verify_shards(directory)
    second.unlink()
    with pytest.raises(InputError, match=r"shard-00001.*missing"):
        read_manifest(directory)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "unfinished"),
        ("{", "damaged"),
        ('{"format": "x"}', "not a manifest"),
        ("[]", "JSON object"),
    ],
)
def test_manifest_faults(directory, content, message):
    path = directory / "manifest.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_manifest(directory)


@pytest.mark.parametrize("name", ["../shard-00000.tfrecord", "/etc/hostname", None])
def test_shards_stand_in_their_directory(directory, name):
    path = directory / "manifest.json"
    values = json.loads(path.read_text())
    values["shards"][0]["name"] = name
    path.write_text(json.dumps(values))
    with pytest.raises(InputError, match=re.escape(repr(name))):
        read_manifest(directory)


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (encode([2, 10_000, 3], [0, 0, 0], 0), "ids must lie"),
        (encode([2, -1, 3], [0, 0, 0], 0), "ids must lie"),
        (encode([2] * 9, [0] * 9, 0), "1 to 8 tokens"),
        (encode([2, 5, 3], [0, 0], 0), "'segment_ids', 0 or 1, is expected"),
        (encode([2, 5, 3], [0, 0, 0], 2), "label must be 0 or 1"),
        (tf.train.Example().SerializeToString(), "token_ids"),
        (b"no example", "tf.train.Example"),
    ],
)
def test_wrong_examples_are_named(directory, example, message):
    good = encode([2, 5, 3, 7, 3], [0, 0, 0, 1, 1], 0)
    shard = write_shard(directory / "shard-00001.tfrecord", [good, example])
    values = json.loads((directory / "manifest.json").read_text())
    values["shards"][1] = vars(shard)
    (directory / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match=f"shard-00001.*example 1.*{message}"):
        verify_shards(directory)


def test_an_interrupted_shard_does_not_appear(tmp_path):
    def examples():
        yield encode([2, 3], [0, 0], 0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path / "shard-00000.tfrecord", examples())
    assert list(tmp_path.iterdir()) == []
