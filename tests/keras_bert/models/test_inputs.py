"""Inputs that are not what a model takes end in one line."""

import keras
import numpy as np
import pytest

from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.embedder import BertEmbedder
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.span_predictor import BertSpanPredictor
from tests.conformance import assert_equal


@pytest.fixture(scope="module")
def classifier(tiny_config):
    model = BertClassifier(tiny_config, num_classes=2)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def without(features, *names):
    return {name: array for name, array in features.items() if name not in names}


WRONG = {
    "missing mask": (lambda x: without(x, "padding_mask"), ["padding_mask", "token_ids !="]),
    "misspelt": (
        lambda x: {**without(x, "token_ids"), "token_id": x["token_ids"]},
        ["token_id;", "without token_ids"],
    ),
    "other libraries' names": (
        lambda x: {
            "input_ids": x["token_ids"],
            "token_type_ids": x["segment_ids"],
            "attention_mask": x["padding_mask"],
        },
        ["input_ids is token_ids", "token_type_ids is segment_ids", "padding_mask"],
    ),
    "unknown": (lambda x: {**x, "label": np.zeros(2)}, ["label", "Received: token_ids"]),
    "list": (lambda x: list(x.values()), ["dictionary of token_ids", "a list of 3"]),
    "tuple": (lambda x: tuple(x.values()), ["dictionary", "a tuple of 3"]),
    "one array": (lambda x: x["token_ids"], ["dictionary", "(2, 9)"]),
    "texts": (lambda x: ["a text", "another"], ["BertPreprocessor", "a list of 2 (str)"]),
    "array of texts": (lambda x: np.array(["a", "b"]), ["BertPreprocessor", "str"]),
    "nothing": (lambda x: {}, ["token_ids", "an empty dictionary"]),
    "float ids": (
        lambda x: {**x, "token_ids": x["token_ids"].astype("float64")},
        ["token_ids", "integers", "float64"],
    ),
    "ids as texts": (
        lambda x: {**x, "token_ids": x["token_ids"].astype(str)},
        ["token_ids", "integers", "dtype=str"],
    ),
    "objects": (
        lambda x: {**x, "token_ids": np.array([[1], [1, 2]], object)},
        ["token_ids", "dtype=object"],
    ),
    "unequal rows": (lambda x: {**x, "token_ids": [[1], [1, 2]]}, ["token_ids", "padded"]),
    "one example": (lambda x: {n: a[0] for n, a in x.items()}, ["(batch, length)", "(9,)"]),
    "pairs": (
        lambda x: {n: np.stack([a, a], 1) for n, a in x.items()},
        ["(batch, length)", "(first, second)", "(2, 2, 9)"],
    ),
    "lengths": (
        lambda x: {**x, "segment_ids": x["segment_ids"][:, :4]},
        ["segment_ids", "(2, 9)", "(2, 4)"],
    ),
    "batches": (
        lambda x: {**x, "padding_mask": x["padding_mask"][:1]},
        ["padding_mask", "(2, 9)", "(1, 9)"],
    ),
    "axes": (
        lambda x: {**x, "attention_mask": x["padding_mask"]},
        ["attention_mask", "3 axes"],
    ),
    "too long": (
        lambda x: {n: np.repeat(a, 8, axis=1) for n, a in x.items()},
        ["length=72", "max_sequence_length=64"],
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_inputs_end_in_one_line(classifier, features, kind):
    wrong, words = WRONG[kind]
    with pytest.raises(InputError) as caught:
        classifier(wrong(features))
    message = str(caught.value)
    assert "\n" not in message
    for word in (*words, "Received:"):
        assert word in message


@pytest.mark.parametrize("kind", ["texts", "array of texts", "list", "misspelt", "float ids"])
def test_wrong_data_for_training_end_in_one_line(classifier, features, kind):
    data = WRONG[kind][0](features)
    for call in (classifier.fit, classifier.evaluate, lambda x, *_, **__: classifier.predict(x)):
        with pytest.raises(InputError) as caught:
            call(data, np.array([0, 1]), verbose=0)
        assert "\n" not in str(caught.value)


def test_models_ask_for_what_they_need(tiny_config, features, choice_features):
    masked = {**features, "attention_mask": np.ones((2, 9, 9), bool)}
    encoder = BertEncoder(tiny_config, unpadding=False)
    expected = encoder(masked)["sequence_output"]
    outputs = encoder(without(masked, "padding_mask"))["sequence_output"]
    assert_equal(outputs, expected, 1e-6)
    for model in (BertSpanPredictor(tiny_config), BertEmbedder(tiny_config)):
        with pytest.raises(InputError, match="padding_mask"):
            model(without(masked, "padding_mask"))
    with pytest.raises(InputError, match="masked_positions"):
        BertPretrainer(tiny_config)(features)
    with pytest.raises(InputError, match=r"\(batch, texts, length\)"):
        BertMultipleChoice(tiny_config)(features)
    with pytest.raises(InputError, match="3 texts"):
        BertEmbedder(tiny_config)(choice_features)


def test_plain_lists_and_other_integers_are_taken(classifier, features):
    expected = classifier(features)
    assert_equal(classifier({name: array.tolist() for name, array in features.items()}), expected)
    numbers = {
        **features,
        "token_ids": features["token_ids"].astype("int64"),
        "padding_mask": features["padding_mask"].astype("float32"),
        "position_ids": None,
    }
    assert_equal(classifier(numbers), expected)


def test_segment_ids_may_be_left_out_of_training_and_of_functional_models(classifier, features):
    some = without(features, "segment_ids")
    zeros = {**features, "segment_ids": np.zeros_like(features["segment_ids"])}
    assert_equal(classifier.predict(some, verbose=0), classifier.predict(zeros, verbose=0), 1e-6)
    inputs = {n: keras.Input((None,), dtype=str(a.dtype), name=n) for n, a in some.items()}
    assert_equal(keras.Model(inputs, classifier(inputs))(some), classifier(zeros), 1e-6)
    with pytest.raises(InputError, match='dtype="int32"'):
        classifier({name: keras.Input((None,), name=name) for name in features})
