import numpy as np
import pytest
import tensorflow as tf

from keras_bert.text.characters import Characters

TEXTS = [
    b"",
    "Où? 你好😀\x00!".encode(),
    b"\xef\xbb\xbfa\xef\xbf\xbe",
    b"\xff\xfea\x00",
    b"\xe4\xbda\xed\xa0\x80b",
    b"\xf0\x9f\x98",
    b"\xc0\x80\xf4\x90\x80\x80c",
    "Où? 你好😀\x00!".encode(),
    b"",
]


@pytest.fixture(scope="module")
def in_graph():
    places = tf.TensorSpec([None, None], tf.int64)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string), places, places])
    def in_graph(texts, starts, ends):
        characters = Characters(texts)
        before = characters.count_before(starts)
        pieces = characters.pieces(starts, ends, tf.range(tf.size(texts)))
        ragged = [tf.RaggedTensor.from_tensor(places) for places in (starts, ends)]
        columns = tf.shape(starts)
        for found, expected in (
            (characters.count_before(ragged[0]), before),
            (characters.ragged_pieces(*ragged), pieces),
        ):
            tf.debugging.assert_equal(found.to_tensor(shape=columns), expected)
        return before, pieces

    return in_graph


def borders(text: bytes) -> list[int]:
    """The places where a character of Python's begins, and the end."""
    places = [0]
    while places[-1] < len(text):
        rest = text[places[-1] : places[-1] + 4]
        # The longest beginning that is one character.
        sizes = range(len(rest), 0, -1)
        places.append(
            places[-1]
            + next(size for size in sizes if len(rest[:size].decode(errors="replace")) == 1)
        )
    return places


def test_characters_are_those_of_python(in_graph):
    random = np.random.default_rng(0)
    letters = [bytes([byte]) for byte in range(256)] + ["你".encode(), "😀".encode()] * 99
    texts = TEXTS + [b"".join(random.choice(letters, random.integers(9))) for _ in range(300)]
    found = 0
    for _ in range(3):
        pairs = [np.sort(random.choice(borders(text), (5, 2)), axis=1) for text in texts]
        starts, ends = np.moveaxis(np.array(pairs, np.int64), 2, 0)
        before, pieces = in_graph(texts, starts, ends)
        for text, first, last, counts, cut in zip(
            texts, starts, ends, before.numpy(), pieces.numpy(), strict=True
        ):
            for start, end, count, piece in zip(first, last, counts, cut, strict=True):
                assert count == len(text[:start].decode(errors="replace"))
                assert piece.decode() == text[start:end].decode(errors="replace")
                found += b"\xef\xbf\xbd" in piece
    assert found > 300


def test_no_texts(in_graph):
    before, pieces = in_graph(
        np.array([], "S1"), np.zeros([0, 3], "int64"), np.zeros([0, 3], "int64")
    )
    assert before.shape == pieces.shape == (0, 3)
