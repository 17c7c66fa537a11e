import random

from data_gen.examples import Example
from data_gen.packing import pack


def make(lengths):
    return [Example(((0, length - 2),)) for length in lengths]


def test_rows_hold_every_example_and_not_too_much():
    rng = random.Random(0)
    examples = make([rng.randint(3, 64) for _ in range(2000)])
    rows = pack(examples, 64)
    assert sorted(e.length for row in rows for e in row) == sorted(e.length for e in examples)
    filled = [sum(example.length for example in row) for row in rows]
    assert max(filled) <= 64
    # No two rows could be joined, and hardly a place is empty.
    assert sum(sorted(filled)[:2]) > 64
    assert sum(filled) / len(filled) > 0.98 * 64


def test_best_fit():
    rows = pack(make([10, 6, 5, 4, 3]), 14)
    assert [[example.length for example in row] for row in rows] == [[10, 4], [6, 5, 3]]


def test_nothing_to_pack():
    assert pack([], 16) == []
    assert [len(row) for row in pack(make([16, 16]), 16)] == [1, 1]
