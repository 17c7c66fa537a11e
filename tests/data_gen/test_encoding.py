import numpy as np

from data_gen.documents import TokenizedDocuments
from data_gen.encoding import Encoder, with_masks
from data_gen.examples import Example
from keras_bert.text.masking import MaskedLMMasker

DOCUMENTS = TokenizedDocuments(
    np.arange(100, 120, dtype=np.int32),
    np.array([0, 5, 10, 20]),
    np.array([0, 2, 3]),
    np.array([True, False] * 10),
)


def test_pairs(vocabulary):
    start, end = vocabulary.start_id, vocabulary.end_id
    fields = Encoder(DOCUMENTS, vocabulary)((Example(((0, 3), (11, 13)), 1),))
    assert fields == {
        "token_ids": [start, 100, 101, 102, end, 111, 112, end],
        "segment_ids": [0, 0, 0, 0, 0, 1, 1, 1],
        # The second segment begins in the middle of a unit, which becomes one of its own.
        "unit_starts": [1, 1, 0, 1, 1, 1, 1, 1],
        "next_sentence_label": [1],
    }


def test_packed_rows(vocabulary):
    rows = (Example(((0, 3), (5, 6))), Example(((10, 12),)))
    fields = Encoder(DOCUMENTS, vocabulary, packed=True)(rows)
    assert fields["example_lengths"] == [7, 4]
    assert len(fields["token_ids"]) == len(fields["segment_ids"]) == 11
    assert fields["token_ids"][7] == vocabulary.start_id
    assert "next_sentence_label" not in fields


def test_masks_drawn_beforehand(vocabulary):
    encoder = Encoder(DOCUMENTS, vocabulary)
    rows = [encoder((Example(((place % 9, 20),)),)) for place in range(1500)]
    masker = MaskedLMMasker(vocabulary, 3)
    masked = list(with_masks(rows, masker, sequence_length=32, seed=7))
    assert len(masked) == 1500
    masks = set()
    for row, before in zip(masked, rows, strict=True):
        assert len(row["masked_positions"]) == min(3, round(0.15 * len(before["token_ids"])))
        chosen = row["masked_positions"]
        assert [before["token_ids"][place] for place in chosen] == row["masked_ids"]
        changed = np.flatnonzero(np.array(row["token_ids"]) != before["token_ids"])
        assert set(changed) <= set(chosen)
        masks.add(tuple(chosen))
    assert len(masks) > 200
    assert masked == list(with_masks(rows, masker, sequence_length=32, seed=7))
    assert masked != list(with_masks(rows, masker, sequence_length=32, seed=8))
