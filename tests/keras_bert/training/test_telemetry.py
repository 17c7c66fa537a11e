import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.config import BertConfig
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.training.input_meter import InputMeter
from keras_bert.training.inspection import profile_range
from keras_bert.training.mask_samples import MaskSamples
from keras_bert.training.telemetry import TensorBoardScalars, Workload, write_validation
from keras_bert.training.throughput import product_rate, training_operations


def dataset(seconds=0.0, batches=5):
    def wait(index):
        time.sleep(seconds)
        return index

    def batch(index):
        index = tf.ensure_shape(tf.numpy_function(wait, [index], tf.int64), [])
        return {"padding_mask": tf.sequence_mask([3, 1], 4), "index": index}, index

    return tf.data.Dataset.range(batches).map(batch)


def test_meter_passes_batches_on_and_counts_them():
    meter = InputMeter()
    found = [int(label) for _, label in meter.watch(dataset())]
    assert found == list(range(5))
    counts = meter.counts()
    assert (counts.sequences, counts.tokens, counts.places) == (10, 20, 40)


def test_meter_tells_a_slow_input_from_a_slow_step():
    slow_input, slow_step = InputMeter(), InputMeter()
    for _ in slow_input.watch(dataset(0.1)):
        pass
    for _ in slow_step.watch(dataset()):
        time.sleep(0.1)
    assert slow_input.counts().wait_seconds >= 0.5
    assert slow_step.counts().wait_seconds < 0.4


def test_operations_are_those_of_the_products():
    config = BertConfig(
        vocabulary_size=100,
        num_layers=2,
        hidden_dim=32,
        num_heads=2,
        intermediate_dim=64,
        max_sequence_length=16,
    )
    width, predictions, batch, length = 32, 3, 2, 16
    model = BertPretrainer(config)
    kernels = [
        weight.shape[0] * weight.shape[1]
        for weight in model.trainable_weights
        if weight.path.endswith("kernel") and "/block_" in weight.path
    ]
    tokens = batch * length
    expected = tokens * sum(kernels)
    expected += batch * (width**2 + predictions * (width**2 + width * 100))
    expected += 2 * 2 * tokens * length * width  # scores and their products with the values
    found = training_operations(
        config, sequences=batch, tokens=tokens, length=length, predictions=predictions
    )
    assert found == 6 * expected


def test_product_rate_is_measured_once():
    assert 1e8 < product_rate("float32") == product_rate("float32")


@pytest.mark.parametrize(("text", "steps"), [("7", (7, 7)), ("10,20", (10, 20)), (None, None)])
def test_profile_range(text, steps):
    assert profile_range(text) == steps


@pytest.fixture
def mask_samples(vocabulary, tmp_path):
    """A model that fills two masks, and what samples them; every step but the last is not due."""
    ids = vocabulary.ids
    right = [ids["cat"], ids["##s"], ids["[PAD]"]]

    class Model(keras.Model):
        skipped_steps = 0

        def call(self, inputs, training=None):
            answers = tf.constant([[ids["dog"], ids["##s"], 0]])
            return {"masked_lm_logits": tf.one_hot(answers, len(vocabulary))}

    tokens = ["[CLS]", "the", "[MASK]", "ran", "[MASK]", "-", "[SEP]", "[PAD]"]
    batch = (
        {
            "token_ids": np.array([[ids[token] for token in tokens]]),
            "masked_positions": np.array([[2, 4, 0]]),
        },
        {"masked_lm_logits": np.array([right])},
        {"masked_lm_logits": np.array([[1.0, 1.0, 0.0]])},
    )
    writer = tf.summary.create_file_writer(str(tmp_path))
    samples = MaskSamples(writer, batch, vocabulary, every=100, log_steps=5, total_steps=10)
    model = Model()
    model.compile("sgd")
    samples.set_model(model)
    samples.on_train_begin()
    return samples


def test_samples_show_right_and_wrong_answers(mask_samples):
    (text,) = mask_samples.markdown()
    text = text.replace("&#91;", "[").replace("&#93;", "]").replace("&#35;", "#")
    assert text.replace("&#45;", "-").splitlines() == [
        "1 of 2 right",
        "",
        "* original: [CLS] the **cat** ran **##s** - [SEP]",
        "* masked: [CLS] the **[MASK]** ran **[MASK]** - [SEP]",
        "* filled: [CLS] the **dog** *(cat)* ran **##s** - [SEP]",
    ]


def test_steps_that_were_skipped_are_steps(mask_samples, tmp_path):
    """The sample after the last step is written, where all the other points of that step are."""
    model = mask_samples.model
    for iterations, model.skipped_steps in ((5, 0), (7, 2), (7, 3)):
        model.optimizer.iterations.assign(iterations)
        mask_samples.on_epoch_end(0)
    write_validation(mask_samples._writer, model, {"loss": 1.0})
    assert {tag: list(points) for tag, points in points_in(tmp_path).items()} == {
        "masks filled by the model": [10],
        "validation/loss": [10],
    }


def points_in(directory):
    points = {}
    for path in directory.glob("events*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                points.setdefault(value.tag, {})[event.step] = tf.make_ndarray(value.tensor)
    return points


def test_curves_of_any_model_and_optimizer(tmp_path, tiny_config):
    """Loss scaling shows its scale; without a meter the workload says what was read."""
    workload = Workload(tiny_config, 4, length=8, tokens_per_example=6.0)
    curves = TensorBoardScalars(tf.summary.create_file_writer(str(tmp_path)), workload)
    model = keras.Sequential([keras.layers.Dense(1)])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), initial_scale=8.0)
    model.compile(optimizer, "mse")
    rows = tf.data.Dataset.from_tensors((np.ones((4, 2)), np.ones((4, 1)))).repeat()
    model.fit(rows, epochs=2, steps_per_epoch=3, callbacks=[curves], verbose=0)
    points = points_in(tmp_path)
    assert points["optimizer/loss_scale"] == {3: 8.0, 6: 8.0}
    assert points["optimizer/learning_rate"] == {3: 0.5, 6: 0.5}
    assert points["speed/padding_fraction"] == {3: 0.25, 6: 0.25}
    assert "speed/input_wait_fraction" not in points
    medians = curves.medians()
    assert medians["tokens_per_second"] == pytest.approx(6 * medians["sequences_per_second"])


def test_a_full_disk_is_one_line(tmp_path):
    code = """
import resource, sys
import tensorflow as tf
from keras_bert.errors import InputError
from keras_bert.training.summary_writer import points_at
writer = tf.summary.create_file_writer(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
try:
    for step in range(100):
        with points_at(writer, step):
            tf.summary.scalar("loss", 1.0)
except InputError as error:
    print(error, end="")
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert answer.startswith("cannot write TensorBoard's file")
    assert "File too large" in answer
