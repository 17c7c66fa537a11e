"""`python -m keras_bert evaluate`."""

import json
from pathlib import Path
from typing import Any

from keras_bert.atomic import write_json
from keras_bert.command_line import check_unused, flag
from keras_bert.errors import InputError
from keras_bert.outputs import check_directory, check_file
from keras_bert.page import folder_of_page, write_page
from keras_bert.reading import recorded_reads
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.families import load_predictor
from keras_bert.tasks.predictor import Predictor
from keras_bert.tasks.task import Task
from keras_bert.training.options import EvaluateOptions
from keras_bert.training.output_files import check_outputs
from keras_bert.training.task_files import task_of


def evaluate(options: EvaluateOptions) -> dict:
    """Scores a fine-tuned model; prints the metrics as one JSON object.

    Raises:
        InputError: If the file has no labels and no `predictions` are asked for, or data, model
            and task do not fit together.
    """
    if options.report is None:
        check_unused(options, "attention_example", "page", reason="there is no `--report`")
    outputs = {flag(name): getattr(options, name) for name in ("output", "predictions", "report")}
    for name, path in outputs.items():
        if path is not None:
            check_file(path, name)
    if options.report is not None and options.page == "files":
        check_directory(str(folder_of_page(options.report)), "--report")
    check_outputs(outputs, (), model=options.model)
    task = task_of(options)
    predictor = load_predictor(options.model)
    if not isinstance(predictor, task.family):
        raise InputError(
            f"{options.model}: a model of the family {predictor.name}, but {task.name} needs one "
            f"of {task.family.name}"
        )
    task = task.for_model(predictor.options)
    labels = getattr(predictor.model, "labels", ())
    splits = _splits(options, task)
    predictor.freeze(options.precision)
    metrics: dict[str, Any] = {"task": task.name}
    for split in splits:
        with recorded_reads() as files:
            examples = task.read(options.data, split, labels=labels)
        check_outputs(outputs, files)
        _check(options, task, split, examples)
        answers = predictor.predict(examples, batch_size=options.batch_size)
        found: dict[str, Any] = {"split": split, "examples": len(examples)}
        if examples.targets is not None:
            found |= task.score(examples, answers, labels=labels)
        metrics |= found if len(splits) == 1 else {split: found}
        if options.predictions:
            task.write_predictions(Path(options.predictions), examples, answers, labels=labels)
        if options.report:
            _write_report(options, predictor, examples, answers, found)
    if options.output:
        write_json(options.output, metrics)
    print(json.dumps(metrics))
    return metrics


def _splits(options, task) -> tuple[str, ...]:
    splits = (options.split,) if options.split else task.dev_splits
    if not splits:
        raise InputError(f"`--split` must be given: {task.name} has no dev file")
    for name in ("predictions", "report"):
        if getattr(options, name) and len(splits) > 1:
            raise InputError(
                f"`{flag(name)}` needs one --split of {', '.join(splits)}: it writes one file"
            )
    return splits


def _check(options: EvaluateOptions, task: Task, split: str, examples: Examples) -> None:
    """Whether a split has what is asked for."""
    if examples.targets is None and (options.predictions is None or options.report):
        raise InputError(
            f"{options.data}: the {split} file of {task.name} has no labels; --predictions "
            "FILE writes what the model says"
        )
    if options.attention_example is not None and options.attention_example >= len(examples):
        raise InputError(
            f"`--attention-example` must be below {len(examples)}, the number of examples. "
            f"Received: {options.attention_example}"
        )


def _write_report(
    options: EvaluateOptions,
    predictor: Predictor,
    examples: Examples,
    answers: list[dict[str, Any]],
    found: dict[str, Any],
) -> None:
    # Only here, as it needs matplotlib.
    from keras_bert.reports.report import report

    scores = {name: value for name, value in found.items() if name not in ("split", "examples")}
    facts = {
        "model": options.model,
        "data": options.data,
        "split": found["split"],
        "precision": options.precision,
        "sequence length": predictor.sequence_length,
        **predictor.options,
    }
    html = report(
        f"{options.task}, {found['split']}: what the model gets wrong",
        predictor,
        examples,
        answers,
        scores=scores,
        facts=facts,
        attention_example=options.attention_example,
    )
    try:
        write_page(options.report, html, options.page)
    except OSError as error:
        raise InputError(
            f"{options.report}: cannot write the report: {error.strerror or error}"
        ) from error
