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
