"""`python -m keras_bert finetune`."""

import math
from typing import Any

import keras
import tensorflow as tf

from keras_bert.command_line import defaults, resolved
from keras_bert.errors import InputError
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.predictor import Predictor
from keras_bert.tasks.task import Task
from keras_bert.training.callbacks import ProgressBar
from keras_bert.training.example_batches import balanced_weights, training_batches
from keras_bert.training.hyperparameters import begin_session, end_session
from keras_bert.training.inputs import checkpoint_input, examples_input, strategy_input
from keras_bert.training.losses import readable
from keras_bert.training.monitors import check_monitors, input_meter, monitors
from keras_bert.training.optimizer import BertAdamW, WarmUpLinearDecay
from keras_bert.training.options import NAMED, FinetuneOptions
from keras_bert.training.output_files import check_output_directory
from keras_bert.training.resumable_training import ResumableTraining
from keras_bert.training.run_directory import RunDirectory
from keras_bert.training.run_record import Input
from keras_bert.training.starting_model import starting_predictor
from keras_bert.training.strategy import make_strategy, set_seed
from keras_bert.training.summary_writer import summary_writer
from keras_bert.training.task_files import task_of
from keras_bert.training.telemetry import Workload, write_validation
from keras_bert.training.workers import Workers


def finetune(options: FinetuneOptions) -> dict:
    """Fine-tunes a model for a task, or one for each point of a grid, and scores it on dev.

    A run that was stopped goes on from its newest checkpoint and ends with the same bits.

    Returns:
        The metrics, also written to `metrics.json`: the task's on dev, the last training loss and
        rates.

    Raises:
        InputError: If data, model and options do not fit together.
    """
    _check(options)
    if options.grid is not None:
        from keras_bert.training.grid import search

        return search(options, finetune, inputs=_inputs_of_search)
    task = task_of(options)
    if not task.dev_splits:
        raise InputError(f"`--task {task.name}` is only for evaluate: it has no training data")
    strategy = make_strategy(options.strategy, options.batch_size)
    with RunDirectory(
        options.output,
        resolved(options),
        defaults=defaults(options),
        workers=Workers(strategy),
        named=NAMED,
        length="epochs",
    ) as run:
        return _finetune(options, task, run, strategy)


def _inputs_of_search(options: FinetuneOptions) -> dict[str, Input]:
    """What all runs of a grid depend on."""
    task = task_of(options)
    labels = task.labels(options.data)
    splits = ("train", *task.dev_splits)
    read = {split: task.read(options.data, split, labels=labels) for split in splits}
    return _inputs(options, labels, read)


def _inputs(
    options: FinetuneOptions, labels: tuple[str, ...], splits: dict[str, Examples]
) -> dict[str, Input]:
    return {
        "data": examples_input(options.data, labels, splits),
        "init": checkpoint_input(options.init),
    }


def _check(options: FinetuneOptions) -> None:
    check_output_directory(options.output, data=options.data, init=options.init)
    check_monitors(options)
    if options.restarts > 1 and options.grid is None:
        raise InputError(f"`--restarts` needs `--grid`. Received: {options.restarts}")
    if options.checkpoint_steps == 0 and options.patience:
        raise InputError(
            "`--patience` counts checkpoints, and `--checkpoint-steps 0` makes none. "
            f"Received: {options.patience}"
        )


