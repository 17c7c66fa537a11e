"""What is set on a model after it was made comes back with it."""

import re

import keras
import numpy as np
import pytest

from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.feature_tagger import BertFeatureTagger
from tests.conformance import assert_equal


def flags(model):
    """The flags of all weights, by paths without the model's own name and Keras' numbers."""
    return [
        (re.sub(r"_lstm_\d+", "_lstm", weight.path.split("/", 1)[1]), weight.trainable)
        for weight in model.weights
    ], len(model.trainable_weights)


def freeze_all_but_the_pooler(model):
    model.encoder.trainable = False
    model.encoder.pooler.trainable = True


def freeze_a_variable(model):
    model.encoder.blocks[0].output_dense.bias.trainable = False


def freeze_a_deep_layer(model):
    model.encoder.blocks[1].attention.query_key_value.trainable = False


def freeze_around_a_layer(model):
    model.encoder.blocks[0].trainable = False
    model.encoder.blocks[0].attention.trainable = True


SETTINGS = {
    "encoder": lambda model: setattr(model.encoder, "trainable", False),
    "everything": lambda model: setattr(model, "trainable", False),
    "lowest": lambda model: model.encoder.freeze(1),
    "all but the pooler": freeze_all_but_the_pooler,
    "variable": freeze_a_variable,
    "deep layer": freeze_a_deep_layer,
    "around a layer": freeze_around_a_layer,
    "lora": lambda model: model.encoder.enable_lora(2, alpha=6),
    "lora of a head": lambda model: model.encoder.blocks[0].intermediate.enable_lora(3),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_flags_of_training_are_saved(tiny_config, features, tmp_path, name):
    model = BertClassifier(tiny_config, num_classes=2)
    SETTINGS[name](model)
    expected = model(features)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert flags(loaded) == flags(model)
    assert_equal(loaded(features), expected)
    assert flags(keras.models.clone_model(model)) == flags(model)
    # As a part of another model.
    inputs = {n: keras.Input((None,), dtype=str(a.dtype), name=n) for n, a in features.items()}
    around = keras.models.clone_model(keras.Model(inputs, model(inputs)))
    assert flags(around.get_layer(model.name)) == flags(model)


def test_what_a_class_freezes_may_be_set_free(tiny_config, tmp_path):
    model = BertFeatureTagger(tiny_config, num_tags=2, lstm_dim=3)
    model.encoder.trainable = True
    model.lstm_layers[0].trainable = False
    model.save(tmp_path / "model.keras")
    assert flags(keras.saving.load_model(tmp_path / "model.keras")) == flags(model)


def test_gradient_checkpointing_is_saved(tiny_config):
    model = BertClassifier(tiny_config, num_classes=2)
    assert not keras.models.clone_model(model).encoder.gradient_checkpointing
    model.encoder.enable_gradient_checkpointing()
    assert keras.models.clone_model(model).encoder.gradient_checkpointing
    assert keras.models.clone_model(model.encoder).gradient_checkpointing


def test_lora_goes_on_after_loading(tiny_config, features, tmp_path):
    def train(model):
        model.compile(
            "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True
        )
        model.fit(features, np.array([0, 1]), verbose=0)

    model = BertClassifier(tiny_config, num_classes=2)
    model.encoder.enable_lora(2, alpha=6)
    train(model)
    for suffix in (".keras", ".h5"):
        model.save(tmp_path / f"model{suffix}")
        loaded = keras.saving.load_model(tmp_path / f"model{suffix}")
        assert_equal(loaded(features), model(features))
    before = [np.array(weight) for weight in loaded.trainable_weights]
    train(loaded)
    after = [np.array(weight) for weight in loaded.trainable_weights]
    assert all((one != other).any() for one, other in zip(after, before, strict=True))
    # Weights with additions and those without open in each other's models.
    model.save_weights(tmp_path / "lora.weights.h5")
    plain = BertClassifier(tiny_config, num_classes=2)
    plain.load_weights(tmp_path / "lora.weights.h5")
    assert_equal(plain(features), model(features), 1e-6)
    plain.save_weights(tmp_path / "plain.weights.h5")
    fresh = BertClassifier(tiny_config, num_classes=2)
    fresh.encoder.enable_lora(3)
    fresh.load_weights(tmp_path / "plain.weights.h5")
    assert_equal(fresh(features), plain(features), 1e-6)
    assert np.abs(fresh.encoder.blocks[0].attention.output_dense.lora_kernel_a).max() > 0


def test_quantized_models_are_saved_but_no_checkpoints(tiny_config, features, tmp_path):
    model = BertClassifier(tiny_config, num_classes=2)
    exact = np.array(model(features))
    for layer in (model.encoder.blocks[0].intermediate, model.encoder.pooler.dense):
        layer.quantize("int8")
    expected = model(features)
    np.testing.assert_allclose(expected, exact, atol=0.02)
    model.save(tmp_path / "model.keras")
    assert_equal(keras.saving.load_model(tmp_path / "model.keras")(features), expected)
    with pytest.raises(InputError, match="int8"):
        model.save_checkpoint(tmp_path / "checkpoint")


def test_flags_of_other_layers(tiny_config):
    config = BertEncoder(tiny_config).get_config()
    config["training_flags"]["trainable"] = {"blocks.7": False}
    with pytest.raises(InputError, match=r"blocks\.7"):
        BertEncoder.from_config(config)
