"""Fine-tuning here, in `transformers` on torch and in KerasHub: scores and speed.

    python benchmarks/fine_tuning.py scores DATA MODEL --chinese-model MODEL --work WORK \\
        --torch-python PYTHON --seeds 0 1
    python benchmarks/fine_tuning.py speed DATA MODEL --work WORK --torch-python PYTHON --tasks mrpc

DATA is a folder of data sets (`RECIPES` below says where each task looks), MODEL a model directory
to start from. Ours is `python -m keras_bert finetune` with `--precision bfloat16` and otherwise the
defaults; `fine_tuning_torch.py` and `fine_tuning_keras_hub.py` say what theirs is.

`scores` trains each task to its end, ours on one core and torch's on another at the same time, so
that both meet the same neighbours. Its results stay in WORK, so that a benchmark that was stopped
goes on. `speed` gives every process both cores, one after the other in turns, on a machine that has
nothing else to do: one epoch of ours, so many steps of theirs.

The tables are written to `benchmarks/results/fine_tuning_{scores,speed}.json` and printed for
`docs/results.md`.
"""

import argparse
import csv
import dataclasses
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
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
        batch_size: int.
        texts: bool. Whether KerasHub can do it: classes of texts.
        chinese: bool. Whether it starts from the Chinese model.
        changes: str. What is done to the files first; a function of this module.
    """

    folder: str
    scores: tuple[str, ...]
    epochs: int = 3
    sequence_length: int = 128
    task: str = ""
    learning_rate: float = 1e-4
    batch_size: int = 32
    texts: bool = False
    chinese: bool = False
    changes: str = ""


_QUESTIONS = {
    "epochs": 1,
    "sequence_length": 256,
    "learning_rate": 3e-4,
    "batch_size": 16,
    "changes": "half_of_questions",
}
RECIPES = {
    "mrpc": Recipe("glue/MRPC", ("f1", "accuracy"), texts=True),
    "rte": Recipe("glue/RTE", ("accuracy",), texts=True),
    "sts-b": Recipe("glue/STS-B", ("spearman", "pearson")),
    "cola": Recipe("glue/CoLA", ("matthews", "accuracy"), epochs=2, texts=True),
    "sst-2": Recipe("glue/SST-2", ("accuracy",), epochs=2, texts=True, changes="first_rows"),
    "qnli": Recipe("glue/QNLI", ("accuracy",), epochs=2, texts=True, changes="fifth_as_dev"),
    "codah": Recipe("mc/codah/fold_0", ("accuracy",), sequence_length=64),
    "conll-2003": Recipe("conll2003", ("f1",), epochs=1),
    "squad-1.1": Recipe("squad", ("f1", "exact_match"), **_QUESTIONS),
    "squad-2.0": Recipe("squad", ("best_f1", "best_exact"), **_QUESTIONS),
    "chnsenticorp": Recipe(
        "zh/chnsenticorp",
        ("accuracy",),
        task="classification",
        learning_rate=5e-4,
        chinese=True,
    ),
}
_FIRST = 8000
_SPEED_STEPS, _SPEED_SECONDS = 60, 30


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


def half_of_questions(source: Path, target: Path) -> None:
    """Every second question to train on, and all of dev."""
    for path in source.glob("*-v*.json.gz"):
        if path.name.startswith("train"):
            with gzip.open(path, "rt", encoding="utf-8") as file:
                contents = json.load(file)
            paragraphs = (p for article in contents["data"] for p in article["paragraphs"])
            for paragraph in paragraphs:
                paragraph["qas"] = paragraph["qas"][::2]
            with gzip.open(target / path.name, "wt", encoding="utf-8") as file:
                json.dump(contents, file)
        else:
            shutil.copy(path, target)


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


def our_command(name: str, recipe: Recipe, folder: Path, model: Path) -> list[str]:
    command = [
        *(sys.executable, "-m", "keras_bert", "finetune", "--task", recipe.task or name),
        *("--data", folder, "--init", model, "--precision", "bfloat16"),
        *("--learning-rate", recipe.learning_rate, "--batch-size", recipe.batch_size),
        *("--sequence-length", recipe.sequence_length),
    ]
    return [str(part) for part in command]


def torch_command(name: str, recipe: Recipe, folder: Path, model: Path, python: str) -> list[str]:
    command = [
        *(python, HERE / "fine_tuning_torch.py", recipe.task or name, folder, model),
        *("--learning-rate", recipe.learning_rate, "--batch-size", recipe.batch_size),
        *("--sequence-length", recipe.sequence_length),
    ]
    return [str(part) for part in command]


def on_core(core: int, command: list[str], log: Path) -> subprocess.Popen:
    """Starts a process that has one core."""
    with log.open("w") as file:
        return subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )


def side_by_side(name: str, recipe: Recipe, folder: Path, options, seed: int) -> dict[str, dict]:
    """Scores, seconds and examples per second of ours and of torch's."""
    model = options.chinese_model if recipe.chinese else options.model
    run, output = options.work / f"{name}-ours-{seed}", options.work / f"{name}-torch-{seed}.json"
    ends = ["--epochs", str(recipe.epochs), "--seed", str(seed), "--output"]
    ours = [*our_command(name, recipe, folder, model), *ends, str(run)]
    torch = [*torch_command(name, recipe, folder, model, options.torch_python), *ends, str(output)]
    started = {}
    if not (run / "metrics.json").exists():
        started["ours"] = on_core(0, ours, options.work / f"{run.name}.log")
    if not output.exists():
        started["torch"] = on_core(1, torch, output.with_suffix(".log"))
    for what, process in started.items():
        if process.wait():
            raise SystemExit(
                f"{name}, {what}: exit status {process.returncode}; see the log in WORK"
            )
    shutil.rmtree(run / "checkpoints", ignore_errors=True)
    found, theirs = json.loads((run / "metrics.json").read_text()), json.loads(output.read_text())
    return {
        "ours": {
            "scores": [found["dev"][score] for score in recipe.scores],
            "seconds": found["seconds"],
            "examples_per_second": found["examples_per_second"],
        },
        "torch": {
            "scores": [theirs["best"][score] for score in recipe.scores],
            "seconds": theirs["training_seconds"],
            "examples_per_second": theirs["examples_per_second"],
        },
    }


