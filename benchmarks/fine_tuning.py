"""Fine-tuning here, in `transformers` on torch and in KerasHub: scores and examples per second.

    python benchmarks/fine_tuning.py DATA MODEL --work WORK --torch-python PYTHON \
        --tasks mrpc rte --seeds 0 1

DATA is a folder of data sets (`--help` lists where each task looks), MODEL a model directory to
start from. Every run is a process of its own with both cores, ours and theirs in turns; its result
stays in WORK, so that a benchmark that was stopped goes on. Ours is `python -m keras_bert finetune`
with `--precision bfloat16` and otherwise the defaults; `fine_tuning_torch.py` and
`fine_tuning_keras_hub.py` say what theirs is. The tables are written to
`benchmarks/results/fine_tuning.json`, and printed for `docs/results.md`.
"""

import argparse
import csv
import dataclasses
import gzip
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import machine

HERE = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a task is trained, here and there.

    Args:
        folder: str. Below DATA.
        scores: tuple of str. Those to compare, by our names and by the peer's.
        epochs: int.
        sequence_length: int.
        task: str. Its name on the command line, if another one.
        learning_rate: float.
        texts: bool. Whether KerasHub can do it: classes of texts.
        changes: str. What is done to the files first; a function of this module.
    """

    folder: str
    scores: tuple[str, ...]
    epochs: int = 4
    sequence_length: int = 128
    task: str = ""
    learning_rate: float = 1e-4
    texts: bool = False
    changes: str = ""


RECIPES = {
    "mrpc": Recipe("glue/MRPC", ("f1", "accuracy"), texts=True),
    "rte": Recipe("glue/RTE", ("accuracy",), texts=True),
    "sts-b": Recipe("glue/STS-B", ("spearman", "pearson")),
    "cola": Recipe("glue/CoLA", ("matthews", "accuracy"), epochs=3, texts=True),
    "sst-2": Recipe("glue/SST-2", ("accuracy",), epochs=2, texts=True, changes="first_rows"),
    "qnli": Recipe("glue/QNLI", ("accuracy",), epochs=3, texts=True, changes="fifth_as_dev"),
    "codah": Recipe("mc/codah/fold_0", ("accuracy",), epochs=3, sequence_length=64),
    "conll-2003": Recipe("conll2003", ("f1",), epochs=2),
    "squad-1.1": Recipe("squad", ("f1", "exact_match"), epochs=2, sequence_length=384),
    "squad-2.0": Recipe("squad", ("best_f1", "best_exact"), epochs=2, sequence_length=384),
    "chnsenticorp": Recipe(
        "zh/chnsenticorp", ("accuracy",), epochs=2, task="classification", changes="first_rows"
    ),
}
_FIRST = 8000
_SPEED_SECONDS = 40


def first_rows(source: Path, target: Path) -> None:
    """The first 8,000 training examples."""
    for path in source.iterdir():
        if path.name.startswith("train"):
            with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
                lines = [line for _, line in zip(range(_FIRST + 1), file, strict=False)]
            (target / "train.tsv").write_text("".join(lines), encoding="utf-8", newline="")
        else:
            shutil.copy(path, target)


def fifth_as_dev(source: Path, target: Path) -> None:
    """Every fifth row of the dev file to measure on, the others to train on."""
    with (source / "dev.tsv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
    for name, keeps in (("train", lambda n: n % 5 > 0), ("dev", lambda n: n % 5 == 0)):
        kept = (row for number, row in enumerate(rows) if keeps(number))
        lines = ["\t".join(row) + "\n" for row in (header, *kept)]
        (target / f"{name}.tsv").write_text("".join(lines), encoding="utf-8", newline="")


def prepared(name: str, recipe: Recipe, data: Path, work: Path) -> Path:
    """The folder of a task's files, after its changes."""
    source = data / recipe.folder
    if not recipe.changes:
        return source
    target = work / "data" / name
    if not target.exists():
        temporary = target.with_name(f"{name}.part")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        globals()[recipe.changes](source, temporary)
        temporary.rename(target)
    return target


