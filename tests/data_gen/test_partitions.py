import dataclasses

import pytest

from data_gen.documents import Document
from data_gen.partitions import groups, partitions


@dataclasses.dataclass
class Sized:
    bytes: int


@pytest.mark.parametrize(
    ("sizes", "limit", "expected"),
    [
        ([5, 5, 5, 5], 10, [2, 2]),
        ([5, 5, 5, 5, 5], 10, [2, 3]),  # a single last document joins the one before
        ([50, 5, 5], 10, [3]),  # never one document alone
        ([5, 5], 1000, [2]),
        ([3, 3, 3, 3, 3, 3, 3], 6, [2, 2, 3]),
        ([50, 50, 1, 1, 1], 100, [5]),  # nor a small rest
        ([50, 50, 30, 30], 100, [2, 2]),
        ([7], 100, [1]),
    ],
)
def test_partitions(sizes, limit, expected):
    documents = [Document(["x" * size]) for size in sizes]
    parts = list(partitions(3, documents, limit))
    assert [len(part.documents) for part in parts] == expected
    assert [part.name for part in parts] == [f"00003-{i:05d}" for i in range(len(expected))]
    assert [document for part in parts for document in part.documents] == documents


def test_partition_size_counts_bytes():
    assert len(list(partitions(0, [Document(["你" * 4])] * 4, 24))) == 2


def test_groups_are_cut_by_size_and_keep_the_order():
    sources = [Sized(size) for size in (30, 30, 30, 100, 10, 10, 60, 5)]
    found = groups(sources, 10)
    assert [[source.bytes for source in group] for group in found] == [
        [30, 30, 30],
        [100],
        [10, 10, 60, 5],
    ]
    assert groups(sources[:1], 1000) == [sources[:1]]
    assert groups([], 10) == []


def test_the_text_and_its_units_are_the_fingerprint():
    def digest(*documents):
        (part,) = partitions(0, documents, 100)
        return part.sha256

    one = Document(["ab", "c"])
    digests = {
        digest(one),
        digest(Document(["a", "bc"])),
        digest(Document(["ab"]), Document(["c"])),
        digest(Document(["ab", "c"], units=[[(0, 1)], []])),
        digest(one, one),
    }
    assert len(digests) == 5
    assert digest(one) == digest(Document(["ab", "c"]))
