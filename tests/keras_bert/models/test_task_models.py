"""Taggers, span predictors, multiple choice."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_bert.errors import InputError
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.models.tagger import BertTagger
from tests.backends import call_with_gradients, needs_varying_shapes
from tests.conformance import assert_equal, check_model

TAGS = ("O", "B-PER", "I-PER")
TAGGER = {"labels": TAGS}
MODELS = ((BertTagger, TAGGER), (BertSpanPredictor, {}), (BertMultipleChoice, {}))


def inputs_of(make, features, choice_features):
    return choice_features if make is BertMultipleChoice else features


@pytest.mark.parametrize(("make", "arguments"), MODELS)
def test_conformance(tiny_config, features, choice_features, tmp_path, make, arguments):
    inputs = inputs_of(make, features, choice_features)
    check_model(lambda dtype: make(tiny_config, dtype=dtype, **arguments), inputs, tmp_path)


def test_no_weights_beside_those_of_the_head(tiny_config):
    width = tiny_config.hidden_dim
    tokens = BertEncoder(tiny_config, pooler=False).count_params()
    pooled = BertEncoder(tiny_config).count_params()
    assert BertTagger(tiny_config, num_tags=9).count_params() == tokens + 9 * (width + 1)
    assert BertSpanPredictor(tiny_config).count_params() == tokens + 2 * (width + 1)
    assert BertMultipleChoice(tiny_config).count_params() == pooled + width + 1


def test_tags_and_labels_travel(tiny_config, tmp_path):
    model = BertTagger(tiny_config, labels=TAGS)
    assert model.num_tags == 3
    model.save_checkpoint(tmp_path)
    assert BertTagger.from_checkpoint(tmp_path).labels == TAGS
    assert BertTagger(tiny_config, num_tags=2).labels == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize(
    "arguments", [{}, {"num_tags": 0}, {"num_tags": 3, "labels": ["O"]}, {"labels": ["O", "O"]}]
)
def test_tags_and_labels_must_agree(tiny_config, arguments):
    with pytest.raises(InputError, match="num_tags"):
        BertTagger(tiny_config, **arguments)


def test_spans_lie_on_real_tokens(tiny_config, features):
    model = BertSpanPredictor(tiny_config)
    # Every logit of a real token is then far below zero.
    model.span_head.dense.bias.assign([-1e6, -2e6])
    outputs = model(features)
    own = np.array(model.span_head(model.encoder(features)["sequence_output"]))
    mask = features["padding_mask"]
    for index, name in enumerate(("start_logits", "end_logits")):
        logits = np.array(outputs[name])
        assert logits.dtype == np.float32
        np.testing.assert_array_equal(logits[mask], own[..., index][mask])
        assert mask[np.arange(2), logits.argmax(axis=1)].all()
        assert not np.array(keras.ops.softmax(logits))[~mask].any()
    # The sum that a search for the best span computes.
    assert np.isfinite(outputs["start_logits"] + outputs["end_logits"]).all()


def test_choices_are_scored_one_by_one(tiny_config, choice_features):
    model = BertMultipleChoice(tiny_config)
    together = np.array(model(choice_features))
    assert together.shape == (2, 3)
    for choice in range(3):
        alone = {n: array[:, choice : choice + 1] for n, array in choice_features.items()}
        np.testing.assert_allclose(model(alone)[:, 0], together[:, choice], atol=1e-6)
        rows = {name: array[:, choice] for name, array in choice_features.items()}
        pooled = model.encoder(rows)["pooled_output"]
        np.testing.assert_allclose(
            model.classification_head(pooled)[:, 0], together[:, choice], atol=1e-6
        )
    spelled_out = {
        **choice_features,
        "position_ids": np.broadcast_to(np.arange(9, dtype="int32"), (2, 3, 9)),
        "attention_mask": np.repeat(choice_features["padding_mask"][..., None, :], 9, axis=-2),
    }
    np.testing.assert_allclose(model(spelled_out), together, atol=1e-6)


@pytest.mark.parametrize("unpadding", [False, None])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_choices_that_are_not_there(tiny_config, choice_features, unpadding, dtype):
    config = dataclasses.replace(tiny_config, dropout=0.0, attention_dropout=0.0)
    model = BertMultipleChoice(config, unpadding=unpadding, dtype=dtype)
    two = {name: array[:, :2] for name, array in choice_features.items()}
    three = {name: np.pad(array, [(0, 0), (0, 1), (0, 0)]) for name, array in two.items()}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    labels = np.array([1, 0])
    results = [
        call_with_gradients(model, (inputs,), lambda x: loss(labels, x), training=True)
        for inputs in (two, three)
    ]
    logits = np.array(results[1][0])
    # In bfloat16 other shapes round in other places.
    tolerance = 1e-5 if dtype == "float32" else 1e-2
    np.testing.assert_allclose(logits[:, :2], results[0][0], atol=tolerance)
    assert (logits[:, 2] == -1e9).all()
    assert not np.array(keras.ops.softmax(logits))[:, 2].any()
    assert_equal(results[1][1], results[0][1], tolerance)


@needs_varying_shapes
@pytest.mark.parametrize(("make", "arguments"), MODELS)
def test_without_padding_real_tokens_are_the_same(
    tiny_config, features, choice_features, make, arguments
):
    import tensorflow as tf

    inputs = inputs_of(make, features, choice_features)
    padded, unpadded = (make(tiny_config, unpadding=u, **arguments) for u in (False, True))
    unpadded.set_weights(padded.get_weights())
    assert make.from_config(unpadded.get_config()).encoder.unpadding
    expected, outputs = padded(inputs), unpadded(inputs)
    # A tagger's logits at padding mean nothing.
    real = features["padding_mask"] if make is BertTagger else slice(None)
    for one, other in zip(tf.nest.flatten(outputs), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(one.numpy()[real], other.numpy()[real], atol=1e-6)
    signature = {n: tf.TensorSpec([None] * a.ndim, a.dtype) for n, a in inputs.items()}
    graph = tf.function(lambda inputs: unpadded(inputs), input_signature=[signature])
    assert_equal(graph(inputs), outputs, 1e-5)
    none = {name: array[:0] for name, array in inputs.items()}
    assert all(tensor.shape[0] == 0 for tensor in tf.nest.flatten(graph(none)))


@pytest.mark.parametrize(("make", "arguments"), MODELS)
def test_training_with_plain_keras(tiny_config, features, choice_features, make, arguments):
    keras.utils.set_random_seed(0)
    config = dataclasses.replace(tiny_config, dropout=0.0, attention_dropout=0.0)
    model = make(config, **arguments)
    inputs = inputs_of(make, features, choice_features)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    targets, weights = np.array([2, 0]), None
    if make is BertTagger:
        targets = features["token_ids"] % 3
        weights = features["padding_mask"].astype("float32")
    if make is BertSpanPredictor:
        loss = dict.fromkeys(("start_logits", "end_logits"), loss)
        targets = {"start_logits": np.array([2, 0]), "end_logits": np.array([8, 5])}
    model.compile(keras.optimizers.Adam(1e-2), loss)
    history = model.fit(inputs, targets, sample_weight=weights, epochs=30, verbose=0)
    assert history.history["loss"][-1] < 0.2 < history.history["loss"][0]
