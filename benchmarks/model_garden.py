"""Our models against the TensorFlow Model Garden's, with the same weights: are the outputs equal?

    python -m venv garden && garden/bin/pip install tf-models-official
    python benchmarks/model_garden.py --python garden/bin/python

The Model Garden needs Keras 2, and so an environment of its own; `model_garden_peer.py` runs there.
Both ways: what it writes (both encoders, the pre-trainer, a training run, and what its converter
makes of a google-research/bert folder, whose tensors must stay as they are) is opened here; what we
write is opened there, where every tensor must find its place. Random weights of a 4-layer model,
rows with and without padding. The largest absolute differences are printed and written to
`benchmarks/results/model_garden.json`; the script fails above 1e-5.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import keras
import machine
import numpy as np

from keras_bert import BertConfig, BertEncoder, BertPretrainer
from keras_bert.checkpoints import google, model_garden
from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.checkpoints.formats import format_of

VOCABULARY, LENGTH, TOLERANCE = 1000, 20, 1e-5
PEER = Path(__file__).parent / "model_garden_peer.py"


def features() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    positions = np.arange(LENGTH)
    mask = positions < np.array([[LENGTH], [12], [3]])
    return {
        "token_ids": (random.integers(5, VOCABULARY, mask.shape) * mask).astype("int32"),
        "segment_ids": ((positions > 8) & mask).astype("int32"),
        "padding_mask": mask,
        "masked_positions": np.tile(positions.astype("int32"), (len(mask), 1)),
    }


def outputs(model: BertEncoder | BertPretrainer) -> dict[str, np.ndarray]:
    inputs = {name: features()[name] for name in model.input_signature()}
    return {name: np.asarray(x) for name, x in model(inputs).items()}


def with_random_weights(model: BertEncoder | BertPretrainer) -> BertEncoder | BertPretrainer:
    """Biases and LayerNorm too, which begin as zeros and ones."""
    random = np.random.default_rng(1)
    for variable in model.weights:
        if "seed" not in variable.path:
            variable.assign(variable + 0.05 * random.standard_normal(variable.shape))
    return model


def difference(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> dict[str, float]:
    mask = features()["padding_mask"]
    differences = {}
    for name, array in other.items():
        difference = np.abs(one[name] - array)
        # Of what has a place for each token, the real ones: padding is not computed here.
        places = mask if difference.shape[:2] == mask.shape else slice(None)
        differences[name] = float(difference[places].max())
    return differences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", required=True, help="interpreter that has tf-models-official")
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)
    config = BertConfig.from_name("L4-H256", vocabulary_size=VOCABULARY)
    models = {
        "encoder": with_random_weights(BertEncoder(config)),
        "pretrainer": with_random_weights(BertPretrainer(config)),
    }
    differences: dict[str, dict[str, dict[str, float]]] = {"we write": {}, "they write": {}}
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        np.savez(directory / "features.npz", **features())
        google.write(Checkpoint.of(models["pretrainer"]), directory / "google")
        for name, model in models.items():
            model_garden.write(Checkpoint.of(model), directory / "ours" / name)
        subprocess.run([arguments.python, str(PEER), temporary], check=True)
        for path in sorted(directory.glob("ours/*/*.npz")):
            name = path.parent.name
            differences["we write"][f"{name} in {path.stem}"] = difference(
                outputs(models[name]), dict(np.load(path))
            )
        original = google.read(directory / "google").arrays
        for path in sorted(directory.glob("theirs/*.npz")):
            folder = path.with_suffix("")
            assert format_of(folder) is model_garden
            if path.stem.startswith("converted"):
                for name, array in model_garden.read(folder).arrays.items():
                    np.testing.assert_array_equal(array, original[name])
            expected = dict(np.load(path))
            # The heads of a checkpoint decide which model it makes here.
            kind = BertPretrainer if "next_sentence_logits" in expected else BertEncoder
            differences["they write"][path.stem] = difference(
                outputs(kind.from_checkpoint(folder)), expected
            )
        versions = (directory / "versions.txt").read_text()
    result = {
        "question": "largest absolute difference of the outputs",
        "versions": versions,
        "differences": differences,
        "machine": machine.line(),
    }
    print(json.dumps(result, indent=2))
    path = Path(__file__).parent / "results" / "model_garden.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    worst = max(
        value for part in differences.values() for row in part.values() for value in row.values()
    )
    if worst > TOLERANCE:
        raise SystemExit(f"largest difference {worst:.1e}, allowed {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
