"""The encoder with its padding and without: how much faster, for which share of real tokens?

    python benchmarks/unpadding.py [L4-H512] [float32]

One graph call of inference and one with gradients, both kinds in turns; outputs on real tokens are
compared first. Medians and ratios are printed and written to `benchmarks/results/unpadding.json`.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import machine
import numpy as np
import tensorflow as tf

from keras_bert import BertConfig, BertEncoder

BATCHES = ((8, 128, 1.0), (8, 128, 0.5), (32, 64, 0.4), (32, 128, 0.25))
ROUNDS = 7


def features(batch: int, length: int, share: float) -> dict[str, np.ndarray]:
    """Rows with lengths spread evenly around `share` of the columns."""
    lengths = np.linspace(max(2 * share - 1, 0), min(2 * share, 1), batch) * length
    mask = np.arange(length) < np.maximum(lengths.astype(int), 3)[:, np.newaxis]
    ids = np.random.default_rng(0).integers(1000, 30000, mask.shape) * mask
    zeros = np.zeros(mask.shape, "int32")
    return {"token_ids": ids.astype("int32"), "segment_ids": zeros, "padding_mask": mask}


def calls(encoder: BertEncoder) -> dict[str, tf.types.experimental.PolymorphicFunction]:
    variables = [variable.value for variable in encoder.trainable_variables]

    @tf.function
    def inference(inputs):
        return encoder(inputs)["sequence_output"]

    @tf.function
    def gradients(inputs):
        with tf.GradientTape() as tape:
            outputs = encoder(inputs, training=True)["sequence_output"]
            loss = tf.reduce_mean(tf.square(tf.cast(outputs, tf.float32)[:, 0]))
        return tape.gradient(loss, variables)

    return {"inference": inference, "with gradients": gradients}


def main() -> None:
    name, policy = [*sys.argv[1:], *("L4-H512", "float32")[len(sys.argv) - 1 :]]
    config = BertConfig.from_name(name, dropout=0.0, attention_dropout=0.0)
    padded = BertEncoder(config, unpadding=False, dtype=policy)
    unpadded = BertEncoder(config, unpadding=True, dtype=policy)
    unpadded.set_weights(padded.get_weights())
    contenders = {"padded": calls(padded), "unpadded": calls(unpadded)}
    rows = []
    for batch, length, share in BATCHES:
        inputs = features(batch, length, share)
        mask = inputs["padding_mask"]
        outputs = [c["inference"](inputs).numpy()[mask] for c in contenders.values()]
        difference = float(np.abs(np.subtract(*outputs, dtype="float32")).max())
        for kind in ("inference", "with gradients"):
            seconds: dict[str, list[float]] = {who: [] for who in contenders}
            for _ in range(ROUNDS):
                for who, functions in contenders.items():
                    started = time.perf_counter()
                    functions[kind](inputs)
                    seconds[who].append(time.perf_counter() - started)
            medians = {who: statistics.median(times[1:]) for who, times in seconds.items()}
            ratio = medians["padded"] / medians["unpadded"]
            rows.append(
                {
                    "batch": batch,
                    "length": length,
                    "real_share": round(float(mask.mean()), 2),
                    "kind": kind,
                    "milliseconds": {who: round(1e3 * s, 1) for who, s in medians.items()},
                    "ratio": round(ratio, 2),
                    "largest_difference": difference,
                }
            )
            print(f"{batch} x {length}, {mask.mean():.2f} real, {kind}: {ratio:.2f}x")
    result = {"model": name, "policy": policy, "rows": rows, "machine": machine.line()}
    path = Path(__file__).parent / "results" / "unpadding.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
