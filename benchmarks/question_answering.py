"""Question answering against the reference, on SQuAD: same rows, same targets, same answers?

    python -m venv garden && garden/bin/pip install tf-models-official
    python benchmarks/question_answering.py --python garden/bin/python --data SQUAD --vocab FILE

The Model Garden's `squad_lib.py` is the code of `run_squad.py`; `question_answering_peer.py` runs
it in its own environment. Compared are the windows of the questions in `train-v2.0*.json` (each
with its first answer), the targets of their starts and ends, and the answers that both choose from
the same logits, random ones with more on the targets. The reference maps words of a span back to
the text by a heuristic, ours by offsets; so texts are compared as the metrics see them. Counts are
printed and written to `benchmarks/results/question_answering.json`.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import machine
import numpy as np

from keras_bert import BertConfig, BertSpanPredictor, BertTokenizer
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.question_answering import QuestionAnsweringPredictor
from keras_bert.tasks.rows import Rows
from keras_bert.tasks.squad import SQUAD_2
from keras_bert.tasks.squad_metrics import normalize_answer

SETTINGS = {"stride": 64, "query_length": 32, "max_answer_length": 30, "n_best": 20}
LENGTH = 192
PEER = Path(__file__).parent / "question_answering_peer.py"


def write_inputs(directory: Path, examples: Examples, rows: Rows, logits: dict) -> None:
    questions = [
        {
            "context": context,
            "qas": [
                {
                    "id": name,
                    "question": question,
                    "is_impossible": not answers,
                    "answers": [
                        {"text": answer.text, "answer_start": answer.start}
                        for answer in answers[:1]
                    ],
                }
            ],
        }
        for name, context, question, answers in zip(
            examples.names,
            examples.columns["context"],
            examples.columns["question"],
            examples.targets,
            strict=True,
        )
    ]
    (directory / "data.json").write_text(json.dumps({"data": [{"paragraphs": questions}]}))
    (directory / "settings.json").write_text(json.dumps({**SETTINGS, "sequence_length": LENGTH}))
    padded = {}
    for name, arrays in logits.items():
        padded[name] = np.full((len(rows), LENGTH), -1e9, "float32")
        for row, array in zip(padded[name], arrays, strict=True):
            row[: len(array)] = array
    np.savez(directory / "logits.npz", **padded)


def random_logits(rows: Rows) -> dict[str, list[np.ndarray]]:
    random = np.random.default_rng(0)
    logits = {}
    for name, targets in rows.targets.items():
        logits[name] = [random.normal(0, 2, size).astype("float32") for size in rows.lengths]
        for array, target in zip(logits[name], targets.numpy(), strict=True):
            array[target] += 5
    return logits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", required=True, help="interpreter that has tf-models-official")
    parser.add_argument("--data", required=True, help="directory with SQuAD 2.0")
    parser.add_argument("--vocab", required=True, help="vocab.txt of an uncased model")
    arguments = parser.parse_args()
    tokenizer = BertTokenizer.from_vocabulary(arguments.vocab)
    tokenizer.sequence_length = LENGTH
    config = BertConfig.from_name("L2-H128", vocabulary_size=len(tokenizer.vocabulary))
    predictor = QuestionAnsweringPredictor(
        BertSpanPredictor(config), tokenizer, unanswerable=True, **SETTINGS
    )
    examples = SQUAD_2.read(arguments.data, "train")
    rows = predictor.rows(examples)
    logits = random_logits(rows)
    answers = dict(zip(examples.names, predictor.decode(examples, rows, logits), strict=True))
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        shutil.copy(arguments.vocab, directory / "vocab.txt")
        write_inputs(directory, examples, rows, logits)
        subprocess.run([arguments.python, str(PEER), temporary], check=True)
        theirs = json.loads((directory / "result.json").read_text(encoding="utf-8"))

    if theirs["ids"] != examples.names or theirs["example"] != rows.example.tolist():
        raise SystemExit("the windows are not those of the reference")
    token_ids = rows.features["token_ids"].to_tensor(0, shape=[None, LENGTH]).numpy()
    targets = np.stack([rows.targets[name].numpy() for name in ("start_logits", "end_logits")], 1)
    same_text = same_best = 0
    odds = []
    other = []
    for name, answer in answers.items():
        texts = normalize_answer(answer["answer"]), normalize_answer(theirs["predictions"][name])
        same_text += texts[0] == texts[1]
        ours, best = (
            [(normalize_answer(entry[key]), round(entry[share], 3)) for entry in entries]
            for entries, key, share in (
                (answer["top"], "answer", "score"),
                (theirs["best"][name], "text", "probability"),
            )
        )
        same_best += ours[:5] == best[:5]
        odds.append(abs(answer["no_answer_score"] - theirs["odds"][name]))
        if texts[0] != texts[1]:
            other.append([answer["answer"], theirs["predictions"][name]])
    starts, ends = rows.maps["context_start"], rows.maps["context_end"]
    contexts = [context.encode() for context in examples.columns["context"]]
    differing = [
        {
            "gold": examples.targets[rows.example[row]][0].text,
            **{
                who: contexts[rows.example[row]][
                    int(starts[row, first]) : int(ends[row, last])
                ].decode()
                for who, (first, last) in (
                    ("ours", targets[row]),
                    ("theirs", theirs["targets"][row]),
                )
            },
        }
        for row in np.flatnonzero((targets != theirs["targets"]).any(1))
    ]
    result = {
        "question": "how much is as in the reference",
        "peer": theirs["version"],
        "questions": len(examples),
        "windows": len(rows),
        "windows with the same tokens": int((token_ids == theirs["token_ids"]).all(1).sum()),
        "windows with the same targets": len(rows) - len(differing),
        "questions with the same answer": same_text,
        "questions with the same best five": same_best,
        "questions with the same score of no answer": int((np.array(odds) < 1e-4).sum()),
        "other targets": differing[:10],
        "other answers, ours and theirs": other[:10],
        "machine": machine.line(),
    }
    print(json.dumps(result, indent=2, ensure_ascii=False))
    path = Path(__file__).parent / "results" / "question_answering.json"
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
