"""Signatures bound their work: in parts, to a limit, and only for the families that have them."""

import numpy as np
import pytest
import tensorflow as tf

from exports.limits import Limits
from exports.signatures import base
from exports.signatures.families import signatures_of
from keras_bert.errors import InputError
from keras_bert.tasks.examples import Examples
from tests.exports.small_models import predictor_of
from tests.hostile_texts import check_costs, seconds_of, texts_of

ONE_TEXT = (("a giant word", "spaces", "short words", "Chinese"), 1)
MANY_TEXTS = (("a giant word", "short words"), 200)


def test_rows_computed_in_parts_keep_their_order(tiny_config, vocabulary, monkeypatch):
    monkeypatch.setattr(base, "TOKENS_AT_A_TIME", 64)
    predictor = predictor_of("classification", tiny_config, vocabulary)
    answer = tf.function(signatures_of(predictor).signatures()[0].function)
    rows = ["word " * (number % 7) + "abcdefg"[number % 5] for number in range(40)]
    expected = [predictor.predict(Examples({"text": [text]}))[0] for text in rows[:7]]
    found = answer(text=tf.constant(rows))["probabilities"].numpy()
    for row, one in zip(found, expected, strict=False):
        assert row.tolist() == pytest.approx(list(one["probabilities"].values()), abs=1e-5)
    for number, text in enumerate(rows):
        np.testing.assert_allclose(found[number], found[rows.index(text)], atol=1e-5)


def test_a_text_is_read_to_its_limit(tiny_config, vocabulary):
    predictor = predictor_of("classification", tiny_config, vocabulary)
    signatures = signatures_of(predictor, limits=Limits(text_bytes=8))
    answer = tf.function(signatures.signatures()[0].function)
    long, short = answer(text=tf.constant(["the dog ran", "the dog "]))["probabilities"].numpy()
    np.testing.assert_allclose(long, short, atol=1e-6)


def test_a_family_without_signatures_is_refused():
    class Other:
        name = "other"

    with pytest.raises(InputError, match="can be exported"):
        signatures_of(Other())


# For a text of 120 KB, more than `--max-text-bytes`.
MOST_SECONDS = 2


# Where a text stands in the inputs of each family. (Of many texts and one long one, a reply of
# tags is as large as their product, and those of masks is that of the classes.)
HOSTILE = {
    "classification": (lambda text: {"text": text}, [ONE_TEXT, MANY_TEXTS]),
    "tagging": (lambda text: {"text": text}, [ONE_TEXT]),
    "question_answering": (
        lambda text: {"question": text, "context": text},
        [ONE_TEXT, MANY_TEXTS],
    ),
    "fill_mask": (lambda text: {"text": text + tf.constant(" [MASK]")}, [ONE_TEXT]),
    # All of them choices of one question.
    "multiple_choice": (
        lambda text: {"context": text[:1], "choices": text[tf.newaxis]},
        [ONE_TEXT, MANY_TEXTS],
    ),
}


@pytest.mark.parametrize("family", HOSTILE)
def test_hostile_texts_cost_as_plain_ones_do(tiny_config, vocabulary, family):
    inputs, shapes = HOSTILE[family]
    signatures = signatures_of(predictor_of(family, tiny_config, vocabulary))
    answer = signatures.concrete_functions()["serving_default"]

    def operation(text):
        return answer(**inputs(text))

    check_costs(operation, shapes)
    assert seconds_of(operation, texts_of(*ONE_TEXT)) < MOST_SECONDS


def test_a_reply_beyond_all_measure_is_refused(tiny_config, vocabulary):
    signatures = signatures_of(predictor_of("tagging", tiny_config, vocabulary))
    answer = signatures.concrete_functions()["serving_default"]
    names, rows = MANY_TEXTS
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"1048576[^$]*{rows}"):
        answer(text=tf.constant(texts_of(names, rows)))
