"""Our models against those of `transformers`, with the same weights: are the outputs equal?

    pip install transformers torch
    python benchmarks/fidelity.py

Both ways: what we write is opened by `transformers`, what it writes is opened by us. Random
weights of a 4-layer model, rows with and without padding. The largest absolute differences are
printed and written to `benchmarks/results/fidelity.json`; the script fails above 1e-4.
"""

import json
import tempfile
from pathlib import Path

import machine
import numpy as np
import torch
import transformers

from keras_bert import BertClassifier, BertConfig, BertPretrainer, BertTokenizer
from keras_bert.text.vocabulary import SPECIAL_TOKENS

VOCABULARY, LENGTH, LABELS = 1000, 20, ["no", "yes", "perhaps"]
TOLERANCE = 1e-4


def features() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    positions = np.arange(LENGTH)
    mask = positions < np.array([[LENGTH], [12], [3]])
    return {
        "token_ids": (random.integers(5, VOCABULARY, mask.shape) * mask).astype("int32"),
        "segment_ids": ((positions > 8) & mask).astype("int32"),
        "padding_mask": mask,
    }


def ours(model) -> dict[str, np.ndarray]:
    inputs = features()
    if isinstance(model, BertClassifier):
        return {"classification": np.asarray(model(inputs))}
    every = np.tile(np.arange(LENGTH, dtype="int32"), (len(inputs["token_ids"]), 1))
    return {name: np.asarray(x) for name, x in model({**inputs, "masked_positions": every}).items()}


def theirs(model) -> dict[str, np.ndarray]:
    names = {"token_ids": "input_ids", "segment_ids": "token_type_ids"}
    inputs = {
        names.get(name, "attention_mask"): torch.tensor(array).long()
        for name, array in features().items()
    }
    with torch.no_grad():
        outputs = model.eval()(**inputs)
    if isinstance(model, transformers.BertForSequenceClassification):
        return {"classification": outputs.logits.numpy()}
    return {
        "masked_lm_logits": outputs.prediction_logits.numpy(),
        "next_sentence_logits": outputs.seq_relationship_logits.numpy(),
    }


def difference(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> dict[str, float]:
    return {name: float(np.abs(one[name] - other[name]).max()) for name in one}


def main() -> None:
    config = BertConfig.from_name("L4-H256", vocabulary_size=VOCABULARY)
    pieces = [f"w{index}" for index in range(VOCABULARY - len(SPECIAL_TOKENS))]
    tokenizer = BertTokenizer([*SPECIAL_TOKENS, *pieces])
    pairs = (
        (BertPretrainer(config), transformers.BertForPreTraining),
        (BertClassifier(config, labels=LABELS), transformers.BertForSequenceClassification),
    )
    differences: dict[str, dict[str, float]] = {"we write": {}, "transformers writes": {}}
    with tempfile.TemporaryDirectory() as directory:
        for model, their_class in pairs:
            written = Path(directory) / their_class.__name__
            model.save_checkpoint(written, tokenizer=tokenizer)
            their_model, loading = their_class.from_pretrained(written, output_loading_info=True)
            if loading["missing_keys"] or loading["unexpected_keys"]:
                raise SystemExit(f"tensors differ: {loading}")
            differences["we write"] |= difference(ours(model), theirs(their_model))

            torch.manual_seed(1)
            fresh = their_class(their_model.config)
            rewritten = Path(directory) / f"{their_class.__name__}-back"
            fresh.save_pretrained(rewritten)
            back = type(model).from_checkpoint(rewritten)
            differences["transformers writes"] |= difference(ours(back), theirs(fresh))
    result = {
        "question": "largest absolute difference of the logits",
        "versions": f"transformers {transformers.__version__}, torch {torch.__version__}",
        "differences": differences,
        "machine": machine.line(),
    }
    print(json.dumps(result, indent=2))
    path = Path(__file__).parent / "results" / "fidelity.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    worst = max(value for part in differences.values() for value in part.values())
    if worst > TOLERANCE:
        raise SystemExit(f"largest difference {worst:.1e}, allowed {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
