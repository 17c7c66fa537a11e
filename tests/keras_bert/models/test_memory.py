"""Training again and again in one process holds its memory."""

import gc
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
    pytest.skip("graphs of TensorFlow", allow_module_level=True)

from tensorflow.python.framework import ops  # noqa: E402

from keras_bert.config import BertConfig  # noqa: E402
from keras_bert.models.classifier import BertClassifier  # noqa: E402

FITS = 12


class Loss(keras.losses.SparseCategoricalCrossentropy):
    """Knows the graphs in which it was called, without keeping them."""

    def __init__(self):
        super().__init__(from_logits=True)
        self.graphs = []

    def call(self, y_true, y_pred):
        self.graphs.append(weakref.ref(tf.compat.v1.get_default_graph()))
        return super().call(y_true, y_pred)


def fit(*, lengths=(8,), checkpointing=False, accumulation=1, dtype="float32", **compile_options):
    """Trains a new model, for a moment; on several lengths its step is traced again.

    Returns the graphs of the steps.
    """
    config = BertConfig(
        vocabulary_size=50,
        num_layers=1,
        hidden_dim=16,
        num_heads=2,
        intermediate_dim=32,
        max_sequence_length=16,
    )
    model = BertClassifier(config, num_classes=2, dtype=dtype)
    if checkpointing:
        model.encoder.enable_gradient_checkpointing()
    model.gradient_accumulation_steps = accumulation
    loss = Loss()
    model.compile(keras.optimizers.SGD(1e-3), loss, **compile_options)
    for length in lengths:
        features = {
            "token_ids": np.full((4, length), 7, "int32"),
            "segment_ids": np.zeros((4, length), "int32"),
            "padding_mask": np.ones((4, length), bool),
        }
        model.fit(features, np.array([0, 1, 0, 1]), batch_size=2, verbose=0)
    return loss.graphs


def entries():
    """Names in TensorFlow's table of gradients that each use adds, of which none is removed."""
    return [name for name in ops.gradient_registry.list() if name.startswith("CustomGradient")]


WAYS = {
    "traced again": {"lengths": (8, 9)},
    "checkpointing": {"checkpointing": True, "dtype": "mixed_bfloat16"},
    "accumulation": {"accumulation": 2},
    "several steps": {"steps_per_execution": 2, "dtype": "mixed_float16"},
}


@pytest.mark.parametrize("way", WAYS)
def test_no_graph_is_kept(way):
    before = entries()
    graphs = fit(**WAYS[way])
    gc.collect()
    assert graphs
    assert [graph() for graph in graphs] == [None] * len(graphs)
    assert entries() == before


@pytest.mark.slow
def test_no_graph_of_two_replicas_is_kept():
    assert in_a_fresh_process("print_what_two_replicas_leave") == ["0", "0"]


@pytest.mark.slow
def test_twelve_fits_hold_their_memory():
    memory = [int(line) for line in in_a_fresh_process("print_memory_of_fits")]
    assert len(memory) == FITS
    assert max(memory[2:]) < 1.05 * memory[1]


def in_a_fresh_process(function):
    """Words that a function of this module prints."""
    command = [sys.executable, "-c", f"from {__name__} import *; {function}()"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout.split()


def print_what_two_replicas_leave():
    """Entries that were added, and graphs that live."""
    (device,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        graphs = fit()
    gc.collect()
    print(len(entries()), sum(graph() is not None for graph in graphs))


def print_memory_of_fits():
    for _ in range(FITS):
        keras.utils.clear_session(free_memory=True)
        fit()
        gc.collect()
        with open("/proc/self/statm", encoding="utf-8") as file:
            print(file.read().split()[1], flush=True)
