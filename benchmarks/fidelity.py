"""Our models against those of `transformers`, with the same weights: are the outputs equal?

    pip install transformers torch
    python benchmarks/fidelity.py

Both ways: what we write is opened by `transformers`, what it writes is opened by us. Random
weights of a 4-layer model, rows with and without padding; logits of tokens are compared on real
tokens. The largest absolute differences are printed and written to
`benchmarks/results/fidelity.json`; the script fails above 1e-4, or if `transformers` misses a
tensor or meets one it does not expect.
"""

import json
import tempfile
from pathlib import Path

import machine
import numpy as np
import torch
import transformers

from keras_bert import (
    BertClassifier,
    BertConfig,
    BertMultipleChoice,
    BertPretrainer,
    BertSpanPredictor,
    BertTagger,
    BertTokenizer,
)
from keras_bert.text.vocabulary import SPECIAL_TOKENS

VOCABULARY, LENGTH, LABELS = 1000, 20, ["no", "yes", "perhaps"]
TOLERANCE = 1e-4
MODELS = {
    BertPretrainer: transformers.BertForPreTraining,
    BertClassifier: transformers.BertForSequenceClassification,
    BertTagger: transformers.BertForTokenClassification,
    BertSpanPredictor: transformers.BertForQuestionAnswering,
    BertMultipleChoice: transformers.BertForMultipleChoice,
}
# Outputs of transformers by ours, of models that have several.
NAMES = {
    "masked_lm_logits": "prediction_logits",
    "next_sentence_logits": "seq_relationship_logits",
    "start_logits": "start_logits",
    "end_logits": "end_logits",
}
# What the one output of the others, `logits`, is called in the result.
SINGLE = {BertClassifier: "classes", BertTagger: "tags", BertMultipleChoice: "choices"}


def features(make: type) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    lengths = np.array([[LENGTH], [12], [3]])
    if make is BertMultipleChoice:
        lengths = np.stack([lengths, lengths[::-1]], axis=1)
    mask = np.arange(LENGTH) < lengths
    return {
        "token_ids": (random.integers(5, VOCABULARY, mask.shape) * mask).astype("int32"),
        "segment_ids": ((np.arange(LENGTH) > 8) & mask).astype("int32"),
        "padding_mask": mask,
    }


def ours(model) -> dict[str, np.ndarray]:
    inputs = features(type(model))
    if isinstance(model, BertPretrainer):
        rows = len(inputs["token_ids"])
        inputs["masked_positions"] = np.tile(np.arange(LENGTH, dtype="int32"), (rows, 1))
    outputs = model(inputs)
    if not isinstance(outputs, dict):
        outputs = {SINGLE[type(model)]: outputs}
    return {name: np.asarray(tensor) for name, tensor in outputs.items()}


def theirs(model, make: type) -> dict[str, np.ndarray]:
    names = {"token_ids": "input_ids", "segment_ids": "token_type_ids"}
    inputs = {
        names.get(name, "attention_mask"): torch.tensor(array).long()
        for name, array in features(make).items()
    }
    with torch.no_grad():
        outputs = model.eval()(**inputs)
    if make in SINGLE:
        return {SINGLE[make]: outputs.logits.numpy()}
    return {name: outputs[key].numpy() for name, key in NAMES.items() if key in outputs}


def difference(model, their_model) -> dict[str, float]:
    make = type(model)
    one, other = ours(model), theirs(their_model, make)
    mask = features(make)["padding_mask"]
    if one.keys() != other.keys():
        raise SystemExit(f"outputs differ: {sorted(one)} and {sorted(other)}")
    differences = {}
    for name in one:
        difference = np.abs(one[name] - other[name])
        # Of what has a place for each token, the real ones: padding is not computed here.
        places = mask if difference.shape[:2] == mask.shape else slice(None)
        differences[name] = float(difference[places].max())
    return differences


def main() -> None:
    config = BertConfig.from_name("L4-H256", vocabulary_size=VOCABULARY)
    pieces = [f"w{index}" for index in range(VOCABULARY - len(SPECIAL_TOKENS))]
    tokenizer = BertTokenizer([*SPECIAL_TOKENS, *pieces])
    differences: dict[str, dict[str, float]] = {"we write": {}, "transformers writes": {}}
    with tempfile.TemporaryDirectory() as directory:
        for make, their_class in MODELS.items():
            named = {"labels": LABELS} if make in (BertClassifier, BertTagger) else {}
            model = make(config, **named)
            written = Path(directory) / their_class.__name__
            model.save_checkpoint(written, tokenizer=tokenizer)
            their_model, loading = their_class.from_pretrained(written, output_loading_info=True)
            if loading["missing_keys"] or loading["unexpected_keys"]:
                raise SystemExit(f"tensors differ: {loading}")
            differences["we write"] |= difference(model, their_model)

            torch.manual_seed(1)
            fresh = their_class(their_model.config)
            rewritten = Path(directory) / f"{their_class.__name__}-back"
            fresh.save_pretrained(rewritten)
            back = make.from_checkpoint(rewritten)
            differences["transformers writes"] |= difference(back, fresh)
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
