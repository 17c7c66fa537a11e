"""Fine-tuning at each point of a grid, several times, and the choice of the best."""

import dataclasses
import itertools
import json
import shutil
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import rich.console
import rich.table

from keras_bert.atomic import new_directory, write_json
from keras_bert.command_line import defaults, resolved
from keras_bert.errors import InputError
from keras_bert.outputs import check_directory
from keras_bert.tasks.registry import task_named
from keras_bert.tasks.task import Task
from keras_bert.training.inputs import values_input
from keras_bert.training.options import FILE_OPTIONS, NAMED, FinetuneOptions
from keras_bert.training.run_directory import locked, writing
from keras_bert.training.run_options import changes_of_options, earlier_options
from keras_bert.training.run_record import Input, RunRecord, changes_of_inputs
from keras_bert.training.strategy import several_workers

# Devlin et al. 2019, arXiv:1810.04805, appendix A.3.
PAPER = {"batch_size": [16, 32], "learning_rate": [5e-5, 3e-5, 2e-5], "epochs": [2, 3, 4]}
_NOT_SEARCHED = (
    *("task", "data", "init", "output", "grid", "restarts", "seed", "allow_changes"),
    *FILE_OPTIONS,
)
_CONFIG, _METRICS = "config.json", "metrics.json"


def search(
    options: FinetuneOptions,
    train: Callable[[FinetuneOptions], dict],
    inputs: Callable[[FinetuneOptions], dict[str, Input]] | None = None,
) -> dict:
    """Trains each combination `restarts` times and keeps the model that did best on dev.

    Every run has a directory of its own below `output`, as `learning_rate=3e-05,epochs=2/seed=1`,
    with its metrics and curves. A search that was stopped goes on with the same command. At the end
    `metrics.json` holds all results, `model/` the model of the best run of the best combination.

    Args:
        options: `FinetuneOptions` with a `grid`.
        train: Function of options that trains one model and returns its metrics.
        inputs: Function of options that returns what all runs depend on, by the options that name
            it, or None: a search goes on with the same only.

    Returns:
        What `metrics.json` holds.

    Raises:
        InputError: If the grid is damaged or names what is no option, the directory holds a
            finished search or one of other inputs or options, or several workers would search.
    """
    task = task_named(options.task)
    grid = read_grid(options.grid)
    points = list(combinations(grid))
    for strategy in {point.get("strategy", options.strategy) for point in points}:
        if reason := several_workers(strategy):
            raise InputError(
                "`--grid` trains each run in one process: it needs another `--strategy`. "
                f"Received: {strategy}, where {reason}"
            )
    _check_points(options, points)
    output = Path(options.output)
    check_directory(options.output, "--output")
    _check_unfinished(output)
    found = {**(inputs(options) if inputs else {}), "grid": _input_of(grid)}
    _check_output(output, options, found)
    is_new = not output.exists()
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    with locked(output):
        # Again, because another process may have been here in between.
        _check_unfinished(output)
        _check_output(output, options, found)
        RunRecord({name: each.digest for name, each in found.items()}).write(output)
        write_json(output / _CONFIG, resolved(options))
        try:
            return _search(options, train, task, points, found)
        except InputError:
            # Wrong input leaves nothing: the first run finds it.
            if is_new and not any(path.is_dir() for path in output.iterdir()):
                shutil.rmtree(output)
            raise


def _search(
    options: FinetuneOptions,
    train: Callable,
    task: Task,
    points: list[dict[str, Any]],
    inputs: dict[str, Input],
) -> dict[str, Any]:
    output = Path(options.output)
    found = []
    for point in points:
        runs = [
            _run(options, point, seed, output, train, inputs)
            for seed in range(options.seed, options.seed + options.restarts)
        ]
        values = [metrics[task.dev_splits[0]][task.metric] for _, metrics in runs]
        best = values.index(max(values))
        found.append(
            {
                **point,
                "mean": statistics.fmean(values),
                "deviation": statistics.stdev(values) if len(values) > 1 else 0.0,
                "values": values,
                "best_run": str(runs[best][0].relative_to(output)),
            }
        )
    best = max(found, key=lambda row: row["mean"])
    metrics = {"task": task.name, "metric": task.metric, "best": best, "grid": found}
    _keep_best(output, output / best["best_run"])
    write_json(output / _METRICS, metrics)
    _show(metrics, list(points[0]))
    return metrics


