"""No text costs more than its size: hostile shapes beside plain text of as many bytes."""

import pytest
import tensorflow as tf

from keras_bert.text.preprocessor import BertPreprocessor
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.windows import SlidingWindows
from keras_bert.text.word_windows import WordWindows
from keras_bert.text.words import split_words
from tests.hostile_texts import check_costs


@pytest.fixture(scope="module")
def operations(vocabulary):
    tokenizer = BertTokenizer(vocabulary)
    added = tokenizer.add_tokens(["foxglove", "covid-19"])
    sliding = SlidingWindows(tokenizer, 128, stride=64, query_length=16, max_windows=64)
    of_words = WordWindows(tokenizer, 128, max_windows=64)
    preprocessor = BertPreprocessor(tokenizer, 128)
    functions = {
        "tokens": tokenizer,
        "offsets": tokenizer.tokenize_with_offsets,
        "added tokens": added.tokenize_with_offsets,
        "contexts": lambda text: sliding(text[:1], text[:1]),
        "words": lambda text: of_words(split_words(text)[0]),
        "rows": preprocessor,
    }
    signature = [tf.TensorSpec([None], tf.string)]
    return {name: tf.function(call, signature) for name, call in functions.items()}


@pytest.mark.parametrize("name", ["tokens", "offsets", "added tokens", "contexts", "words", "rows"])
def test_hostile_texts_cost_as_plain_ones_do(operations, name):
    check_costs(operations[name])
