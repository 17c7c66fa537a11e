"""The reference's part of `question_answering.py`, run by the interpreter that has it.

    garden/bin/python benchmarks/question_answering_peer.py DIRECTORY

It makes the features of `data.json` and answers its questions from the logits in `logits.npz`. It
imports nothing of ours.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from official.nlp.data import squad_lib
from official.nlp.tools.tokenization import FullTokenizer

DIRECTORY = Path(sys.argv[1])
SETTINGS = json.loads((DIRECTORY / "settings.json").read_text())

examples = squad_lib.read_squad_examples(
    str(DIRECTORY / "data.json"), is_training=True, version_2_with_negative=True
)
features: list = []
squad_lib.convert_examples_to_features(
    examples,
    FullTokenizer(str(DIRECTORY / "vocab.txt"), do_lower_case=True),
    SETTINGS["sequence_length"],
    SETTINGS["stride"],
    SETTINGS["query_length"],
    is_training=True,
    output_fn=features.append,
)
logits = dict(np.load(DIRECTORY / "logits.npz"))
results = [
    SimpleNamespace(unique_id=feature.unique_id, start_logits=starts, end_logits=ends)
    for feature, starts, ends in zip(
        features, logits["start_logits"].tolist(), logits["end_logits"].tolist(), strict=True
    )
]
predictions, best, odds = squad_lib.postprocess_output(
    examples,
    features,
    results,
    SETTINGS["n_best"],
    SETTINGS["max_answer_length"],
    do_lower_case=True,
    version_2_with_negative=True,
)
result = {
    "version": f"tf-models-official {version('tf-models-official')}",
    "ids": [example.qas_id for example in examples],
    "example": [feature.example_index for feature in features],
    "token_ids": [feature.input_ids for feature in features],
    "targets": [[feature.start_position, feature.end_position] for feature in features],
    "predictions": predictions,
    "best": best,
    "odds": odds,
}
(DIRECTORY / "result.json").write_text(json.dumps(result), encoding="utf-8")