def read_grid(grid: str) -> dict[str, list[Any]]:
    """Returns the values of each option.

    Args:
        grid: str. `"paper"`, or a JSON file of an object of lists.

    Raises:
        InputError: If the file is damaged or names what is no option.
    """
    if grid == "paper":
        return PAPER
    try:
        values = json.loads(Path(grid).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"`--grid`: {grid}: cannot read the grid: {error}") from error
    known = {field.name for field in dataclasses.fields(FinetuneOptions)} - set(_NOT_SEARCHED)
    if not isinstance(values, dict) or not values:
        raise InputError(f"`--grid`: {grid}: an object of lists is expected. Received: {values!r}")
    for name, choices in values.items():
        if name not in known:
            raise InputError(
                f"`--grid`: {grid}: {name!r} must be one of {', '.join(sorted(known))}"
            )
        if not isinstance(choices, list) or not choices:
            raise InputError(
                f"`--grid`: {grid}: {name!r} must have a list of values. Received: {choices!r}"
            )
    return values


def _check_points(options: FinetuneOptions, points: list[dict[str, Any]]) -> None:
    """Checks the numbers of each run, before the first of them."""
    for point in points:
        try:
            dataclasses.replace(options, **point)
        except InputError as error:
            raise InputError(f"`--grid`: {options.grid}: {error}") from error
    try:
        dataclasses.replace(options, seed=options.seed + options.restarts - 1)
    except InputError as error:
        raise InputError(f"`--restarts` {options.restarts} has too large seeds: {error}") from error


def combinations(grid: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Yields each combination of the values."""
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def _input_of(grid: dict[str, list[Any]]) -> Input:
    # The values in any order: directories are named by the options, in theirs.
    return values_input([[name, sorted(map(json.dumps, grid[name]))] for name in grid])


def _check_unfinished(output: Path) -> None:
    if (output / _METRICS).exists():
        raise InputError(
            f"{output}: holds a run already, a finished search, whose runs keep no checkpoints to "
            "go on from; choose another --output"
        )


def _check_output(output: Path, options: FinetuneOptions, inputs: dict[str, Input]) -> None:
    if (output / _CONFIG).exists():
        changed = _changes(output, options, inputs)
        if changed:
            raise InputError(
                f"{output}: holds a search begun otherwise ({'; '.join(changed)}); choose another "
                "--output"
            )


def _changes(directory: Path, options: FinetuneOptions, inputs: dict[str, Input]) -> list[str]:
    """In what a search, or a finished run of it, began otherwise."""
    now = resolved(options)
    earlier = earlier_options(directory / _CONFIG, now)
    record = RunRecord.read(directory)
    known = record.inputs if record else {}
    named = {name: NAMED.get(name, (name,)) for name in known}
    ignored = {option for options in named.values() for option in options}
    return [
        *changes_of_options(earlier, now, defaults(options), ignored=ignored),
        *changes_of_inputs(known, inputs),
    ]


def _run(options, point, seed, output, train, inputs) -> tuple[Path, dict]:
    name = ",".join(f"{key}={value}" for key, value in point.items())
    directory = output / name / f"seed={seed}"
    changes = {**point, "seed": seed, "output": str(directory), "grid": None, "restarts": 1}
    options = dataclasses.replace(options, **changes)
    if (directory / _METRICS).exists():
        if changed := _changes(directory, options, inputs):
            raise InputError(
                f"{directory}: holds a run already, begun otherwise ({'; '.join(changed)}); choose "
                "another --output"
            )
        return directory, json.loads((directory / _METRICS).read_text(encoding="utf-8"))
    # Graphs and weights of the run before.
    keras.utils.clear_session(free_memory=True)
    metrics = train(options)
    # A finished run needs none, and they hold three times the weights.
    shutil.rmtree(directory / "checkpoints", ignore_errors=True)
    return directory, metrics


def _keep_best(output: Path, best: Path) -> None:
    model = output / "model"
    if not model.exists():
        with new_directory(model) as temporary:
            shutil.copytree(best / "model", temporary, dirs_exist_ok=True)
    for other in output.glob("*/seed=*/model"):
        shutil.rmtree(other, ignore_errors=True)


def _show(metrics: dict[str, Any], names: list[str]) -> None:
    table = rich.table.Table(title=f"{metrics['task']}: {metrics['metric']} on dev")
    for name in names:
        table.add_column(name)
    table.add_column("mean ± deviation", justify="right")
    table.add_column("best", justify="right")
    for row in metrics["grid"]:
        style = "bold" if row is metrics["best"] else None
        table.add_row(
            *(str(row[name]) for name in names),
            f"{row['mean']:.4f} ± {row['deviation']:.4f}",
            f"{max(row['values']):.4f}",
            style=style,
        )
    rich.console.Console().print(table)
