"""Opening a checkpoint draws no weights that it replaces, and leaves none undrawn."""

import keras
import numpy as np
import pytest

from keras_bert.checkpoints.published import encoder_tensors
from keras_bert.config import BertConfig
from keras_bert.layers.initializers import EncoderInitializer, weights_will_be_loaded
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.task_model import TaskModel
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


class Siamese(TaskModel):
    """A model with an encoder of its own, which no checkpoint holds."""

    architecture = "BertModel"

    def __init__(self, config, **kwargs):
        super().__init__(config, pooler=False, **kwargs)
        self.other = BertEncoder(self.config, pooler=False, name="other")
        self._build_weights()

    def call(self, inputs, training=None):
        return sum(
            encoder(inputs, training=training)["sequence_output"]
            for encoder in (self.encoder, self.other)
        )

    def published_tensors(self):
        return encoder_tensors(self.encoder)


def test_weights_that_no_checkpoint_holds_are_drawn(directory):
    model = Siamese.from_checkpoint(directory)
    for weight in model.other.weights:
        is_drawn = weight.path.endswith(("kernel", "embeddings"))
        assert np.asarray(weight).std() > 0.01 or not is_drawn
    expected = BertEncoder.from_checkpoint(directory, pooler=False)
    assert_equal(model.encoder.get_weights(), expected.get_weights())


def test_the_initialiser_survives_saving():
    initializer = EncoderInitializer(stddev=0.3, seed=1)
    again = keras.initializers.deserialize(keras.initializers.serialize(initializer))
    values = np.asarray(again((50, 40)))
    assert 0.2 < values.std() < 0.3
    with weights_will_be_loaded():
        assert not np.asarray(again((50, 40))).any()
    np.testing.assert_array_equal(again((50, 40)), values)
