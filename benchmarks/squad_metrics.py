"""Our metrics of SQuAD against the official scripts: are they equal?

    python -m venv garden && garden/bin/pip install tf-models-official
    python benchmarks/squad_metrics.py --python garden/bin/python

The Model Garden has copies of the official scripts of SQuAD 1.1 and 2.0; `squad_metrics_peer.py`
runs them in their own environment. Thousands of small random data sets: answers out of few words,
so that many agree in part, with articles, punctuation of several scripts, unusual spaces and cases,
nothing at all, and null scores with many ties. The largest difference of each metric is printed and
written to `benchmarks/results/squad_metrics.json`; the script fails above 1e-9. `--golden FILE`
writes some of the cases with the scripts' scores for the tests.
"""

import argparse
import json
import random
import subprocess
import tempfile
from pathlib import Path

import machine

from keras_bert.tasks.squad_metrics import best_thresholds, squad_1_scores, squad_2_scores

CASES, GOLDEN, TOLERANCE = 4000, 25, 1e-9
PEER = Path(__file__).parent / "squad_metrics_peer.py"
PIECES = (
    *("the", "a", "an", "The", "AN", "a.", "the-", "cat", "Cat's", "cats", "dog", "1,000", "1000"),
    *("İstanbul", "ß", "SS", "é", "e\u0301", "你好", "。", "“cat”", "«", "_", "$", "'", "...", "!"),
    *(
        "\u00a0",
        "\u2003",
        "\u200b",
        "\x1c",
        "\t",
        "\n",
        "\ufeff",
        "\x00",
        "Σ",
        "ς",
        "ﬁ",
        "\U0001f600",
    ),
)


def text(generator: random.Random) -> str:
    count = generator.choice((0, 1, 1, 2, 3, 5))
    return "".join(
        generator.choice(PIECES) + generator.choice((" ", " ", "", "  ")) for _ in range(count)
    )


def case(generator: random.Random) -> dict[str, list]:
    least = generator.choice((0, 1))
    answers = [
        [text(generator) for _ in range(generator.choice((least, 1, 2, 3)))]
        for _ in range(generator.choice((1, 2, 10, 30)))
    ]
    # Half of the predictions are one of the answers, or a part of one.
    predictions = [
        generator.choice(texts)[generator.choice((0, 0, 0, 2)) :]
        if texts and generator.random() < 0.5
        else text(generator)
        for texts in answers
    ]
    scores = [round(generator.gauss(0, 2), generator.choice((0, 3))) for _ in answers]
    return {"predictions": predictions, "answers": answers, "null_scores": scores}


def ours(case: dict[str, list]) -> dict[str, dict[str, float]]:
    predictions, answers = case["predictions"], case["answers"]
    found = {
        "2.0": squad_2_scores(predictions, answers),
        "thresholds": best_thresholds(predictions, answers, case["null_scores"]),
    }
    if all(answers):
        found["1.1"] = squad_1_scores(predictions, answers)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", required=True, help="interpreter that has tf-models-official")
    parser.add_argument("--golden", help="file for some of the cases and their scores")
    arguments = parser.parse_args()
    generator = random.Random(0)
    cases = [case(generator) for _ in range(CASES)]
    with tempfile.TemporaryDirectory() as temporary:
        inputs, outputs = Path(temporary) / "cases.json", Path(temporary) / "scores.json"
        inputs.write_text(json.dumps(cases), encoding="utf-8")
        subprocess.run([arguments.python, str(PEER), str(inputs), str(outputs)], check=True)
        theirs = json.loads(outputs.read_text(encoding="utf-8"))
    differences: dict[str, float] = {}
    for each, expected in zip(cases, theirs["scores"], strict=True):
        found = ours(each)
        for kind, scores in expected.items():
            if found[kind].keys() != scores.keys():
                raise SystemExit(f"{kind}: {sorted(found[kind])} instead of {sorted(scores)}")
            for name, score in scores.items():
                difference = abs(found[kind][name] - score)
                key = f"{kind} {name}"
                differences[key] = max(differences.get(key, 0.0), difference)
    result = {
        "question": "largest difference from the official scripts, of scores from 0 to 100",
        "peer": theirs["version"],
        "data sets": len(cases),
        "questions": sum(len(each["answers"]) for each in cases),
        "differences": differences,
        "machine": machine.line(),
    }
    print(json.dumps(result, indent=2))
    path = Path(__file__).parent / "results" / "squad_metrics.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    if arguments.golden:
        small = [
            {**each, "scores": scores}
            for each, scores in zip(cases, theirs["scores"], strict=True)
            if len(each["answers"]) <= 10
        ]
        Path(arguments.golden).write_text(json.dumps(small[:GOLDEN], indent=1) + "\n")
    if (worst := max(differences.values())) > TOLERANCE:
        raise SystemExit(f"largest difference {worst:.1e}, allowed {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
