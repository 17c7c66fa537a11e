import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.models.classifier import BertClassifier


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_gradients_are_the_same_with_dropout(tiny_config, features, dtype):
    keras.utils.set_random_seed(0)
    plain = BertClassifier(tiny_config, num_classes=2, dtype=dtype)
    keras.utils.set_random_seed(0)
    checkpointed = BertClassifier(tiny_config, num_classes=2, dtype=dtype)
    checkpointed.encoder.enable_gradient_checkpointing()

    @tf.function
    def gradients(model):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(features, training=True) * [1.0, -2.0])
        return loss, tape.gradient(loss, [v.value for v in model.trainable_variables])

    for _ in range(2):  # Twice, because seeds must go on as well.
        (loss, expected), (same, results) = gradients(plain), gradients(checkpointed)
        np.testing.assert_allclose(loss, same, atol=1e-5)
        for one, other in zip(expected, results, strict=True):
            one, other = tf.convert_to_tensor(one), tf.convert_to_tensor(other)
            np.testing.assert_allclose(one, other, atol=1e-5 if dtype == "float32" else 2e-2)
    assert not np.allclose(loss, gradients(plain)[0], atol=1e-4)


def test_training_with_plain_keras(tiny_config, features):
    model = BertClassifier(tiny_config, num_classes=2)
    model.encoder.enable_gradient_checkpointing()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    history = model.fit(features, np.array([0, 1]), epochs=20, verbose=0).history["loss"]
    assert history[-1] < 0.1 < history[0]
