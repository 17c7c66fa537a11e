"""Sentences of these documents hold unique ids, so that every token tells where it came from."""

import random

import pytest

from data_gen.pairs import NextSentencePairs

START, END = 1, 2


def make_documents(count, sentences, *, length=(3, 9), seed=0):
    rng = random.Random(seed)
    fresh = iter(range(10, 10_000_000))
    return [
        [[next(fresh) for _ in range(rng.randint(*length))] for _ in range(sentences)]
        for _ in range(count)
    ]


def segments(example):
    """Returns both segments after a check of the frame around them."""
    ids, split = example.token_ids, example.segment_ids.index(1)
    assert ids[0] == START
    assert ids[split - 1] == ids[-1] == END
    assert example.segment_ids == [0] * split + [1] * (len(ids) - split)
    return ids[1 : split - 1], ids[split:-1]


def document_of(documents):
    return {
        token: index
        for index, document in enumerate(documents)
        for sentence in document
        for token in sentence
    }


def make(documents, *, sequence_length=64, short=0.1, seed=0):
    pairs = NextSentencePairs(
        sequence_length, start_id=START, end_id=END, short_sequence_probability=short
    )
    return list(pairs(documents, random.Random(seed)))


@pytest.mark.parametrize("sequence_length", [5, 16, 128])
@pytest.mark.parametrize("length", [(1, 1), (3, 9), (1, 300)])
def test_every_example_is_whole_and_labelled_right(sequence_length, length):
    documents = make_documents(30, 40, length=length)
    owner = document_of(documents)
    examples = make(documents, sequence_length=sequence_length)
    assert len(examples) >= 30
    for example in examples:
        first, second = segments(example)
        assert first
        assert second
        assert len(example.token_ids) <= sequence_length
        # Each segment is consecutive text of one document.
        for segment in (first, second):
            assert segment == list(range(segment[0], segment[0] + len(segment)))
            assert owner[segment[0]] == owner[segment[-1]]
        same = owner[first[0]] == owner[second[0]]
        assert same == (example.next_sentence_label == 0)


def test_next_really_follows():
    # Nothing is cut where the longest pair fits: target 61 and a last sentence of up to 9 tokens.
    examples = make(make_documents(30, 40), sequence_length=200, short=1.0)
    followed = 0
    for example in examples:
        first, second = segments(example)
        if example.next_sentence_label == 0 and len(example.token_ids) < 200:
            assert second[0] == first[-1] + 1
            followed += 1
    assert followed > 20


def test_half_of_the_pairs_are_random():
    # Chunks of one sentence are rare: sentences are short against the target.
    examples = make(make_documents(100, 200), sequence_length=128, short=0.0)
    share = sum(example.next_sentence_label for example in examples) / len(examples)
    assert len(examples) > 500
    assert abs(share - 0.5) < 0.06


def test_single_sentence_always_gets_a_random_partner():
    examples = make(make_documents(50, 1))
    assert len(examples) == 50
    assert all(example.next_sentence_label == 1 for example in examples)


def test_unused_sentences_are_put_back():
    # Nothing is trimmed when the first segments and true second segments must cover everything.
    documents = make_documents(20, 30, length=(2, 4))
    examples = make(documents, sequence_length=400, short=0.0, seed=3)
    used = []
    for example in examples:
        first, second = segments(example)
        used += first
        if example.next_sentence_label == 0:
            used += second
    assert sorted(used) == sorted(document_of(documents))  # all, and each once


def test_random_segment_reaches_the_target_without_more():
    examples = make(make_documents(40, 60, length=(5, 5)), sequence_length=53, short=0.0)
    for example in examples:
        first, second = segments(example)
        if example.next_sentence_label == 1 and len(second) > 5:
            # One sentence less would have been too short.
            assert len(first) + len(second) < 50 + 5


def test_trimming_takes_from_the_longer_side_at_both_ends():
    first, second = list(range(100, 200)), list(range(300, 305))
    pairs = NextSentencePairs(33, start_id=START, end_id=END)
    fronts = []
    for seed in range(40):
        kept_first, kept_second = pairs._trim(first, second, random.Random(seed))
        assert kept_second == second
        assert len(kept_first) == 25
        fronts.append(kept_first[0] - 100)
    assert min(fronts) > 0
    assert max(fronts) < 75
    assert abs(sum(fronts) / len(fronts) - 37.5) < 5
    balanced = pairs._trim(first, list(range(300, 400)), random.Random(0))
    assert [len(part) for part in balanced] == [15, 15]


def test_short_sequences_happen_with_their_probability():
    documents = make_documents(400, 30, length=(5, 5))
    lengths = {short: _mean_length(make(documents, short=short)) for short in (0.0, 0.1, 1.0)}
    assert lengths[0.0] > lengths[0.1] > lengths[1.0]


def _mean_length(examples):
    return sum(len(example.token_ids) for example in examples) / len(examples)


def test_the_seed_decides():
    documents = make_documents(10, 20)
    assert make(documents, seed=5) == make(documents, seed=5) != make(documents, seed=6)
