"""From strings to predictions beside KerasHub, `transformers` and ONNX Runtime.

    python -m venv peers && peers/bin/pip install torch transformers onnxruntime onnx
    python benchmarks/serve.py --python peers/bin/python --vocab FILE --glue GLUE --squad SQUAD \
        --work FOLDER [--size base]

GLUE holds `SST-2/dev.tsv` and `QQP/dev.tsv`, SQUAD `dev-v1.1*.json`; FILE is the `vocab.txt` of
an uncased model. The models have random weights, the same in all contenders; their answers are
compared first. Ours are what `python -m exports savedmodel` writes; `serve_keras.py` and
`serve_torch.py` tell how the others are used. TensorFlow and torch have a process each; contenders
take turns, batch by batch of real inputs in random order, so that all of them meet the same load of
the machine. A call begins with strings and ends with Python values. Throughput is that of the
median call; p50, p95 and p99 are milliseconds of a call. Results are printed and written to
`benchmarks/results/serve.json`; those of other sizes are kept.
"""

import argparse
import csv
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import machine
import numpy as np

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "serve.json"
ROWS = 512  # inputs of a task
KERAS = ("ours, bfloat16", "ours, float32", "KerasHub, as documented", "KerasHub, at its best")
TORCH = ("transformers, bfloat16", "transformers, float32", "ONNX Runtime")
EXACT = ("ours, float32", "transformers, float32", "ONNX Runtime")
GLUE_COLUMNS = {"sst-2": ["sentence"], "qqp": ["question1", "question2"]}
TASKS = (*GLUE_COLUMNS, "squad")
BATCHES = (1, 8, 64)
CALLS = {1: 10, 8: 4, 64: 1}  # of one turn
MOST_ROUNDS = 30


class Process:
    """A process that computes the turns of some contenders."""

    def __init__(self, python: str, script: str, work: Path):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen([python, str(HERE / script), str(work)], **pipes)

    def turn(self, contender: str, task: str, batches: list[tuple[int, int]]) -> dict[str, Any]:
        """Returns `seconds` of each batch, `(first row, rows)`, all `answers`, and memory."""
        turn = {"contender": contender, "task": task, "batches": batches}
        print(json.dumps(turn), file=self._process.stdin, flush=True)
        reply = self._process.stdout.readline()
        if not reply:
            raise SystemExit(f"{contender} ended at {task} with {self._process.wait()}")
        return json.loads(reply)

    def close(self) -> None:
        self._process.communicate()


def read_inputs(glue: Path, squad: Path) -> dict[str, list[list[str]]]:
    """Columns of inputs of each task, in random order."""
    (path,) = squad.glob("dev-v1.1*.json*")
    data = path.read_bytes()
    data = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)["data"]
    paragraphs = [paragraph for article in data for paragraph in article["paragraphs"]]
    rows = {"squad": [(qa["question"], p["context"]) for p in paragraphs for qa in p["qas"]]}
    for task, columns in GLUE_COLUMNS.items():
        lines = (glue / task.upper() / "dev.tsv").read_text(encoding="utf-8").splitlines()
        table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        rows[task] = [tuple(row[column] for column in columns) for row in table]
    chosen = {task: random.Random(0).sample(found, ROWS) for task, found in rows.items()}
    return {
        task: [list(column) for column in zip(*found, strict=True)]
        for task, found in chosen.items()
    }


def make_models(size: str, vocab: Path, work: Path) -> None:
    """Writes the models in every form that a contender reads, and our exports."""
    import keras

    from keras_bert import BertClassifier, BertConfig, BertSpanPredictor, BertTokenizer
    from keras_bert.checkpoints import keras_hub
    from keras_bert.checkpoints.checkpoint import Checkpoint
    from keras_bert.tasks.classification import ClassPredictor
    from keras_bert.tasks.question_answering import QuestionAnsweringPredictor

    shutil.copy(vocab, work / "vocab.txt")
    tokenizer = BertTokenizer.from_vocabulary(str(vocab))
    config = BertConfig.from_name(size, vocabulary_size=len(tokenizer.vocabulary))
    generator = np.random.default_rng(0)
    for task in TASKS:
        keras.utils.set_random_seed(0)
        if task == "squad":
            tokenizer.sequence_length = 384
            model = BertSpanPredictor(config)
            QuestionAnsweringPredictor(model, tokenizer)
        else:
            tokenizer.sequence_length = 512
            model = BertClassifier(config, labels=["0", "1"])
            ClassPredictor(model, tokenizer)
        for variable in model.trainable_variables:
            # As trained ones are: TensorFlow leaves out zeros and ones.
            if variable.path.endswith(("bias", "beta", "gamma")):
                center = float(variable.path.endswith("gamma"))
                variable.assign(generator.normal(center, 0.02, variable.shape))
        model.save_checkpoint(work / f"model-{task}", tokenizer=tokenizer)
        if task != "squad":
            keras_hub.write(Checkpoint.of(model), work / f"keras_hub-{task}")
        for precision in ("float32", "bfloat16"):
            output = work / f"ours-{task}-{precision}"
            if not (output / "1").exists():
                export(work / f"model-{task}", output, precision)