def _finetune(
    options: FinetuneOptions, task: Task, run: RunDirectory, strategy: tf.distribute.Strategy
) -> dict:
    labels = task.labels(options.data)
    train = task.read(options.data, "train", labels=labels)
    dev = {split: task.read(options.data, split, labels=labels) for split in task.dev_splits}
    first_split = task.dev_splits[0]
    set_seed(options.seed)
    with strategy.scope():
        predictor = starting_predictor(options, task, labels)
    model = predictor.model
    rows = predictor.rows(train)
    if options.class_weights == "balanced":
        rows = balanced_weights(rows, len(labels))
    epoch_steps = math.ceil(len(rows) / options.batch_size)
    steps = math.ceil(len(rows) * options.epochs / options.batch_size)
    with strategy.scope():
        schedule = WarmUpLinearDecay(
            options.learning_rate,
            total_steps=steps,
            warmup_steps=round(steps * options.warmup_share),
            continuous=True,
        )
        optimizer = BertAdamW(
            schedule,
            weight_decay=options.weight_decay,
            bias_correction=True,
            layer_decay=options.layer_decay,
        )
        model.compile(
            optimizer, loss=predictor.loss(), metrics=predictor.metrics(), jit_compile=False
        )
    inputs = _inputs(options, labels, {"train": train, **dev})
    run.create({**inputs, "strategy": strategy_input(strategy)}, total_steps=steps)

    def measure() -> dict[str, float]:
        # The one that chooses.
        first_dev = {first_split: dev[first_split]}
        answers = _answers(predictor, first_dev, options.batch_size)
        first = _scores(task, first_dev, answers, labels)[first_split]
        write_validation(writer, model, _numbers(first))
        return _numbers(first)

    checkpoint_steps = options.checkpoint_steps
    training = ResumableTraining(
        model,
        run,
        total_steps=steps,
        log_steps=options.log_steps,
        checkpoint_steps=epoch_steps if checkpoint_steps is None else checkpoint_steps,
        keep_checkpoints=options.keep_checkpoints,
        tokenizer=predictor.tokenizer,
        measurement=measure,
        objective=task.metric,
        best_is="greatest",
        patience=options.patience,
        skip_limit=options.skip_limit,
    )
    writer = summary_writer(run.tensorboard, strategy)
    begin_session(writer, resolved(options))
    with training:
        _fit(training, options, run, rows, steps, writer)
        if options.final_model == "best":
            training.load_best()
        answers = _answers(predictor, dev, options.batch_size)
        if tuned := task.tuned_options(dev[first_split], answers[first_split]):
            predictor.set_options(**tuned)
            answers = _answers(predictor, dev, options.batch_size)
        seconds = training.seconds - training.measuring_seconds
        metrics = {
            "task": task.name,
            "train_examples": len(train),
            "dev_examples": len(dev[first_split]),
            **_scores(task, dev, answers, labels),
            "best": training.facts.get("best", {}),
            "training": readable(training.logs),
            "speed": training.facts.get("speed", {}),
            **training.account(),
            "seconds": seconds,
            "examples_per_second": (
                training.step * options.batch_size * len(train) / len(rows) / seconds
            ),
        }
        run.save_model(model, predictor.tokenizer)
    end_session(writer)
    run.finish(f"fine-tuning: {run.path}", metrics)
    return metrics


def _fit(
    training: ResumableTraining,
    options: FinetuneOptions,
    run: RunDirectory,
    rows: Any,
    steps: int,
    writer: tf.summary.SummaryWriter,
) -> None:
    strategy = training.model.distribute_strategy
    meter = input_meter(strategy)
    workload = Workload(training.model.config, options.batch_size)

    def batches(done: int) -> Any:
        dataset = training_batches(
            rows,
            strategy,
            batch_size=options.batch_size,
            seed=options.seed,
            first_batch=done,
            length_pool=options.length_pool,
        )
        return meter.watch(dataset) if meter else dataset

    def callbacks(done: int) -> list[keras.callbacks.Callback]:
        bar = ProgressBar(
            steps, examples_per_step=options.batch_size, title="fine-tuning", done=done
        )
        return [
            *monitors(options, run.tensorboard, writer, workload, meter, training.facts),
            *run.shown(bar),
        ]

    training.fit(steps, dataset=batches, callbacks=callbacks)


def _answers(
    predictor: Predictor, dev: dict[str, Examples], batch_size: int
) -> dict[str, list[dict[str, Any]]]:
    return {
        split: predictor.predict(examples, batch_size=batch_size) for split, examples in dev.items()
    }


def _scores(
    task: Task, dev: dict[str, Examples], answers: dict[str, list], labels: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    return {split: task.score(dev[split], answers[split], labels=labels) for split in dev}


def _numbers(scores: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in scores.items() if isinstance(value, float | int)}
