"""Steps of training of two versions of this package, in turns.

    git worktree add ../before REVISION
    python benchmarks/versions.py ../before . [L4-H256] [base] [--dtype float32]

Each version is a process that has the same model, batch and optimizer under `model.fit`: a
pre-trainer, and full rows of 128 tokens with 20 predictions. The processes take turns, so that what
else the machine does meets both; the ratio is the median over pairs of turns. Results are printed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

LENGTH, PREDICTIONS = 128, 20
BATCHES = {"L4-H256": 32, "base": 16}
FIRST_STEPS, TURNS, SECONDS_OF_A_TURN = 3, 15, 3


def work(name: str, dtype: str) -> None:
    """For each number of steps on standard input, prints the seconds that they take."""
    import numpy as np
    import tensorflow as tf

    from keras_bert import BertConfig, BertPretrainer
    from keras_bert.training.losses import pretraining_losses
    from keras_bert.training.optimizer import BertAdamW

    config, random = BertConfig.from_name(name), np.random.default_rng(0)
    rows = BATCHES[name]
    positions = [random.choice(LENGTH - 2, PREDICTIONS, replace=False) + 1 for _ in range(rows)]
    inputs = {
        "token_ids": random.integers(1000, config.vocabulary_size, (rows, LENGTH)).astype("int32"),
        "segment_ids": np.zeros((rows, LENGTH), "int32"),
        "padding_mask": np.ones((rows, LENGTH), bool),
        "masked_positions": np.sort(np.array(positions)).astype("int32"),
    }
    targets = {
        "masked_lm_logits": random.integers(1000, config.vocabulary_size, (rows, PREDICTIONS)),
        "next_sentence_logits": random.integers(0, 2, rows),
    }
    weights = {name: np.ones(array.shape, "float32") for name, array in targets.items()}
    model = BertPretrainer(config, dtype=dtype)
    model.compile(BertAdamW(1e-5), **pretraining_losses(), jit_compile=False)
    # The tuner of datasets may hold up the end of a turn for seconds.
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = tf.data.Dataset.from_tensors((inputs, targets, weights)).repeat().prefetch(2)
    dataset = dataset.with_options(options)
    for line in sys.stdin:
        started = time.perf_counter()
        model.fit(dataset, steps_per_epoch=int(line), verbose=0)
        print(json.dumps(time.perf_counter() - started), flush=True)


class Version:
    """A checkout whose steps are counted in a process of its own."""

    def __init__(self, checkout: str, name: str, dtype: str):
        root = str(Path(checkout).resolve())
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", name, "--dtype", dtype],
            env={**os.environ, "PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "2"},
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, steps: int) -> float:
        print(steps, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


def measure(checkouts: list[str], name: str, dtype: str) -> None:
    versions = [Version(checkout, name, dtype) for checkout in checkouts]
    first = [version.seconds(FIRST_STEPS) for version in versions]
    each = min(version.seconds(FIRST_STEPS) for version in versions) / FIRST_STEPS
    steps = max(1, round(SECONDS_OF_A_TURN / each))
    turns = []
    for turn in range(TURNS):
        order = versions if turn % 2 else versions[::-1]
        found = {id(version): version.seconds(steps) / steps for version in order}
        turns.append([found[id(version)] for version in versions])
    for version in versions:
        version.process.stdin.close()
        version.process.wait()
    for checkout, started, times in zip(checkouts, first, zip(*turns, strict=True), strict=True):
        print(
            f"{name}, {dtype}, {checkout}: {1000 * statistics.median(times):.1f} ms a step, "
            f"first {FIRST_STEPS} steps {started:.1f} s"
        )
    ratios = [second / first for first, second in turns]
    print(f"{name}, {dtype}: the second takes {statistics.median(ratios):.3f} of the first's time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("arguments", nargs="*", help="two checkouts, then sizes of models")
    parser.add_argument("--dtype", default="float32", help="a policy of Keras")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.dtype)
        return
    import machine

    print(machine.line())
    for name in options.arguments[2:] or BATCHES:
        measure(options.arguments[:2], name, options.dtype)


if __name__ == "__main__":
    main()
