"""Opening a checkpoint draws no weights that it replaces, and leaves none undrawn."""

import keras
import numpy as np
import pytest

from keras_bert.config import BertConfig
from keras_bert.layers.initializers import EncoderInitializer, weights_will_be_loaded
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder
from tests.conformance import assert_equal

CONFIG = BertConfig(vocabulary_size=30, num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=8)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("encoder")
    BertEncoder(CONFIG, name="encoder").save_checkpoint(path)
    return path


def test_nothing_is_drawn_for_weights_that_are_loaded(directory, monkeypatch):
    drawn = []
    draw = keras.initializers.TruncatedNormal.__call__

    def watched(self, shape, dtype=None, **kwargs):
        drawn.append(tuple(shape))
        return draw(self, shape, dtype=dtype, **kwargs)

    monkeypatch.setattr(keras.initializers.TruncatedNormal, "__call__", watched)
    model = BertEncoder.from_checkpoint(directory)
    # The pooler may be missing in a checkpoint.
    assert set(drawn) <= {(8, 8)}
    assert all(np.asarray(weight).any() for weight in model.weights if "kernel" in weight.path)


class Siamese(BertClassifier):
    """A model with an encoder of its own, which no checkpoint holds."""

    def __init__(self, config, **kwargs):
        super().__init__(config, **kwargs)
        self.other = BertEncoder(self.config, name="other")


def test_weights_that_no_checkpoint_holds_are_drawn(directory):
    model = Siamese.from_checkpoint(directory, num_classes=2)
    for weight in model.other.weights:
        is_drawn = "kernel" in weight.path or "embeddings/" in weight.path.split("table")[-1]
        assert np.asarray(weight).any() or not is_drawn
    assert np.asarray(model.other.token_embeddings).std() > 0.01
    assert np.asarray(model.classification_head.dense.kernel).any()
    expected = BertEncoder.from_checkpoint(directory)
    assert_equal(model.encoder.get_weights(), expected.get_weights())


def test_the_initialiser_survives_saving():
    initializer = EncoderInitializer(stddev=0.3, seed=1)
    again = keras.initializers.deserialize(keras.initializers.serialize(initializer))
    values = np.asarray(again((50, 40)))
    assert 0.2 < values.std() < 0.3
    with weights_will_be_loaded():
        assert not np.asarray(again((50, 40))).any()
    np.testing.assert_array_equal(again((50, 40)), values)
