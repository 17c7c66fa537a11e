import numpy as np
import pytest
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.models.encoder import BertEncoder
from keras_bert.text.example_packing import pack_examples
from keras_bert.text.preprocessor import BertPreprocessor
from keras_bert.text.tokenizer import BertTokenizer
from tests.conformance import assert_equal

FIRST = ["the dog", "", "my cat ran away and came down", "who", "the", "dog " * 9]
SECOND = ["ran", "a", "the dog", "", "he said so", "x"]


@pytest.fixture(scope="module")
def features(vocabulary):
    return BertPreprocessor(BertTokenizer(vocabulary), 20)((FIRST, SECOND))


def first_fit_decreasing(sizes, length):
    used, starts = [], {}
    for example in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        fitting = (row for row, size in enumerate(used) if size + sizes[example] <= length)
        row = next(fitting, len(used))
        if row == len(used):
            used.append(0)
        starts[example] = [row, used[row]]
        used[row] += sizes[example]
    return [starts[i] for i in range(len(sizes))]


@pytest.mark.parametrize("length", [15, 20, 64])
def test_every_token_stands_in_its_place(features, length):
    packed = {name: tensor.numpy() for name, tensor in pack_examples(features, length).items()}
    sizes = features["padding_mask"].numpy().sum(axis=1)
    starts = first_fit_decreasing(sizes.tolist(), length)
    assert packed["example_starts"].tolist() == starts
    assert packed["token_ids"].shape == (1 + max(row for row, _ in starts), length)
    block = np.full(packed["token_ids"].shape, -1)
    for example, ((row, column), size) in enumerate(zip(starts, sizes, strict=True)):
        span = slice(column, column + size)
        block[row, span] = example
        for name in ("token_ids", "segment_ids"):
            assert (packed[name][row, span] == features[name].numpy()[example, :size]).all()
        assert packed["position_ids"][row, span].tolist() == [*range(size)]
    assert (packed["padding_mask"] == (block >= 0)).all()
    expected = (block[:, :, None] == block[:, None, :]) & (block >= 0)[:, None, :]
    assert (packed["attention_mask"] == expected).all()
    assert not packed["token_ids"][block < 0].any()


def test_an_encoder_sees_each_example_alone(features, tiny_config):
    encoder = BertEncoder(tiny_config)
    alone = encoder(features)["sequence_output"]
    packed = pack_examples(features, 32)
    starts = packed.pop("example_starts")
    together = encoder(packed)["sequence_output"]
    np.testing.assert_allclose(tf.gather_nd(together, starts), alone[:, 0], atol=1e-5)


def test_graph_and_empty_batch(features):
    graph = tf.function(lambda batch: pack_examples(batch, 20))
    assert_equal(graph(features), pack_examples(features, 20))
    none = pack_examples({name: tensor[:0] for name, tensor in features.items()}, 20)
    assert none["token_ids"].shape == (0, 20)
    assert none["example_starts"].shape == (0, 2)


def test_wrong_arguments(features):
    with pytest.raises(InputError, match="length"):
        pack_examples(features, 0)
    with pytest.raises(InputError, match=r"length=8 tokens\. Received: 15"):
        pack_examples(features, 8)
    graph = tf.function(lambda batch: pack_examples(batch, 8))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[an example .* Received: 15\]"):
        graph(features)
