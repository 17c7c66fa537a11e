"""The official scripts' part of `squad_metrics.py`, run by the interpreter that has them.

    garden/bin/python benchmarks/squad_metrics_peer.py CASES RESULTS

It scores each case with the Model Garden's copies of `evaluate-v1.1.py` and `evaluate-v2.0.py`. It
imports nothing of ours.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

from official.nlp.tools import squad_evaluate_v1_1, squad_evaluate_v2_0


def scores(case: dict) -> dict[str, dict[str, float]]:
    names = [str(i) for i in range(len(case["predictions"]))]
    questions = [
        {"id": name, "answers": [{"text": text} for text in texts]}
        for name, texts in zip(names, case["answers"], strict=True)
    ]
    dataset = [{"paragraphs": [{"qas": questions}]}]
    predictions = dict(zip(names, case["predictions"], strict=True))
    null_scores = dict(zip(names, case["null_scores"], strict=True))
    found = {"2.0": squad_evaluate_v2_0.evaluate(dataset, predictions)}
    # The script's own threshold, 1, is one of probabilities; these scores go into the search alone.
    search = squad_evaluate_v2_0.evaluate(dataset, predictions, null_scores)
    found["thresholds"] = {
        name.replace("final", "best"): value
        for name, value in search.items()
        if name.startswith("final_")
    }
    found["2.0"] = {
        name: value
        for name, value in found["2.0"].items()
        if not name.startswith(("final_", "pr_"))
    }
    if all(case["answers"]):
        shares = squad_evaluate_v1_1.evaluate(dataset, predictions)
        found["1.1"] = {
            name: 100 * shares[theirs]
            for name, theirs in (("exact_match", "exact_match"), ("f1", "final_f1"))
        }
    return found


cases = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
result = {
    "version": f"tf-models-official {version('tf-models-official')}",
    "scores": [scores(case) for case in cases],
}
Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")