def ours(name: str, recipe: Recipe, folder: Path, options, seed: int) -> dict:
    run = options.work / f"{name}-ours-{seed}"
    if not (run / "metrics.json").exists():
        command = [
            *(sys.executable, "-m", "keras_bert", "finetune", "--task", recipe.task or name),
            *("--data", folder, "--init", options.model, "--output", run, "--seed", seed),
            *("--epochs", recipe.epochs, "--learning-rate", recipe.learning_rate),
            *("--sequence-length", recipe.sequence_length, "--precision", "bfloat16"),
        ]
        subprocess.run([str(part) for part in command], check=True)
    found = json.loads((run / "metrics.json").read_text())
    shutil.rmtree(run / "checkpoints", ignore_errors=True)
    return {
        "scores": [found["dev"][score] for score in recipe.scores],
        "seconds": found["seconds"],
        "examples_per_second": found["examples_per_second"],
    }


def torch(name: str, recipe: Recipe, folder: Path, options, seed: int) -> dict:
    output = options.work / f"{name}-torch-{seed}.json"
    if not output.exists():
        command = [
            *(options.torch_python, HERE / "fine_tuning_torch.py", recipe.task or name, folder),
            *(options.model, "--epochs", recipe.epochs, "--seed", seed, "--output", output),
            *("--learning-rate", recipe.learning_rate),
            *("--sequence-length", recipe.sequence_length),
        ]
        subprocess.run([str(part) for part in command], check=True)
    found = json.loads(output.read_text())
    return {
        "scores": [found["best"][score] for score in recipe.scores],
        "seconds": found["training_seconds"],
        "examples_per_second": found["examples_per_second"],
    }


def keras_hub(name: str, recipe: Recipe, folder: Path, options) -> dict[str, float]:
    """Examples per second at the length of its preprocessor, and at ours."""
    rates = {}
    for length in (512, recipe.sequence_length):
        for precision in ("float32", "mixed_bfloat16"):
            output = options.work / f"{name}-keras-hub-{length}-{precision}.json"
            if not output.exists():
                command = [
                    *(sys.executable, HERE / "fine_tuning_keras_hub.py", recipe.task or name),
                    *(folder, options.model, "--sequence-length", length, "--output", output),
                    *("--precision", precision, "--seconds", _SPEED_SECONDS),
                ]
                subprocess.run([str(part) for part in command], check=True)
            rate = json.loads(output.read_text())["examples_per_second"]
            rates[f"{length} {precision}"] = rate
    return rates


def spread(values: list[float]) -> str:
    """Mean and deviation."""
    deviation = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3f}{deviation}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--tasks", nargs="+", default=list(RECIPES), choices=RECIPES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    path = HERE / "results" / "fine_tuning.json"
    results = json.loads(path.read_text())["tasks"] if path.exists() else {}
    for name in options.tasks:
        recipe = RECIPES[name]
        folder = prepared(name, recipe, options.data, options.work)
        runs = {"ours": [], "torch": []}
        for seed in options.seeds:
            runs["ours"].append(ours(name, recipe, folder, options, seed))
            runs["torch"].append(torch(name, recipe, folder, options, seed))
        rates = keras_hub(name, recipe, folder, options) if recipe.texts else {}
        results[name] = {"recipe": dataclasses.asdict(recipe), **runs, "keras_hub": rates}
        text = json.dumps({"machine": machine.line(), "tasks": results}, indent=1)
        path.write_text(text + "\n")
    print("| task | score | ours | torch | examples/s, ours | torch | ours : torch | KerasHub |")
    print("|---|---|---|---|---|---|---|---|")
    for name, found in results.items():
        rate = {
            who: statistics.median(run["examples_per_second"] for run in found[who])
            for who in ("ours", "torch")
        }
        hub = ", ".join(f"{key} {value:.1f}" for key, value in found["keras_hub"].items())
        for number, score in enumerate(found["recipe"]["scores"]):
            scores = {who: spread([run["scores"][number] for run in found[who]]) for who in rate}
            speeds = f"{rate['ours']:.0f} | {rate['torch']:.0f}"
            ratio = f"{rate['ours'] / rate['torch']:.2f}"
            cells = [speeds, ratio, hub] if number == 0 else [" | ", "", ""]
            print(f"| {name} | {score} | {scores['ours']} | {scores['torch']} | ", end="")
            print(" | ".join(cells), "|")


if __name__ == "__main__":
    main()
