"""Taggers on the features of a frozen encoder."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from keras_bert.errors import InputError
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.feature_mixes import MIXES
from keras_bert.models.feature_tagger import BertFeatureTagger, combination_of
from tests.conformance import assert_equal, check_model

TAGS = ("O", "B-PER", "I-PER")


def make(config, **arguments):
    return BertFeatureTagger(config, **{"labels": TAGS, "lstm_dim": 4, **arguments})


def test_conformance(tiny_config, features, tmp_path):
    config = dataclasses.replace(tiny_config, num_layers=1)
    check_model(lambda dtype: make(config, dtype=dtype), features, tmp_path)


@pytest.mark.parametrize(
    ("mix", "expected"),
    [
        ("embeddings", lambda x: x[0]),
        ("second_to_last", lambda x: x[11]),
        ("last", lambda x: x[12]),
        ("weighted_sum_last_4", lambda x: x[9:13].mean(axis=0)),
        ("concat_last_4", lambda x: np.concatenate(x[9:13], axis=-1)),
        ("weighted_sum_all", lambda x: x[1:13].mean(axis=0)),
    ],
)
def test_mixes_of_twelve_layers(mix, expected):
    states = np.random.default_rng(0).normal(size=(13, 2, 3, 4)).astype("float32")
    assert mix in MIXES
    np.testing.assert_allclose(combination_of(mix, 12)(list(states)), expected(states), atol=1e-6)


def test_logits_are_those_of_a_bilstm_on_each_row_without_its_padding(tiny_config, features):
    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def read(rows, cell):
        kernel, recurrent, bias = (np.array(weight) for weight in cell.weights)
        state = memory = np.zeros(4)
        states = []
        for row in rows:
            write, forget, new, show = np.split(row @ kernel + state @ recurrent + bias, 4)
            memory = sigmoid(forget) * memory + sigmoid(write) * np.tanh(new)
            state = sigmoid(show) * np.tanh(memory)
            states.append(state)
        return np.array(states)

    model = make(tiny_config, mix="concat_last_4")
    outputs = np.array(model(features))
    states = model.encoder(features, return_hidden_states=True)["hidden_states"]
    mixed = np.concatenate(states[1:], axis=-1)
    kernel, bias = (np.array(weight) for weight in model.classification_head.dense.weights)
    for row, mask, logits in zip(mixed, features["padding_mask"], outputs, strict=True):
        hidden = row[mask]
        for layer in model.lstm_layers:
            ahead = read(hidden, layer.forward_layer.cell)
            back = read(hidden[::-1], layer.backward_layer.cell)[::-1]
            hidden = np.concatenate([ahead, back], axis=-1)
        np.testing.assert_allclose(logits[mask], hidden @ kernel + bias, atol=1e-5)


def test_training_leaves_the_encoder_alone(tiny_config, features):
    keras.utils.set_random_seed(0)
    model = make(tiny_config, lstm_dim=16, mix="weighted_sum_all")
    before = [np.array(weight) for weight in model.encoder.weights]
    assert not model.encoder.trainable_weights
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-2), loss)
    targets = features["token_ids"] % 3
    weights = features["padding_mask"].astype("float32")
    history = model.fit(features, targets, sample_weight=weights, epochs=20, verbose=0)
    assert history.history["loss"][-1] < 0.3 < history.history["loss"][0]
    assert_equal([np.array(weight) for weight in model.encoder.weights], before)
    assert np.abs(model.combination.weighting).max() > 0


def test_it_begins_with_an_encoder_and_ends_as_one(tiny_config, features, tmp_path):
    encoder = BertEncoder(tiny_config)
    encoder.save_checkpoint(tmp_path / "encoder")
    model = BertFeatureTagger.from_checkpoint(
        tmp_path / "encoder", labels=TAGS, mix="weighted_sum_last_4", lstm_dim=3
    )
    hidden = encoder(features)["sequence_output"]
    assert_equal(model.encoder(features)["sequence_output"], hidden)
    model.save_checkpoint(tmp_path / "tagger")
    twin = BertFeatureTagger.from_checkpoint(tmp_path / "tagger")
    assert (twin.labels, twin.mix, twin.lstm_dim) == (TAGS, "weighted_sum_last_4", 3)
    again = BertEncoder.from_checkpoint(tmp_path / "tagger")
    assert_equal(again(features)["sequence_output"], hidden)
    settings = json.loads((tmp_path / "tagger/config.json").read_text())
    assert settings["architectures"] == ["BertFeatureTagger"]
    with pytest.raises(InputError, match=r"feature_lstm\.weight_ih_l0 has shape"):
        BertFeatureTagger.from_checkpoint(tmp_path / "tagger", lstm_dim=5)


@pytest.mark.parametrize(
    "arguments", [{"mix": "last_4"}, {"lstm_dim": 0}, {"labels": None, "num_tags": 0}]
)
def test_wrong_arguments(tiny_config, arguments):
    with pytest.raises(InputError, match=list(arguments)[-1]):
        make(tiny_config, **arguments)
