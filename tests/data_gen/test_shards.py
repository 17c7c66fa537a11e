import functools
from typing import get_args

import pytest
import tensorflow as tf

from data_gen.documents import Document
from data_gen.options import Objective, PretrainingDataOptions
from data_gen.partitions import Partition
from data_gen.shards import OBJECTIVES, UNFINISHED, build_shard
from data_gen.statistics import summary
from keras_bert.text.vocabulary import Vocabulary

DOCUMENTS = [
    Document(["The cat ran. The dog ran away.", "What did they see?"]),
    Document(["He said no. She said yes."]),
    Document(["Look at the water. It is long."]),
]


def records(path):
    return list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())


@pytest.fixture
def build(vocabulary, tmp_path):
    def build(documents, place="shards", name="00000-00007", vocabulary=vocabulary, **changes):
        options = PretrainingDataOptions(
            "unused", "unused", "unused", **{"sequence_length": 16, **changes}
        )
        return build_shard(
            Partition(name, documents), options, vocabulary=vocabulary, directory=tmp_path / place
        )

    return build


def test_the_command_line_offers_every_objective():
    assert get_args(Objective) == tuple(OBJECTIVES)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_build_shard(build, tmp_path, objective):
    result = build(DOCUMENTS, objective=objective)
    shard, counts = result.shard, result.counts
    assert shard.name == "shard-00000-00007.tfrecord"
    path = tmp_path / "shards" / shard.name
    assert shard.examples == counts["examples"] == len(records(path)) > 0
    assert shard.bytes == path.stat().st_size
    assert (counts["documents"], counts["sentences"]) == (3, 7)
    found = summary(counts, objective=objective, sequence_length=16, packed=False, masked=False)
    assert found["fill_rate"] == pytest.approx(found["tokens_per_example"] / 16)
    assert 0 < found["fill_rate"] <= 1
    assert ("random_next_rate" in found) == (objective == "nsp")
    assert ("swapped_rate" in found) == (objective == "sop")


def test_name_and_seed_of_a_partition_decide_its_examples(build):
    def digest(place, *arguments, **changes):
        return build(DOCUMENTS * 5, place, *arguments, **changes).shard.sha256

    assert digest("a") == digest("b")
    assert len({digest("c"), digest("d", "00000-00001"), digest("e", seed=1)}) == 3


def test_duplicates_are_other_pairs(build, tmp_path):
    once = build(DOCUMENTS * 10, "1").shard
    many = build(DOCUMENTS * 10, "4", duplicates=4).shard
    assert 3 < many.examples / once.examples < 5
    distinct = [len(set(records(tmp_path / place / many.name))) for place in ("1", "4")]
    assert distinct[1] > 1.5 * distinct[0]


def test_duplicates_have_other_static_masks(build, tmp_path):
    made = functools.partial(build, DOCUMENTS, objective="single_sequence", duplicates=20)
    plain, masked = made("plain").shard, made("masked", static_masks=True)
    assert len(set(records(tmp_path / "plain" / plain.name))) == 3
    assert len(set(records(tmp_path / "masked" / masked.shard.name))) > 30
    assert masked.counts["masked_tokens"] >= masked.counts["examples"]


def test_tokenizer_follows_the_vocabulary(build, vocabulary):
    """A vocabulary learnt again under the same name must not meet an earlier tokenizer."""
    other = Vocabulary((*vocabulary.tokens[:5], *reversed(vocabulary.tokens[5:])))
    first = build(DOCUMENTS, "1").shard
    second = build(DOCUMENTS, "2", vocabulary=other).shard
    assert first.sha256 != second.sha256


def test_packing_fills_rows(build):
    made = functools.partial(
        build, DOCUMENTS * 20, objective="document_sentences", sequence_length=40
    )
    plain, packed = made("1"), made("2", packed=True)
    assert packed.counts["cut_examples"] == plain.counts["examples"]
    assert packed.counts["example_tokens"] == plain.counts["example_tokens"]
    assert packed.counts["examples"] < plain.counts["examples"]


@pytest.mark.parametrize(
    ("documents", "objective"),
    [
        ([Document(["the cat."]), Document(["\u200b"])], "nsp"),
        ([Document(["the cat."])], "sop"),
        ([Document(["\u200b"])], "full_sentences"),
    ],
)
def test_too_few_documents_with_tokens_give_no_shard(build, tmp_path, documents, objective):
    result = build(documents, objective=objective)
    assert result.shard is None
    assert not list((tmp_path / "shards").glob("*.tfrecord"))


def test_what_stands_is_not_made_again(build, tmp_path, monkeypatch):
    first = build(DOCUMENTS)
    path = tmp_path / "shards" / first.shard.name
    before = path.stat().st_mtime_ns
    assert build(DOCUMENTS) == first
    assert path.stat().st_mtime_ns == before
    # Other text, other options, a damaged shard or a damaged note are made anew.
    other = build(DOCUMENTS[:2])
    assert other != first
    assert build(DOCUMENTS, seed=5) != first
    assert build(DOCUMENTS) == first
    path.write_bytes(path.read_bytes()[:-1])
    assert build(DOCUMENTS) == first
    assert path.stat().st_size == first.shard.bytes
    (note,) = (tmp_path / "shards" / UNFINISHED).iterdir()
    note.write_text("{")
    assert build(DOCUMENTS) == first