def export(model: Path, output: Path, precision: str) -> None:
    command = [sys.executable, "-m", "exports", "savedmodel", "--model", str(model)]
    command += ["--output", str(output), "--precision", precision]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def check_answers(processes: dict[str, Process]) -> dict[str, Any]:
    """How far the contenders' answers are from ours in float32, over 64 rows of each task.

    Raises:
        SystemExit: If others that compute in float32 have other answers: nothing is measured then.
    """
    found: dict[str, Any] = {}
    for task in TASKS:
        answers = {
            name: process.turn(name, task, [(0, 64)])["answers"]
            for name, process in processes.items()
        }
        exact = answers["ours, float32"]
        for name, other in answers.items():
            if task == "squad":
                if name.startswith("KerasHub"):
                    continue
                gap = sum(a != b for a, b in zip(exact, other, strict=True))
                told, bound = "other answers", 2
            else:
                gap = max(abs(a - b) for a, b in zip(exact, other, strict=True))
                told, bound = "greatest difference of a probability", 1e-4
            found[f"{task}: {name}"] = {told: gap}
            print(f"{task}: {name}: {told} {gap:.2g}", flush=True)
            if name in EXACT and gap > bound:
                raise SystemExit(f"{name} has other answers for {task}: {gap}")
    return found


def measure(processes: dict[str, Process], task: str, batch: int, seconds: float) -> dict:
    """Calls of all contenders in turns, until so many seconds are over."""
    calls = CALLS[batch]
    times: dict[str, list[float]] = {name: [] for name in processes}
    for name, process in processes.items():
        process.turn(name, task, [(batch, batch), (2 * batch, batch)])
    end, number = time.monotonic() + seconds, 0
    while number < MOST_ROUNDS and (number < 3 or time.monotonic() < end):
        first = number * calls * batch
        turns = [((first + call * batch) % ROWS, batch) for call in range(calls)]
        # Another one begins each round.
        names = list(processes)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            times[name] += processes[name].turn(name, task, turns)["seconds"]
        number += 1
    return {name: summary(found, batch) for name, found in times.items()}


def summary(seconds: list[float], batch: int) -> dict[str, float]:
    p50, p95, p99 = (1000 * np.percentile(seconds, share) for share in (50, 95, 99))
    return {
        "rows/s": round(1000 * batch / p50, 2),
        "p50": round(p50, 2),
        "p95": round(p95, 2),
        "p99": round(p99, 2),
        "calls": len(seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", required=True, help="interpreter that has the peers on torch")
    parser.add_argument("--vocab", type=Path, required=True, help="vocab.txt of an uncased model")
    parser.add_argument("--glue", type=Path, required=True, help="folder of SST-2 and QQP")
    parser.add_argument("--squad", type=Path, required=True, help="folder of SQuAD 1.1")
    parser.add_argument("--work", type=Path, help="folder for the models; kept, if given")
    parser.add_argument("--size", default="base", help="shape of the encoder")
    parser.add_argument("--seconds", type=float, default=60, help="for a task and a batch")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--batches", nargs="+", type=int, choices=BATCHES, default=BATCHES)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = (arguments.work or Path(temporary)) / arguments.size
        if not (work / "inputs.json").exists():
            work.mkdir(parents=True, exist_ok=True)
            inputs = read_inputs(arguments.glue, arguments.squad)
            make_models(arguments.size, arguments.vocab, work)
            (work / "inputs.json").write_text(json.dumps(inputs))
        run(arguments, work)


def run(arguments: argparse.Namespace, work: Path) -> None:
    keras = Process(sys.executable, "serve_keras.py", work)
    torch = Process(arguments.python, "serve_torch.py", work)
    processes = {**dict.fromkeys(KERAS, keras), **dict.fromkeys(TORCH, torch)}
    result: dict[str, Any] = {"answers": check_answers(processes), "machine": machine.line()}
    for task in arguments.tasks:
        for batch in arguments.batches:
            case = measure(processes, task, batch, arguments.seconds)
            result[f"{task}, batch {batch}"] = case
            ours = case["ours, bfloat16"]["p50"]
            print(f"{task}, batch {batch} (x: times of ours in bfloat16)")
            for name, row in case.items():
                print(f"  {name:26} {json.dumps(row)} {row['p50'] / ours:.2f}x", flush=True)
    for process in (keras, torch):
        process.close()
    told = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    told[arguments.size] = {**told.get(arguments.size, {}), **result}
    RESULTS.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
