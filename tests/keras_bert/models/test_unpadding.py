"""Without padding, models compute the same as with it."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_bert.errors import InputError
from keras_bert.layers.unpadding import RealTokens
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.pretrainer import BertPretrainer
from tests.backends import call_with_gradients, needs_varying_shapes
from tests.conformance import assert_equal, flatten, mean_square


def twins(make, config):
    padded, unpadded = make(config, unpadding=False), make(config, unpadding=True)
    unpadded.set_weights(padded.get_weights())
    return padded, unpadded


@needs_varying_shapes
def test_real_tokens_are_the_same_and_padding_is_zero(tiny_config, features):
    padded, unpadded = twins(BertEncoder, tiny_config)
    options = {"return_hidden_states": True, "return_attentions": True}
    expected, outputs = padded(features, **options), unpadded(features, **options)
    mask = features["padding_mask"]
    np.testing.assert_allclose(outputs["pooled_output"], expected["pooled_output"], atol=1e-6)
    states = [(outputs["sequence_output"], expected["sequence_output"])]
    states += zip(outputs["hidden_states"], expected["hidden_states"], strict=True)
    for state, reference in states:
        np.testing.assert_allclose(state.numpy()[mask], reference.numpy()[mask], atol=1e-6)
        assert not state.numpy()[~mask].any()
    for one, other in zip(outputs["attentions"], expected["attentions"], strict=True):
        # (batch, heads, query, key) -> real queries
        real = np.transpose(one.numpy(), (0, 2, 1, 3))[mask]
        np.testing.assert_allclose(real, np.transpose(other, (0, 2, 1, 3))[mask], atol=1e-6)


@needs_varying_shapes
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_graph_with_unknown_shapes(tiny_config, features, dtype):
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    encoder = BertEncoder(tiny_config, unpadding=True, dtype=dtype)
    signature = {name: tf.TensorSpec([None, None], array.dtype) for name, array in features.items()}
    graph = tf.function(lambda inputs: encoder(inputs), input_signature=[signature])
    # In bfloat16 the two round in different places.
    assert_equal(graph(features), encoder(features), 4e-2 if dtype != "float32" else 1e-5)
    none = {name: array[:0] for name, array in features.items()}
    assert graph(none)["pooled_output"].shape == (0, 32)


@needs_varying_shapes
def test_a_batch_of_padding_only(tiny_config, features):
    features["padding_mask"] = np.zeros_like(features["padding_mask"])
    padded, unpadded = twins(BertEncoder, tiny_config)
    assert np.isfinite(padded(features)["pooled_output"]).all()
    outputs, slopes = call_with_gradients(unpadded, (features,), mean_square)
    assert np.isfinite(outputs["pooled_output"]).all()
    assert not np.array(outputs["sequence_output"]).any()
    assert all(np.isfinite(slope).all() for slope in flatten(slopes))


@needs_varying_shapes
def test_gradients_and_training_are_the_same(tiny_config, features):
    config = dataclasses.replace(tiny_config, dropout=0.0, attention_dropout=0.0)
    models = twins(lambda config, **k: BertClassifier(config, num_classes=2, **k), config)
    labels = np.array([0, 1])
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    slopes, losses = [], []
    for model in models:
        _, gradients = call_with_gradients(
            model, (features,), lambda logits: cross_entropy(labels, logits), training=True
        )
        slopes.append(gradients)
        model.compile("sgd", cross_entropy)
        losses.append(model.fit(features, labels, epochs=3, verbose=0).history["loss"])
    assert_equal(*slopes, 1e-5)
    np.testing.assert_allclose(*losses, rtol=1e-4)


@needs_varying_shapes
def test_pretraining_heads_are_the_same(tiny_config, pretraining_features):
    padded, unpadded = twins(BertPretrainer, tiny_config)
    assert_equal(unpadded(pretraining_features), padded(pretraining_features), 1e-5)


@needs_varying_shapes
def test_configuration_and_checkpoints(tiny_config, features, tmp_path):
    model = BertClassifier(tiny_config, num_classes=2, unpadding=True)
    assert BertClassifier.from_config(model.get_config()).encoder.unpadding
    assert not model.supports_jit
    model.save_checkpoint(tmp_path)
    assert_equal(BertClassifier.from_checkpoint(tmp_path)(features), model(features), 1e-6)
    assert BertClassifier.from_checkpoint(tmp_path, unpadding=True).unpadding


def test_other_backends_are_refused(tiny_config, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match=r"unpadding.*jax"):
        BertEncoder(tiny_config, unpadding=True)


@needs_varying_shapes
def test_default_drops_padding_outside_xla_alone(tiny_config, features):
    import tensorflow as tf

    model = BertEncoder(tiny_config)
    assert model.unpadding is None
    assert model.supports_jit
    mask = features["padding_mask"]
    outputs = {
        compiled: tf.function(lambda x: model(x)["sequence_output"], jit_compile=compiled)(features)
        for compiled in (False, True)
    }
    assert not outputs[False].numpy()[~mask].any()
    assert outputs[True].numpy()[~mask].all()
    np.testing.assert_allclose(outputs[False].numpy()[mask], outputs[True].numpy()[mask], atol=1e-5)


@needs_varying_shapes
def test_counts_of_tokens_are_few():
    counts = set()
    for real in range(1, 2049):
        mask = (np.arange(2048) < real)[np.newaxis]
        kept = len(RealTokens.of(mask).places)
        assert real <= kept <= max(real * 9 / 8, real + 15)
        counts.add(kept)
    assert len(counts) < 45
