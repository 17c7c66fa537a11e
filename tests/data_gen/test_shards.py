import dataclasses

import pytest
import tensorflow as tf

from data_gen.options import PretrainingDataOptions
from data_gen.shards import Partition, Statistics, build_shard, partitions, tokenize
from keras_bert.errors import InputError
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import Vocabulary

DOCUMENTS = [
    ["The cat ran. The dog ran away.", "What did they see?"],
    ["He said no. She said yes."],
    ["Look at the water. It is long."],
]


def options(**changes):
    return PretrainingDataOptions(
        "unused", "unused", "unused", **{"sequence_length": 16, **changes}
    )


def records(path):
    return list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())


@pytest.mark.parametrize(
    ("sizes", "limit", "expected"),
    [
        ([5, 5, 5, 5], 10, [2, 2]),
        ([5, 5, 5, 5, 5], 10, [2, 3]),  # a single last document joins the one before
        ([50, 5, 5], 10, [3]),  # never one document alone
        ([5, 5], 1000, [2]),
        ([3, 3, 3, 3, 3, 3, 3], 6, [2, 2, 3]),
    ],
)
def test_partitions(sizes, limit, expected):
    documents = [["x" * size] for size in sizes]
    parts = list(partitions(documents, limit))
    assert [len(part.documents) for part in parts] == expected
    assert [part.index for part in parts] == list(range(len(expected)))
    assert [document for part in parts for document in part.documents] == documents


def test_partition_size_counts_bytes():
    assert len(list(partitions([["你" * 4]] * 4, 24))) == 2


def test_one_document_is_not_enough():
    with pytest.raises(InputError, match=r"at least two documents.*Received: 1"):
        list(partitions([["alone"]], 10))


def test_tokenize_keeps_paragraphs_apart_and_drops_the_empty(vocabulary):
    tokenizer = BertTokenizer(vocabulary, lowercase=True)
    documents = [["the cat", "ran away"], ["\u200b \u00ad"], ["你 the"]]
    tokenized, statistics = tokenize(documents, tokenizer, "en")
    text = [[vocabulary.to_text(sentence) for sentence in document] for document in tokenized]
    assert text == [["the cat", "ran away"], ["你 the"]]
    assert (statistics.documents, statistics.sentences, statistics.tokens) == (2, 3, 6)


def test_unknown_tokens_are_counted(vocabulary):
    tokenizer = BertTokenizer(vocabulary, lowercase=True)
    _, statistics = tokenize([["the ☃ cat ☂."]], tokenizer, "en")
    assert (statistics.tokens, statistics.unknown_tokens) == (5, 2)


def test_build_shard(vocabulary, tmp_path):
    shard, statistics = build_shard(
        Partition(7, DOCUMENTS), options(), vocabulary=vocabulary, directory=tmp_path
    )
    assert shard.name == "shard-00007.tfrecord"
    assert shard.examples == statistics.examples == len(records(tmp_path / shard.name)) > 0
    assert statistics.documents == 3
    summary = statistics.summary(16)
    assert summary["fill_rate"] == pytest.approx(summary["tokens_per_example"] / 16)
    assert 0 < summary["fill_rate"] <= 1


def test_number_and_seed_of_a_partition_decide_its_pairs(vocabulary, tmp_path):
    def digest(index, **changes):
        directory = tmp_path / f"{index}-{changes}"
        part = Partition(index, DOCUMENTS * 5)
        shard, _ = build_shard(part, options(**changes), vocabulary=vocabulary, directory=directory)
        return shard.sha256

    assert digest(0) == digest(0)
    assert len({digest(0), digest(1), digest(0, seed=1)}) == 3


def test_duplicates_are_other_pairs(vocabulary, tmp_path):
    part = Partition(0, DOCUMENTS * 10)
    once, _ = build_shard(part, options(), vocabulary=vocabulary, directory=tmp_path / "1")
    many, _ = build_shard(
        part, options(duplicates=4), vocabulary=vocabulary, directory=tmp_path / "4"
    )
    assert 3 < many.examples / once.examples < 5
    assert len(set(records(tmp_path / "4" / many.name))) > 1.5 * once.examples


def test_tokenizer_follows_the_vocabulary(vocabulary, tmp_path):
    """A vocabulary learnt again under the same name must not meet an earlier tokenizer."""
    part = Partition(0, DOCUMENTS)
    other = Vocabulary((*vocabulary.tokens[:5], *reversed(vocabulary.tokens[5:])))
    first, _ = build_shard(part, options(), vocabulary=vocabulary, directory=tmp_path / "1")
    second, _ = build_shard(part, options(), vocabulary=other, directory=tmp_path / "2")
    assert first.sha256 != second.sha256


def test_too_few_documents_with_tokens_give_no_example(vocabulary, tmp_path):
    shard, statistics = build_shard(
        Partition(0, [["the cat."], ["\u200b"]]),
        options(),
        vocabulary=vocabulary,
        directory=tmp_path,
    )
    assert shard.examples == statistics.examples == 0


def test_statistics_add_up():
    ones = Statistics(*[1] * len(dataclasses.fields(Statistics)))
    assert set(dataclasses.astuple(ones + ones)) == {2}
    assert Statistics().summary(128)["fill_rate"] == 0
