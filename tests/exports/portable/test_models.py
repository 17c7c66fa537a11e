import logging

import numpy as np
import pytest

from exports.portable import models
from exports.portable.models import answer, load
from exports.portable.verification import probes
from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.feature_tagger import BertFeatureTagger
from tests.exports.portable.models import KINDS, make


@pytest.mark.parametrize("kind", KINDS)
def test_a_directory_gives_the_model_that_wrote_it(kind, tiny_config, tmp_path):
    model = make(kind, tiny_config)
    model.save_checkpoint(tmp_path)
    loaded = load(str(tmp_path))
    assert type(loaded) is type(model)
    (call, *_) = probes(model)
    expected = answer(model, call)
    for name, value in answer(loaded, call).items():
        np.testing.assert_allclose(value, expected[name], atol=1e-6)


def test_padding_says_nothing(tiny_config):
    for kind in ("encoder", "tagger"):
        model = make(kind, tiny_config)
        call = probes(model)[1]
        tokens = next(iter(answer(model, call).values()))
        np.testing.assert_array_equal(tokens[call["padding_mask"] == 0], 0.0)


def test_the_encoder_of_a_tagger_has_no_pooler(tiny_config, tmp_path, caplog):
    make("tagger", tiny_config).save_checkpoint(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert load(str(tmp_path), encoder_only=True).pooler is None
    # Nothing started from random weights.
    assert not caplog.records


def test_the_encoder_of_a_classifier(model_directory):
    model = str(model_directory)
    assert isinstance(load(model), BertClassifier)
    encoder = load(model, encoder_only=True)
    assert isinstance(encoder, BertEncoder)
    assert encoder.pooler is not None


def test_models_without_such_a_form_are_refused(tiny_config, tmp_path, monkeypatch):
    BertFeatureTagger(tiny_config, num_tags=3, lstm_dim=4).save_checkpoint(tmp_path)
    with pytest.raises(InputError, match="BiLSTM cannot be exported so"):
        load(str(tmp_path))
    assert isinstance(load(str(tmp_path), encoder_only=True), BertEncoder)
    monkeypatch.setattr(models, "LARGEST_FILE", 1000)
    with pytest.raises(InputError, match="less than 2 GiB"):
        load(str(tmp_path), encoder_only=True)
    (tmp_path / "config.json").write_text('{"model_type": "bert", "architectures": ["Other"]}')
    with pytest.raises(InputError, match="not a fine-tuned model"):
        load(str(tmp_path))
