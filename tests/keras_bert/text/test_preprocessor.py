import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from keras_bert.errors import InputError
from keras_bert.text.packing import truncate_pair
from keras_bert.text.preprocessor import BertPreprocessor
from keras_bert.text.tokenizer import BertTokenizer
from tests.conformance import check_preprocessing


@pytest.fixture(scope="module")
def tokenizer(vocabulary):
    return BertTokenizer(vocabulary)


def rendered(preprocessor, features):
    return [preprocessor.tokenizer.vocabulary.to_text(row) for row in features["token_ids"].numpy()]


def test_single_texts(tokenizer):
    preprocessor = BertPreprocessor(tokenizer, 6)
    features = preprocessor(["the dog", "", "the dog ran away and was my dog"])
    assert rendered(preprocessor, features) == [
        "[CLS] the dog [SEP]",
        "[CLS] [SEP]",
        "[CLS] the dog ran away [SEP]",
    ]
    assert features["token_ids"].shape == (3, 6)
    assert features["padding_mask"].numpy().sum(axis=1).tolist() == [4, 2, 6]
    assert not features["segment_ids"].numpy().any()


def test_pairs(tokenizer):
    preprocessor = BertPreprocessor(tokenizer, 8)
    features = preprocessor((["the dog", "my"], ["ran", "him dog ran away and down and out"]))
    assert rendered(preprocessor, features) == [
        "[CLS] the dog [SEP] ran [SEP]",
        "[CLS] my [SEP] him dog ran away [SEP]",
    ]
    assert features["segment_ids"].numpy().tolist() == [
        [0, 0, 0, 0, 1, 1, 0, 0],
        [0, 0, 0, 1, 1, 1, 1, 1],
    ]


def popped(first, second, budget):
    """The reference: one token at a time from the longer one, from the second on a tie."""
    first, second = list(first), list(second)
    while len(first) + len(second) > budget:
        (first if len(first) > len(second) else second).pop()
    return first, second


@given(st.integers(0, 12), st.integers(0, 12), st.integers(2, 14))
def test_truncation_equals_the_reference(first, second, budget):
    rows = tf.ragged.constant([list(range(first))]), tf.ragged.constant([list(range(second))])
    rows = tuple(tf.cast(row, tf.int32) for row in rows)
    kept = [row.to_list()[0] for row in truncate_pair(*rows, budget=budget)]
    assert kept == list(popped(range(first), range(second), budget))


def test_longest_padding_and_batches_of_none_or_one(tokenizer):
    preprocessor = BertPreprocessor(tokenizer, 40, padding="longest")
    assert preprocessor(["the", "the dog ran"])["token_ids"].shape == (2, 16)
    assert preprocessor(["the " * 15])["token_ids"].shape == (1, 32)
    assert preprocessor(["the " * 50])["token_ids"].shape == (1, 40)
    assert preprocessor("the")["token_ids"].shape == (1, 16)
    none = tf.constant([], tf.string)
    assert preprocessor(none)["token_ids"].shape == (0, 16)
    assert BertPreprocessor(tokenizer, 16)(none)["token_ids"].shape == (0, 16)


def test_special_tokens_in_text_are_plain_text(tokenizer, vocabulary):
    features = BertPreprocessor(tokenizer, 32)(["[MASK] [SEP] [CLS] [PAD]"])
    ids = features["token_ids"].numpy()[0].tolist()
    assert ids.count(vocabulary.mask_id) == 0
    assert (ids.count(vocabulary.start_id), ids.count(vocabulary.end_id)) == (1, 1)


@pytest.mark.parametrize("padding", ["sequence_length", "longest"])
def test_conformance(tokenizer, padding):
    preprocessor = BertPreprocessor(tokenizer, 8, padding=padding)
    check_preprocessing(preprocessor, tf.constant(["the dog", "", "a b c d e f g h i j"]))
    check_preprocessing(preprocessor, (tf.constant(["the dog", ""]), tf.constant(["ran", "x y"])))


def test_works_as_the_first_layer_of_a_functional_model(tokenizer):
    import keras

    text = keras.Input((), dtype="string")
    model = keras.Model(text, BertPreprocessor(tokenizer, 8)(text))
    assert model(tf.constant(["the dog"]))["token_ids"].shape == (1, 8)


@pytest.mark.parametrize(
    "arguments",
    [{"sequence_length": 0}, {"sequence_length": 4}, {"sequence_length": -1}, {"padding": "left"}],
)
def test_wrong_arguments(tokenizer, arguments):
    with pytest.raises(InputError, match=next(iter(arguments))):
        BertPreprocessor(tokenizer, **arguments)
