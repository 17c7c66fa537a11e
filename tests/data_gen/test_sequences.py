import functools
import itertools

import pytest

from data_gen.sequences import FullSentences, SingleSequence
from tests.data_gen.text import END, START, document_of, examples_of, is_run, make_documents

DocumentSentences = functools.partial(FullSentences, across_documents=False)
KINDS = pytest.mark.parametrize("kind", [FullSentences, DocumentSentences, SingleSequence])


def pieces(fields):
    """The runs of text between the special tokens."""
    ids = fields["token_ids"]
    assert ids[0] == START
    assert ids[-1] == END
    assert fields["segment_ids"] == [0] * len(ids)
    assert "next_sentence_label" not in fields
    runs, current = [], []
    for token in ids[1:]:
        if token == END:
            runs.append(current)
            current = []
        else:
            current.append(token)
    assert all(runs)
    return runs


@KINDS
@pytest.mark.parametrize("sequence_length", [5, 16, 128])
@pytest.mark.parametrize("length", [(1, 1), (3, 9), (1, 300)])
def test_all_text_is_kept_once_in_its_order(kind, sequence_length, length):
    documents = make_documents(30, 10, length=length)
    owner = document_of(documents)
    found = []
    for example, fields in examples_of(kind(sequence_length), documents):
        assert example.length == len(fields["token_ids"]) <= sequence_length
        for run in pieces(fields):
            assert is_run(run)
            assert owner(run[0]) == owner(run[-1])
            found += run
    assert found == documents.token_ids.tolist()


def sentence_ends(documents):
    return {int(start) + 9 for start in documents.sentence_starts}  # ids begin with 10


def test_full_sentences_are_whole_and_as_many_as_fit():
    documents = make_documents(20, 12)
    ends = sentence_ends(documents)
    owner = document_of(documents)
    examples = [pieces(fields) for _, fields in examples_of(FullSentences(64), documents)]
    for runs in examples:
        assert all(run[-1] in ends for run in runs)
        # Every [SEP] but the last stands at the end of a document.
        assert [owner(run[0]) for run in runs] == list(
            range(owner(runs[0][0]), owner(runs[0][0]) + len(runs))
        )
    for runs, following in itertools.pairwise(examples):
        used = 1 + sum(len(run) + 1 for run in runs)
        first = following[0]
        sentence = next(n for n, token in enumerate(first, start=1) if token in ends)
        same_document = owner(first[0]) == owner(runs[-1][-1])
        assert used + sentence + (0 if same_document else 1) > 64


def test_document_sentences_stay_in_their_document():
    documents = make_documents(20, 12)
    found = examples_of(DocumentSentences(64), documents)
    assert all(len(example.pieces) == 1 for example, _ in found)
    assert len(found) > len(examples_of(FullSentences(64), documents))


def test_a_sentence_longer_than_a_sequence_is_cut():
    documents = make_documents(2, 2, length=(100, 100))
    for kind in (FullSentences, DocumentSentences):
        lengths = [example.length for example, _ in examples_of(kind(32), documents)]
        assert lengths.count(32) >= 12
        assert sum(lengths) >= 400


def test_a_single_sequence_is_full_up_to_the_end_of_its_document():
    documents = make_documents(10, 30)
    sizes = documents.sentence_starts[documents.document_starts]
    lengths = [example.length - 2 for example, _ in examples_of(SingleSequence(32), documents)]
    for start, end in itertools.pairwise(sizes):
        full, rest = divmod(int(end - start), 30)
        expected = [30] * full + [rest] * (rest > 0)
        assert lengths[: len(expected)] == expected
        del lengths[: len(expected)]
    assert not lengths


@KINDS
def test_short_sequences_on_request(kind):
    documents = make_documents(60, 30)
    assert not any(example.is_short for example, _ in examples_of(kind(64), documents))
    found = examples_of(kind(64, short_sequence_probability=0.5), documents)
    share = sum(example.is_short for example, _ in found) / len(found)
    assert 0.3 < share < 0.95
