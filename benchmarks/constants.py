"""Which weights should be constants of the graph? Time and memory of each choice.

    pip install psutil
    python benchmarks/constants.py [L6-H768]

`InferenceFunction` with all weights as constants, with none, and as it chooses, on full rows of 32
tokens: milliseconds of a call, in turns, medians. Then each choice is saved, and a fresh process
loads it, answers twice, and tells how many megabytes it holds then. Results are printed and written
to `benchmarks/results/constants.json`.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import machine
import numpy as np
import psutil
import tensorflow as tf

from keras_bert import BertClassifier, BertConfig, inference
from keras_bert.inference import InferenceFunction

CHOICES = {
    "as InferenceFunction chooses": inference._pays_as_constant,
    "all constants": lambda variable: True,
    "none": lambda variable: False,
}
CALLS = {1: 20, 8: 6, 64: 2}  # of a turn, by rows
ROUNDS = 5
LENGTH = 32


def function_of(model: BertClassifier, precision: str, choice: str) -> InferenceFunction:
    inference._pays_as_constant = CHOICES[choice]
    return InferenceFunction(model, precision=precision)


def features(rows: int) -> dict[str, tf.Tensor]:
    ids = np.random.default_rng(0).integers(1000, 30000, (rows, LENGTH))
    return {
        "token_ids": tf.constant(ids, tf.int32),
        "segment_ids": tf.zeros(ids.shape, tf.int32),
        "padding_mask": tf.ones(ids.shape, tf.bool),
    }


def milliseconds(functions: dict[str, InferenceFunction], rows: int) -> dict[str, float]:
    inputs = features(rows)
    times: dict[str, list[float]] = {choice: [] for choice in functions}
    for function in functions.values():
        function(inputs)
    for _ in range(ROUNDS):
        for choice, function in functions.items():
            for _ in range(CALLS[rows]):
                started = time.perf_counter()
                function(inputs).numpy()
                times[choice].append(1000 * (time.perf_counter() - started))
    return {choice: round(statistics.median(found), 1) for choice, found in times.items()}


def megabytes(function: InferenceFunction) -> int:
    """What a process that has loaded and asked the function holds."""
    inputs = features(1)
    module = tf.Module()
    module.weights = function.variables
    with tempfile.TemporaryDirectory() as directory:
        signature = function.concrete_function(inputs)
        tf.saved_model.save(module, directory, signatures={"serving_default": signature})
        command = [sys.executable, __file__, "--load", directory]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(result.stdout.splitlines()[-1])


def load(directory: str) -> None:
    loaded = tf.saved_model.load(directory)
    for _ in range(2):
        loaded.signatures["serving_default"](**features(1))
    print(round(psutil.Process().memory_full_info().uss / 2**20))


def main() -> None:
    size = sys.argv[1] if len(sys.argv) > 1 else "L6-H768"
    model = BertClassifier(BertConfig.from_name(size), num_classes=2)
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        # As trained ones are: TensorFlow leaves out constants of zero and one, and fuses less.
        if variable.path.endswith(("bias", "beta", "gamma")):
            center = float(variable.path.endswith("gamma"))
            variable.assign(random.normal(center, 0.02, variable.shape))
    result: dict[str, object] = {"size": size, "machine": machine.line()}
    for precision in ("bfloat16", "float32"):
        functions = {choice: function_of(model, precision, choice) for choice in CHOICES}
        for rows in CALLS:
            key = f"{precision}, {rows} rows, ms"
            result[key] = milliseconds(functions, rows)
            print(key, json.dumps(result[key]), flush=True)
        for choice, function in functions.items():
            key = f"{precision}, {choice}, MB"
            result[key] = megabytes(function)
            print(key, result[key], flush=True)
    path = Path(__file__).parent / "results" / "constants.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    load(sys.argv[2]) if sys.argv[1:2] == ["--load"] else main()
