import keras
import numpy as np
import pytest
from keras import ops

from keras_bert.models.classifier import BertClassifier
from tests.backends import call_with_gradients
from tests.conformance import assert_equal


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_gradients_are_the_same_with_dropout(tiny_config, features, dtype):
    results = []
    for checkpointing in (False, True):
        keras.utils.set_random_seed(0)
        model = BertClassifier(tiny_config, num_classes=2, dtype=dtype)
        if checkpointing:
            model.encoder.enable_gradient_checkpointing()

        def loss(logits):
            return ops.sum(logits * np.array([1.0, -2.0], "float32"))

        # Twice, because seeds go on from call to call.
        results.append(
            [call_with_gradients(model, (features,), loss, training=True) for _ in range(2)]
        )
    assert_equal(results[1], results[0], 1e-5 if dtype == "float32" else 2e-2)


def test_training_with_plain_keras(tiny_config, features):
    model = BertClassifier(tiny_config, num_classes=2)
    model.encoder.enable_gradient_checkpointing()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    history = model.fit(features, np.array([0, 1]), epochs=20, verbose=0).history["loss"]
    assert history[-1] < 0.1 < history[0]
