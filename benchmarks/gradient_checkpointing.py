"""What gradient checkpointing saves in memory and costs in time.

    python benchmarks/gradient_checkpointing.py

BERT-base classifier, bfloat16 with float32 weights, batches of 32 x 128, SGD; with and without,
each in a process of its own, because a process' peak never falls. Results are printed and written
to `benchmarks/results/gradient_checkpointing.json`.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import machine
import numpy as np

BATCH, LENGTH, STEPS = 32, 128, 4


def measure(checkpointing: bool) -> dict[str, float]:
    import keras

    from keras_bert import BertClassifier, BertConfig

    model = BertClassifier(BertConfig.from_name("base"), num_classes=2, dtype="mixed_bfloat16")
    if checkpointing:
        model.encoder.enable_gradient_checkpointing()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    mask = np.ones((BATCH, LENGTH), bool)
    features = {
        "token_ids": np.random.default_rng(0).integers(1000, 30000, mask.shape).astype("int32"),
        "segment_ids": np.zeros(mask.shape, "int32"),
        "padding_mask": mask,
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(STEPS):
        started = time.perf_counter()
        model.train_on_batch(features, np.zeros(BATCH))
        seconds.append(time.perf_counter() - started)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"gigabytes": round((after - before) / 1e6, 2), "seconds": round(min(seconds), 2)}


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1] == "with")))
        return
    result = {"machine": machine.line()}
    for name in ("without", "with"):
        command = [sys.executable, __file__, name]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        result[name] = json.loads(output.splitlines()[-1])
        print(name, result[name])
    path = Path(__file__).parent / "results" / "gradient_checkpointing.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
