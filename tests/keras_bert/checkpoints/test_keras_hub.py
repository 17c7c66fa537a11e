import dataclasses
import json

import keras_hub as hub
import numpy as np
import pytest

from keras_bert.checkpoints import keras_hub
from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.pretrainer import BertPretrainer
from tests.conformance import assert_equal


@pytest.fixture
def encoder(tiny_config):
    return BertEncoder(tiny_config)


@pytest.fixture
def preset(encoder, tmp_path):
    keras_hub.write(Checkpoint.of(encoder), tmp_path / "preset")
    return tmp_path / "preset"


def test_keras_hub_opens_what_we_write_and_answers_alike(encoder, preset, features):
    backbone = hub.models.Backbone.from_preset(str(preset))
    expected = encoder(features)
    for name, tensor in backbone(features).items():
        # Padded positions differ: they attend to nothing there.
        real = features["padding_mask"] if name == "sequence_output" else slice(None)
        np.testing.assert_allclose(tensor.numpy()[real], expected[name].numpy()[real], atol=1e-5)


def test_we_open_what_keras_hub_writes(tiny_config, tmp_path, features):
    backbone = hub.models.BertBackbone(
        vocabulary_size=tiny_config.vocabulary_size,
        num_layers=3,
        num_heads=4,
        hidden_dim=32,
        intermediate_dim=48,
        max_sequence_length=20,
    )
    backbone.save_to_preset(str(tmp_path / "preset"))
    encoder = BertEncoder.from_checkpoint(tmp_path / "preset")
    assert encoder.config.num_layers == 3
    pooled = backbone(features)["pooled_output"]
    np.testing.assert_allclose(encoder(features)["pooled_output"], pooled, atol=1e-5)


def test_round_trip_keeps_every_bit(encoder, preset):
    loaded = BertEncoder.from_checkpoint(preset)
    assert loaded.config == encoder.config
    assert_equal(loaded.get_weights(), encoder.get_weights())


def test_what_keras_hub_cannot_say_is_refused(tiny_config, tmp_path):
    for changes in ({"activation": "gelu"}, {"attention_dropout": 0.3}):
        model = BertEncoder(dataclasses.replace(tiny_config, **changes))
        with pytest.raises(InputError):
            keras_hub.write(Checkpoint.of(model), tmp_path / "preset")
    assert not (tmp_path / "preset").exists()


def test_classes_there_and_back(tiny_config, tmp_path, features):
    model = BertClassifier(tiny_config, num_classes=3)
    keras_hub.write(Checkpoint.of(model), tmp_path / "preset")
    theirs = hub.models.TextClassifier.from_preset(str(tmp_path / "preset"), preprocessor=None)
    np.testing.assert_allclose(theirs(features), model(features), atol=1e-5)
    theirs.save_to_preset(str(tmp_path / "back"))
    back = BertClassifier.from_checkpoint(tmp_path / "back")
    assert_equal(back.get_weights(), model.get_weights())
    assert_equal(BertEncoder.from_checkpoint(tmp_path / "back")(features), model.encoder(features))


def test_a_head_of_another_kind_is_no_classifier_of_texts(tiny_config, tmp_path):
    checkpoint = Checkpoint.of(BertClassifier(tiny_config, num_classes=3))
    checkpoint.settings["architectures"] = ["BertForTokenClassification"]
    keras_hub.write(checkpoint, tmp_path / "preset")
    assert not (tmp_path / "preset" / "task.json").exists()


def test_the_masked_lm_head_is_left_out(encoder, preset, tmp_path, caplog):
    backbone = hub.models.Backbone.from_preset(str(preset))
    hub.models.BertMaskedLM(backbone).save_to_preset(str(tmp_path / "task"))
    loaded = BertEncoder.from_checkpoint(tmp_path / "task")
    assert_equal(loaded.get_weights(), encoder.get_weights())
    assert "masked LM head is left out" in caplog.text


def test_a_pretrainer_begins_heads_that_a_preset_lacks(encoder, preset, caplog):
    model = BertPretrainer.from_checkpoint(preset, next_sentence=True)
    assert_equal(model.encoder.get_weights(), encoder.get_weights())
    assert "masked language model (cls/predictions), next sentence" in caplog.text


def test_damaged_presets_are_refused(preset):
    weights = preset / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(InputError, match="KerasHub cannot load"):
        BertEncoder.from_checkpoint(preset)


def edit(path, change):
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("rotary", True, "unknown key 'rotary'"),
        ("num_layers", "two", "num_layers='two'"),
        ("hidden_dim", 33, "hidden_dim=33"),
        ("dropout", 2, "dropout=2"),
        ("vocabulary_size", None, "vocabulary_size=None"),
    ],
)
def test_keys_of_a_preset_are_honoured_or_refused(preset, tiny_config, key, value, message):
    assert keras_hub.read_config(preset) == tiny_config
    edit(preset / "config.json", lambda values: values["config"].update({key: value}))
    with pytest.raises(InputError, match=rf"config\.json: .*{message}"):
        keras_hub.read(preset)


@pytest.mark.parametrize("config", [None, [], "x"])
def test_a_preset_without_settings(preset, config):
    edit(preset / "config.json", lambda values: values.update(config=config))
    with pytest.raises(InputError, match=r"config\.json: `config`"):
        keras_hub.read(preset)


def test_keys_of_a_classifier(tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, classifier_dropout=0.3)
    path = tmp_path / "preset"
    keras_hub.write(Checkpoint.of(BertClassifier(config, num_classes=3)), path)
    assert keras_hub.read_config(path) == config
    edit(path / "task.json", lambda values: values["config"].update(activation="softmax"))
    with pytest.raises(InputError, match=r"task\.json: `activation` .*softmax"):
        keras_hub.read(path)


def test_keys_of_a_tokenizer(preset, vocabulary):
    keras_hub.write_vocabulary(vocabulary.tokens, False, preset)
    assert keras_hub.read_vocabulary(preset) == (list(vocabulary.tokens), False)
    edit(preset / "tokenizer.json", lambda values: values["config"].update(split=False))
    with pytest.raises(InputError, match=r"tokenizer\.json: `split` .*False"):
        keras_hub.read_vocabulary(preset)


def test_nothing_is_downloaded_without_a_word(monkeypatch, capsys):
    def from_preset(name):
        raise RuntimeError(f"{name}: no network")

    monkeypatch.setattr(hub.models.Backbone, "from_preset", from_preset)
    # A name may be that of a directory, misspelt; an address is asked for.
    with pytest.raises(InputError, match=r"no such directory.*kaggle://keras/bert/"):
        BertEncoder.from_checkpoint("bert_tiny_en_uncased")
    assert "downloads" not in capsys.readouterr().err
    with pytest.raises(InputError, match="no network"):
        BertEncoder.from_checkpoint("kaggle://keras/bert/keras/bert_tiny_en_uncased/3")
    assert "downloads" in capsys.readouterr().err
