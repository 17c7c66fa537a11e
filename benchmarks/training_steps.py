"""Steps of fine-tuning here and in torch, from the same weights on the same batches.

    python benchmarks/training_steps.py MODEL --torch-python PYTHON

Without dropout, so that nothing is left to chance: a classifier on MODEL, a directory in Hugging
Face's format, takes ten steps of `BertAdamW` with bias correction on batches of random tokens;
`training_steps_torch.py` takes them with `transformers` and torch's AdamW. Compared are the losses,
the norms of the gradients, and how far the weights end from each other, as a share of the way that
they went. The biases of the keys are left out: their gradient is zero but for rounding. Figures are
printed and written to `benchmarks/results/training_steps.json`.
"""

import argparse
import dataclasses
import json
import subprocess
import tempfile
from pathlib import Path

import keras
import machine
import numpy as np
from safetensors.numpy import load_file

from keras_bert import BertClassifier, BertConfig
from keras_bert.checkpoints.huggingface import read_settings
from keras_bert.training.optimizer import BertAdamW, WarmUpLinearDecay

STEPS, WARM_UP, TOTAL, RATE = 10, 4, 200, 1e-4
BATCH, LENGTH, CLASSES = 32, 48, 3
PEER = Path(__file__).with_name("training_steps_torch.py")


def batches(vocabulary_size: int) -> dict[str, np.ndarray]:
    """Rows of random tokens and lengths, and classes."""
    random = np.random.default_rng(0)
    lengths = random.integers(3, LENGTH + 1, (STEPS, BATCH))
    is_real = np.arange(LENGTH) < lengths[..., np.newaxis]
    ids = random.integers(1000, vocabulary_size, is_real.shape)
    return {
        "token_ids": np.where(is_real, ids, 0).astype("int32"),
        "segment_ids": (is_real & (np.arange(LENGTH) > lengths[..., np.newaxis] // 2)).astype(
            "int32"
        ),
        "padding_mask": is_real,
        "labels": random.integers(0, CLASSES, (STEPS, BATCH)).astype("int32"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--torch-python", required=True)
    arguments = parser.parse_args()
    config = BertConfig.from_dict(read_settings(arguments.model))
    config = dataclasses.replace(config, dropout=0.0, attention_dropout=0.0)
    keras.utils.set_random_seed(0)
    model = BertClassifier(config, num_classes=CLASSES)
    pretrained = BertClassifier.from_checkpoint(arguments.model, num_classes=CLASSES)
    model.set_weights(pretrained.get_weights())
    arrays = batches(config.vocabulary_size)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        model.save_checkpoint(directory / "before")
        np.savez(directory / "batches.npz", **arrays)
        losses, norms = train(model, arrays)
        settings = {"rate": RATE, "warm_up": WARM_UP, "total": TOTAL}
        (directory / "settings.json").write_text(json.dumps(settings))
        subprocess.run([arguments.torch_python, str(PEER), temporary], check=True)
        theirs = json.loads((directory / "result.json").read_text())
        model.save_checkpoint(directory / "after")
        before, after = (
            load_file(directory / name / "model.safetensors") for name in ("before", "after")
        )
        ends = np.load(directory / "weights.npz")
        shares = {
            name: float(np.linalg.norm(after[name] - ends[name]) / np.linalg.norm(way))
            for name in ends.files
            if np.linalg.norm(way := ends[name] - before[name]) and "self.key.bias" not in name
        }
    result = {
        "question": "how far apart do ten steps end",
        "peer": theirs["version"],
        "largest difference of a loss": float(np.abs(np.subtract(losses, theirs["losses"])).max()),
        "largest relative difference of a gradient's norm": float(
            np.abs(np.divide(norms, theirs["norms"]) - 1).max()
        ),
        "tensors": len(shares),
        "largest difference of weights, as a share of the way": max(shares.values()),
        "that of": max(shares, key=shares.get),
        "machine": machine.line(),
    }
    print(json.dumps(result, indent=2))
    path = Path(__file__).parent / "results" / "training_steps.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


def train(model: BertClassifier, arrays: dict[str, np.ndarray]) -> tuple[list, list]:
    """Losses and norms of the gradients of each step."""
    schedule = WarmUpLinearDecay(RATE, total_steps=TOTAL, warmup_steps=WARM_UP)
    optimizer = BertAdamW(schedule, bias_correction=True)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    losses, norms = [], []
    for step in range(STEPS):
        features = {name: array[step] for name, array in arrays.items() if name != "labels"}
        model.reset_metrics()
        losses.append(float(model.train_on_batch(features, arrays["labels"][step])))
        norms.append(float(np.asarray(optimizer.gradient_norm)))
    return losses, norms


if __name__ == "__main__":
    main()
