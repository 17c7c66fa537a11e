import random

import pytest

from data_gen.pairs import NextSentencePairs, SentenceOrderPairs, trim
from tests.data_gen.text import END, START, document_of, examples_of, is_run, make_documents


def segments(fields):
    """Returns both segments after a check of the frame around them."""
    ids, split = fields["token_ids"], fields["segment_ids"].index(1)
    assert ids[0] == START
    assert ids[split - 1] == ids[-1] == END
    assert fields["segment_ids"] == [0] * split + [1] * (len(ids) - split)
    return ids[1 : split - 1], ids[split:-1]


def make(documents, *, kind=NextSentencePairs, sequence_length=64, short=0.1, seed=0):
    """Each example as its label and its two segments."""
    found = examples_of(kind(sequence_length, short), documents, seed)
    for example, fields in found:
        assert fields["next_sentence_label"] == [example.label]
        assert example.length == len(fields["token_ids"]) <= sequence_length
    return [(example.label, *segments(fields)) for example, fields in found]


@pytest.mark.parametrize("sequence_length", [5, 16, 128])
@pytest.mark.parametrize("length", [(1, 1), (3, 9), (1, 300)])
def test_next_sentence_examples_are_whole_and_labelled_right(sequence_length, length):
    documents = make_documents(30, 40, length=length)
    owner = document_of(documents)
    examples = make(documents, sequence_length=sequence_length)
    assert len(examples) >= 30
    for label, first, second in examples:
        # Each segment is consecutive text of one document.
        for segment in (first, second):
            assert is_run(segment)
            assert owner(segment[0]) == owner(segment[-1])
        assert (owner(first[0]) == owner(second[0])) == (label == 0)


@pytest.mark.parametrize("sequence_length", [5, 16, 128])
@pytest.mark.parametrize("length", [(1, 1), (3, 9), (1, 300)])
def test_sentence_order_examples_are_whole_and_labelled_right(sequence_length, length):
    documents = make_documents(30, 40, length=length)
    owner = document_of(documents)
    for label, first, second in make(
        documents, kind=SentenceOrderPairs, sequence_length=sequence_length
    ):
        assert is_run(first)
        assert is_run(second)
        if owner(first[0]) == owner(second[0]):
            assert (first[0] < second[0]) == (label == 0)
        else:  # a chunk of one sentence
            assert label == 1


@pytest.mark.parametrize("kind", [NextSentencePairs, SentenceOrderPairs])
def test_next_really_follows(kind):
    # Nothing is cut where the longest pair fits: target 61 and a last sentence of up to 9 tokens.
    examples = make(make_documents(30, 40), kind=kind, sequence_length=200, short=1.0)
    followed = [
        second[0] == first[-1] + 1
        for label, first, second in examples
        if label == 0 and len(first) + len(second) < 190
    ]
    assert len(followed) > 20
    assert all(followed)


def test_swapped_segments_are_neighbours():
    documents = make_documents(30, 400)
    owner = document_of(documents)
    neighbours = [
        first[0] - second[-1]
        for label, first, second in make(documents, kind=SentenceOrderPairs, short=0.0)
        if label == 1 and owner(first[0]) == owner(second[0])
    ]
    # Trimming may part them by the few tokens that were too many.
    assert len(neighbours) > 100
    assert all(1 <= gap < 12 for gap in neighbours)


@pytest.mark.parametrize("kind", [NextSentencePairs, SentenceOrderPairs])
def test_half_of_the_labels_are_one(kind):
    # Chunks of one sentence are rare: sentences are short against the target.
    examples = make(make_documents(100, 200), kind=kind, sequence_length=128, short=0.0)
    share = sum(label for label, _, _ in examples) / len(examples)
    assert len(examples) > 500
    assert abs(share - 0.5) < 0.06


@pytest.mark.parametrize("kind", [NextSentencePairs, SentenceOrderPairs])
def test_single_sentence_always_gets_a_random_partner(kind):
    documents = make_documents(50, 1)
    owner = document_of(documents)
    examples = make(documents, kind=kind)
    assert len(examples) == 50
    assert all(label == 1 for label, _, _ in examples)
    assert all(owner(first[0]) != owner(second[0]) for _, first, second in examples)


def test_unused_sentences_are_put_back():
    # Nothing is trimmed when the first segments and true second segments must cover everything.
    documents = make_documents(20, 30, length=(2, 4))
    used = []
    for label, first, second in make(documents, sequence_length=400, short=0.0, seed=3):
        used += first
        if label == 0:
            used += second
    assert sorted(used) == (documents.token_ids).tolist()  # all, and each once


def test_random_segment_reaches_the_target_without_more():
    examples = make(make_documents(40, 60, length=(5, 5)), sequence_length=53, short=0.0)
    for label, first, second in examples:
        if label == 1 and len(second) > 5:
            # One sentence less would have been too short.
            assert len(first) + len(second) < 50 + 5


def _trimmed_one_by_one(first, second, budget):
    """The lengths that the reference's loop leaves."""
    lengths = [first, second]
    while sum(lengths) > budget:
        lengths[0 if lengths[0] > lengths[1] else 1] -= 1
    return lengths


def test_trimming_leaves_the_lengths_of_the_reference():
    for first in range(1, 30):
        for second in range(1, 30):
            for budget in range(2, first + second):
                pieces = trim((0, first), (50, 50 + second), first + second - budget, random)
                lengths = [end - start for start, end in pieces]
                assert lengths == _trimmed_one_by_one(first, second, budget)


def test_trimming_takes_from_both_ends_with_equal_chances():
    fronts = []
    for seed in range(400):
        first, second = trim((100, 200), (300, 305), 75, random.Random(seed))
        assert second == (300, 305)
        assert first[1] - first[0] == 25
        fronts.append(first[0] - 100)
    assert abs(sum(fronts) / len(fronts) - 37.5) < 1
    variance = sum((front - 37.5) ** 2 for front in fronts) / len(fronts)
    assert 14 < variance < 24  # of 75 tosses: 18.75


def test_short_sequences_happen_with_their_probability():
    pairs = NextSentencePairs(64, 0.1)
    rng = random.Random(0)
    targets = [pairs.target_length(rng) for _ in range(20_000)]
    short = [target for target in targets if target < 61]
    # 61 itself is among the random lengths.
    assert abs(len(short) / 20_000 - 0.1 * 59 / 60) < 0.006
    assert min(short) == 2
    assert abs(sum(short) / len(short) - 31) < 1.5
    found = examples_of(NextSentencePairs(64, 1.0), make_documents(20, 8))
    assert sum(example.is_short for example, _ in found) > 0.9 * len(found)


def test_the_seed_decides():
    documents = make_documents(10, 20)
    assert make(documents, seed=5) == make(documents, seed=5) != make(documents, seed=6)
