"""Vectors of texts, cosines of pairs, and sentence-transformers' files beside them."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from keras_bert.errors import InputError
from keras_bert.layers.pooling import POOLINGS, pool
from keras_bert.models.embedder import BertEmbedder
from keras_bert.models.encoder import BertEncoder
from tests.backends import call_with_gradients, needs_varying_shapes
from tests.conformance import assert_equal, check_model, flatten, mean_square


@pytest.fixture
def pair_features(choice_features):
    """Two pairs of texts of up to 9 tokens."""
    return {name: array[:, :2] for name, array in choice_features.items()}


def test_conformance(tiny_config, features, tmp_path):
    check_model(lambda dtype: BertEmbedder(tiny_config, dtype=dtype), features, tmp_path)


def pooled(tokens, mask, pooling):
    """The definition, row by row."""
    rows = [row[real] for row, real in zip(np.array(tokens), mask, strict=True)]
    of_rows = {"mean": lambda x: x.mean(0), "max": lambda x: x.max(0), "cls": lambda x: x[0]}
    return np.stack([of_rows[pooling](row) for row in rows])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling_is_of_real_tokens(tiny_config, features, pooling):
    model = BertEmbedder(tiny_config, pooling=pooling, normalize=False, unpadding=False)
    tokens = model.encoder(features)["sequence_output"]
    expected = pooled(tokens, features["padding_mask"], pooling)
    vectors = np.array(model(features))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    model.normalize = True
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(model(features), expected / lengths, atol=1e-6)


def test_means_are_summed_in_float32():
    # The sum of 4096 ones, each with a little more, is beyond the digits of bfloat16.
    tokens = keras.ops.cast(np.full((1, 4096, 1), 1.0078125), "bfloat16")
    mean = pool(tokens, np.ones((1, 4096), bool), "mean")
    assert float(mean[0, 0]) == pytest.approx(1.0078125, abs=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_rows_of_padding_are_zeros_and_teach_nothing_wrong(tiny_config, features, pooling):
    features["padding_mask"] = features["padding_mask"] & np.array([[True], [False]])
    model = BertEmbedder(tiny_config, pooling=pooling)
    vectors, slopes = call_with_gradients(model, (features,), mean_square)
    assert not np.array(vectors)[1].any()
    assert all(np.isfinite(slope).all() for slope in flatten(slopes))


def test_pairs_give_the_cosine_of_their_vectors(tiny_config, pair_features):
    model = BertEmbedder(tiny_config, normalize=False)
    sides = ({name: array[:, side] for name, array in pair_features.items()} for side in (0, 1))
    first, second = (np.array(model(side)) for side in sides)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosines = np.array(model(pair_features))
    assert cosines.shape == (2, 1)
    np.testing.assert_allclose(cosines[:, 0], (first * second).sum(axis=1) / lengths, atol=1e-6)


def test_three_texts_are_refused(tiny_config, choice_features):
    with pytest.raises(InputError, match="3 texts"):
        BertEmbedder(tiny_config)(choice_features)


def test_training_on_pairs_with_plain_keras(tiny_config, pair_features):
    keras.utils.set_random_seed(0)
    config = dataclasses.replace(tiny_config, num_layers=1, dropout=0.0, attention_dropout=0.0)
    model = BertEmbedder(config)
    model.compile(keras.optimizers.Adam(1e-2), keras.losses.MeanSquaredError())
    scores = np.array([[0.1], [0.9]], "float32")
    history = model.fit(pair_features, scores, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.01 < history[0]
    np.testing.assert_allclose(model(pair_features), scores, atol=0.15)


@needs_varying_shapes
def test_without_padding_vectors_are_the_same(tiny_config, features, pair_features):
    import tensorflow as tf

    padded, unpadded = (BertEmbedder(tiny_config, unpadding=u) for u in (False, True))
    unpadded.set_weights(padded.get_weights())
    for inputs in (features, pair_features):
        expected = padded(inputs)
        assert_equal(unpadded(inputs), expected, 1e-6)
        signature = {n: tf.TensorSpec([None] * a.ndim, a.dtype) for n, a in inputs.items()}
        graph = tf.function(lambda inputs: unpadded(inputs), input_signature=[signature])
        assert_equal(graph(inputs), expected, 1e-5)
        none = {name: array[:0] for name, array in inputs.items()}
        assert graph(none).shape == (0, expected.shape[1])


def test_the_pooling_travels_in_the_files_of_sentence_transformers(tiny_config, features, tmp_path):
    model = BertEmbedder(tiny_config, pooling="cls", normalize=False)
    model.save_checkpoint(tmp_path)
    modules = json.loads((tmp_path / "modules.json").read_text())
    assert [(module["path"], module["type"]) for module in modules] == [
        ("", "sentence_transformers.models.Transformer"),
        ("1_Pooling", "sentence_transformers.models.Pooling"),
    ]
    assert json.loads((tmp_path / "1_Pooling" / "config.json").read_text()) == {
        "word_embedding_dimension": tiny_config.hidden_dim,
        "pooling_mode_cls_token": True,
        "pooling_mode_mean_tokens": False,
        "pooling_mode_max_tokens": False,
    }
    again = BertEmbedder.from_checkpoint(tmp_path)
    assert (again.pooling, again.normalize) == ("cls", False)
    other = BertEmbedder.from_checkpoint(tmp_path, pooling="max", normalize=True)
    assert (other.pooling, other.normalize) == ("max", True)
    other.save_checkpoint(tmp_path)
    again = BertEmbedder.from_checkpoint(tmp_path)
    assert (again.pooling, again.normalize) == ("max", True)
    # The encoder is one like any other.
    tokens = BertEncoder.from_checkpoint(tmp_path)(features)["sequence_output"]
    np.testing.assert_allclose(
        np.array(model(features)), pooled(tokens, features["padding_mask"], "cls"), atol=1e-6
    )


def test_a_checkpoint_that_says_nothing_gets_the_defaults(tiny_config, tmp_path):
    BertEncoder(tiny_config).save_checkpoint(tmp_path)
    model = BertEmbedder.from_checkpoint(tmp_path)
    assert (model.pooling, model.normalize) == ("mean", True)


def test_files_of_later_versions(tiny_config, tmp_path):
    BertEmbedder(tiny_config).save_checkpoint(tmp_path)
    (tmp_path / "1_Pooling" / "config.json").write_text(
        '{"embedding_dimension": 32, "pooling_mode": "max", "include_prompt": true}'
    )
    modules = (tmp_path / "modules.json").read_text()
    later = "sentence_transformers.sentence_transformer.modules.pooling.Pooling"
    modules = modules.replace("sentence_transformers.models.Pooling", later)
    (tmp_path / "modules.json").write_text(modules)
    model = BertEmbedder.from_checkpoint(tmp_path)
    assert (model.pooling, model.normalize) == ("max", True)


_POOLING = "1_Pooling/config.json"


def test_wrong_pooling(tiny_config):
    with pytest.raises(InputError, match="pooling='first'"):
        BertEmbedder(tiny_config, pooling="first")
