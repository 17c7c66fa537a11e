"""Where the encoder's time goes: TensorFlow's profiler, by kind of operation.

    python benchmarks/operations.py

BERT-base in bfloat16: an `InferenceFunction` on full rows of 8 x 128 and 8 x 512, and a training
step of a classifier with dropout 0.1 on 8 x 128. Shares of the time inside operations; XLA's
kernels are one kind. Results are printed and written to `benchmarks/results/operations.json`.
"""

import collections
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import machine
import numpy as np
import tensorflow as tf

# The profiler's own format; TensorBoard's plugin reads the same.
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from keras_bert import BertClassifier, BertConfig, BertEncoder
from keras_bert.inference import InferenceFunction
from keras_bert.training.optimizer import BertAdamW

STEPS, LEAST_SHARE = 3, 0.01
# Events around operations, and those inside XLA's.
_OUTER = ("__inference", "Run", "Execute", "Process", "Start")
_XLA = "ExecuteAsyncOnStream"


def features(batch: int, length: int) -> dict[str, np.ndarray]:
    ids = np.random.default_rng(0).integers(1000, 30000, (batch, length)).astype("int32")
    mask = np.ones(ids.shape, bool)
    return {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": mask}


def shares(call: Callable[[], Any]) -> dict[str, float]:
    """Shares of the time by kind of operation, the largest first."""
    for _ in range(3):
        call()
    times: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as directory:
        with tf.profiler.experimental.Profile(directory):
            for _ in range(STEPS):
                call()
        for path in Path(directory).rglob("*.xplane.pb"):
            for plane in xplane_pb2.XSpace.FromString(path.read_bytes()).planes:
                for event in (event for line in plane.lines for event in line.events):
                    _, colon, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                    kind = kind.strip()
                    if colon and kind.startswith(_XLA):
                        times["XLA's kernels"] += event.duration_ps
                    elif colon and " " not in kind and not kind.startswith(_OUTER):
                        times[kind] += event.duration_ps
    total = sum(times.values())
    return {
        kind: round(time / total, 3)
        for kind, time in times.most_common()
        if time >= LEAST_SHARE * total
    }


def with_random_biases(model):
    """TensorFlow leaves out additions of zero."""
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if variable.path.endswith(("bias", "beta")):
            variable.assign(random.normal(0, 0.02, variable.shape))
    return model


def main() -> None:
    config = BertConfig.from_name("base")
    infer = InferenceFunction(with_random_biases(BertEncoder(config)), precision="bfloat16")
    model = BertClassifier(config, num_classes=2, dtype="mixed_bfloat16")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(BertAdamW(1e-5), loss)
    labels, step = np.zeros(8), features(8, 128)
    result = {}
    for length in (128, 512):
        inputs = {name: tf.constant(array) for name, array in features(8, length).items()}
        result[f"inference, 8 x {length}"] = shares(lambda inputs=inputs: infer(inputs))
    result["training step, 8 x 128"] = shares(lambda: model.train_on_batch(step, labels))
    for name, rows in result.items():
        print(name, rows)
    result["machine"] = machine.line()
    path = Path(__file__).parent / "results" / "operations.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