def scores(options) -> None:
    """Trains all, the first seed of every task first, and prints the table."""
    found: dict[str, dict] = {}
    for seed in options.seeds:
        for name in options.tasks:
            recipe = RECIPES[name]
            folder = prepared(name, recipe, options.data, options.work)
            of_task = found.setdefault(
                name, {"recipe": dataclasses.asdict(recipe), "ours": [], "torch": []}
            )
            for who, result in side_by_side(name, recipe, folder, options, seed).items():
                of_task[who].append({"seed": seed, **result})
            write("scores", found)
    print("| task | epochs | score | ours | torch | seconds, ours | torch | torch : ours |")
    print("|---|---|---|---|---|---|---|---|")
    for name, of_task in found.items():
        seconds = {
            who: statistics.fmean(run["seconds"] for run in of_task[who])
            for who in ("ours", "torch")
        }
        for number, score in enumerate(of_task["recipe"]["scores"]):
            spreads = [spread([run["scores"][number] for run in of_task[who]]) for who in seconds]
            cells = [name, str(of_task["recipe"]["epochs"]), score, *spreads]
            if number == 0:
                cells += [f"{value:.0f}" for value in seconds.values()]
                cells.append(f"{seconds['torch'] / seconds['ours']:.2f}")
            else:
                cells = ["", "", *cells[2:], "", "", ""]
            print("|", " | ".join(cells), "|")


def measured(command: list[str], output: Path) -> dict:
    """What a process wrote that has the whole machine."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.loads(output.read_text())


def speed(options) -> None:
    """Measures in turns and prints the table."""
    found: dict[str, dict] = {}
    for name in options.tasks:
        recipe = RECIPES[name]
        folder = prepared(name, recipe, options.data, options.work)
        model = options.chinese_model if recipe.chinese else options.model
        of_task: dict[str, list[float]] = {}
        for _ in range(options.repeats):
            for who, command, output in speed_runs(name, recipe, folder, model, options):
                result = measured(command, output)
                of_task.setdefault(who, []).append(result["examples_per_second"])
                if who == "ours, with compilation":
                    of_task.setdefault("ours, after it", []).append(
                        rate_at_the_end(result, recipe.batch_size)
                    )
                    shutil.rmtree(output.parent)
        found[name] = of_task
        write("speed", found)
        ours = statistics.median(of_task["ours, after it"])
        print(f"{name}:")
        for who, rates in of_task.items():
            rate = statistics.median(rates)
            print(f"  {who}: {rate:.1f} examples/s of {rates}; ours is {ours / rate:.2f} times it")


def rate_at_the_end(result: dict, batch_size: int) -> float:
    """Examples per second of our last steps; an example of SQuAD has several rows."""
    rows = result["examples_per_second"] * result["seconds"] / result["steps"] / batch_size
    return result["speed"]["sequences_per_second"] * rows


def speed_runs(
    name: str, recipe: Recipe, folder: Path, model: Path, options
) -> Iterator[tuple[str, list[str], Path]]:
    """What is measured, its command, and the file that holds the result."""
    run, output = options.work / f"{name}-speed", options.work / f"{name}-speed.json"
    shutil.rmtree(run, ignore_errors=True)
    ours = our_command(name, recipe, folder, model)
    yield (
        "ours, with compilation",
        [*ours, "--epochs", "1", "--output", str(run)],
        run / "metrics.json",
    )
    torch = torch_command(name, recipe, folder, model, options.torch_python)
    torch += ["--steps", str(_SPEED_STEPS), "--output", str(output)]
    yield "torch", torch, output
    yield "torch, batches grouped by length", [*torch, "--length-grouped"], output
    if not recipe.texts:
        return
    for length in (512, recipe.sequence_length):
        for precision in ("float32", "mixed_bfloat16"):
            command = [
                *(sys.executable, HERE / "fine_tuning_keras_hub.py", recipe.task or name),
                *(folder, model, "--sequence-length", length, "--output", output),
                *("--precision", precision, "--seconds", _SPEED_SECONDS),
            ]
            yield f"KerasHub, {length}, {precision}", [str(part) for part in command], output


def write(what: str, found: dict) -> None:
    text = json.dumps({"machine": machine.line(), "tasks": found}, indent=1)
    (HERE / "results" / f"fine_tuning_{what}.json").write_text(text + "\n")


def spread(values: list[float]) -> str:
    """Mean and deviation."""
    deviation = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3f}{deviation}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("scores", "speed"))
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--chinese-model", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--tasks", nargs="+", default=list(RECIPES), choices=RECIPES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--repeats", type=int, default=3, help="of each measurement of speed")
    options = parser.parse_args()
    if options.chinese_model is None and any(RECIPES[name].chinese for name in options.tasks):
        parser.error("a task in Chinese needs --chinese-model")
    options.work.mkdir(parents=True, exist_ok=True)
    scores(options) if options.what == "scores" else speed(options)


if __name__ == "__main__":
    main()
