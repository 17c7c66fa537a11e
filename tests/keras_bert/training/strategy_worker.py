"""Trains every kind of model on the same batches in several ways and writes what came out.

`python -m tests.keras_bert.training.strategy_worker local|workers DIRECTORY`, where devices can
still be set: `local` on one device, on two and in accumulation steps; `workers` as one of the
processes of `TF_CONFIG`.
"""

import json
import os
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_bert.config import BertConfig
from keras_bert.layers import tensorflow_kernels
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.models.tagger import BertTagger
from keras_bert.training.losses import pretraining_losses
from keras_bert.training.optimizer import BertAdamW
from keras_bert.training.strategy import make_strategy

CONFIG = BertConfig(
    vocabulary_size=50,
    num_layers=1,
    hidden_dim=16,
    num_heads=2,
    intermediate_dim=32,
    max_sequence_length=16,
    dropout=0.0,
    attention_dropout=0.0,
)
# The last of 20 batches leaves the second replica without an example.
BATCH, ROWS, LENGTH, PREDICTIONS = 6, 6 * 19 + 1, 10, 3
EVALUATED = 2 * BATCH + 1


def cross_entropy(**options):
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, **options)


def accuracy():
    return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]


def data():
    random = np.random.default_rng(0)
    real = np.arange(LENGTH) < random.integers(4, LENGTH + 1, ROWS)[:, np.newaxis]
    features = {
        "token_ids": (random.integers(5, 50, real.shape) * real).astype("int32"),
        "segment_ids": ((np.arange(LENGTH) > 5) & real).astype("int32"),
        "padding_mask": real,
    }
    masked = (ROWS, PREDICTIONS)
    positions = random.integers(0, 4, masked).astype("int32")
    masked_ids = random.integers(5, 50, masked).astype("int32")
    masked_weights = (random.random(masked) < 0.6).astype("float32")
    labels = random.integers(0, 2, ROWS).astype("int32")
    # Some places are left out by a mask that the loss attaches.
    tags = np.where(random.random(real.shape) < 0.8, random.integers(0, 4, real.shape), -1)
    places = random.integers(0, 4, (2, ROWS)).astype("int32")
    pretraining = {**features, "masked_positions": positions}
    both = {"masked_lm_logits": masked_ids, "next_sentence_logits": labels}
    weights = {"masked_lm_logits": masked_weights, "next_sentence_logits": np.ones(ROWS, "float32")}
    masked_only = ({"masked_lm_logits": part["masked_lm_logits"]} for part in (both, weights))
    mask = np.tril(np.ones((LENGTH, LENGTH), bool)) & real[:, np.newaxis]
    return {
        "pretrainer": (pretraining, both, weights),
        "masked_lm": ({**pretraining, "attention_mask": mask}, *masked_only),
        "classifier": (features, labels),
        "tagger": (features, tags.astype("int32"), real.astype("float32")),
        "spans": (features, {"start_logits": places[0], "end_logits": places[1]}),
    }


def compiled(name, **options):
    if name in ("pretrainer", "masked_lm"):
        pairs = name == "pretrainer"
        model, arguments = (
            BertPretrainer(CONFIG, next_sentence=pairs),
            pretraining_losses(pairs=pairs),
        )
    elif name == "classifier":
        model = BertClassifier(CONFIG, num_classes=2)
        arguments = {"loss": cross_entropy(), "metrics": accuracy()}
    elif name == "tagger":
        model = BertTagger(CONFIG, num_tags=4)
        loss = cross_entropy(ignore_class=-1)
        arguments = {"loss": loss, "weighted_metrics": accuracy()}
    else:
        model, arguments = BertSpanPredictor(CONFIG), {"loss": cross_entropy()}
    # Every gradient is longer than the clipping. With the usual epsilon Adam would make steps of
    # the gradients of biases that a softmax cancels, which are rounding alone.
    optimizer = BertAdamW(1e-3, global_clipnorm=0.1, epsilon=1e-4)
    model.compile(optimizer, **arguments, **options)
    return model


def train(name, arrays, strategy, *, accumulation=1, **options):
    """What training, evaluation and prediction give, as a flat dictionary."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = compiled(name, **options)
    model.gradient_accumulation_steps = accumulation
    dataset = tf.data.Dataset.from_tensor_slices(arrays)
    history = model.fit(dataset.batch(BATCH), verbose=0, shuffle=False).history
    results = {f"fit/{name}": values[-1] for name, values in history.items()}
    if accumulation == 1 and not options:
        results |= measured(model, dataset.take(EVALUATED).batch(BATCH))
    for index, variable in enumerate(model.weights):
        results[f"weights/{index}"] = keras.ops.convert_to_numpy(variable)
    results["iterations"] = keras.ops.convert_to_numpy(model.optimizer.iterations)
    return results


def measured(model, dataset):
    logs = model.evaluate(dataset, verbose=0, return_dict=True)
    outputs = keras.tree.flatten(model.predict(dataset, verbose=0))
    return {f"evaluate/{name}": value for name, value in logs.items()} | {
        f"predict/{index}": output for index, output in enumerate(outputs)
    }


def main(mode, directory):
    # Less to trace: kernels as they are for small tensors. One classifier has them all, and drops
    # its padding.
    choose = tensorflow_kernels.is_compiled_by_xla
    # Optimising graphs would take most of the time.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    if mode == "local":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * 2
        )
        mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        one = tf.distribute.get_strategy()
        ways = {
            "one": (one, {}),
            "mirrored": (mirrored, {}),
            "accumulated": (one, {"accumulation": 4}),
        }
        more = {
            "pretrainer": {
                "mirrored_accumulated": (mirrored, {"accumulation": 2}),
                "mirrored_execution": (mirrored, {"steps_per_execution": 3}),
            }
        }
    else:
        index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
        ways, more = {f"worker_{index}": (make_strategy("multi_worker", BATCH), {})}, {}
    for name, arrays in data().items():
        for way, (strategy, options) in (ways | more.get(name, {})).items():
            whole = (name, way) == ("classifier", "mirrored")
            tensorflow_kernels.is_compiled_by_xla = choose if whole else lambda: True
            results = train(name, arrays, strategy, **options)
            np.savez(Path(directory) / f"{name}-{way}.npz", **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
