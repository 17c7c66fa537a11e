"""`python -m keras_bert finetune`."""

import math
from pathlib import Path

import keras
import tensorflow as tf

from keras_bert.command_line import check_at_least_one, check_not_negative, resolved
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.tasks.registry import task_named
from keras_bert.text.preprocessor import BertPreprocessor
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.training.callbacks import ProgressBar
from keras_bert.training.classification import check_lengths, examples_dataset, score_split
from keras_bert.training.hyperparameters import begin_session, end_session
from keras_bert.training.losses import readable
from keras_bert.training.monitors import check_monitors, input_meter, monitors
from keras_bert.training.optimizer import BertAdamW, WarmUpLinearDecay
from keras_bert.training.options import FinetuneOptions
from keras_bert.training.provenance import fingerprint
from keras_bert.training.resumable_training import ResumableTraining
from keras_bert.training.run_directory import RunDirectory, load_tokenizer
from keras_bert.training.strategy import devices, dtype_policy, make_strategy, set_seed
from keras_bert.training.summary_writer import summary_writer
from keras_bert.training.telemetry import Workload
from keras_bert.training.workers import Workers


def finetune(options: FinetuneOptions) -> dict:
    """Fine-tunes a classifier and scores it on the dev file.

    A run that was stopped goes on from its newest checkpoint and ends with the same bits.

    Returns:
        The metrics, also written to `metrics.json`: the task's on `dev`, the last training loss
        and rates.

    Raises:
        InputError: If data, model and options do not fit together.
    """
    check_at_least_one(options, "epochs", "batch_size", "log_steps")
    check_not_negative(options, "checkpoint_steps", "keep_checkpoints", "skip_limit")
    check_monitors(options)
    if not 0 <= options.warmup_share <= 1:
        raise InputError(
            f"`--warmup-share` must lie between 0 and 1. Received: {options.warmup_share}"
        )
    if not 0 < options.layer_decay <= 1:
        raise InputError(
            f"`--layer-decay` must be above 0 and at most 1. Received: {options.layer_decay}"
        )
    strategy = make_strategy(options.strategy, options.batch_size)
    with RunDirectory(options.output, resolved(options), workers=Workers(strategy)) as run:
        return _finetune(options, run, strategy)


def _finetune(
    options: FinetuneOptions, run: RunDirectory, strategy: tf.distribute.Strategy
) -> dict:
    task = task_named(options.task)
    labels = task.labels(options.data)
    train = task.read(options.data, "train", labels=labels)
    dev = task.read(options.data, "dev", labels=labels)
    config = BertConfig.from_file(Path(options.init) / "config.json")
    check_lengths(options.sequence_length, config)
    vocabulary_tokenizer = load_tokenizer(options.init)
    tokenizer = BertTokenizer(
        vocabulary_tokenizer.vocabulary,
        lowercase=vocabulary_tokenizer.lowercase,
        sequence_length=options.sequence_length,
    )
    preprocessor = BertPreprocessor(tokenizer, options.sequence_length, padding="longest")
    set_seed(options.seed)
    steps = math.ceil(len(train) / options.batch_size) * options.epochs
    with strategy.scope():
        policy = dtype_policy(options.precision)
        if options.random_weights:
            model = BertClassifier(config, labels=labels, dtype=policy)
        else:
            model = BertClassifier.from_checkpoint(options.init, labels=labels, dtype=policy)
        schedule = WarmUpLinearDecay(
            options.learning_rate,
            total_steps=steps,
            warmup_steps=round(steps * options.warmup_share),
        )
        model.compile(
            BertAdamW(
                schedule,
                weight_decay=options.weight_decay,
                bias_correction=True,
                layer_decay=options.layer_decay,
            ),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        )
    inputs = {"data": fingerprint(options.data), "init": fingerprint(options.init)}
    run.create(inputs={**inputs, **devices(strategy)})
    training = ResumableTraining(
        model,
        run,
        total_steps=steps,
        log_steps=options.log_steps,
        checkpoint_steps=options.checkpoint_steps,
        keep_checkpoints=options.keep_checkpoints,
        tokenizer=tokenizer,
        skip_limit=options.skip_limit,
    )
    writer = summary_writer(run.tensorboard, strategy)
    begin_session(writer, resolved(options))
    meter = input_meter(strategy)
    workload = Workload(config, options.batch_size)

    def batches(done: int) -> tf.data.Dataset:
        dataset = examples_dataset(
            train,
            preprocessor,
            batch_size=options.batch_size,
            shuffle_seed=options.seed,
            start_batch=done,
        )
        return meter.watch(dataset) if meter else dataset

    def callbacks(done: int) -> list[keras.callbacks.Callback]:
        return [
            *monitors(options, run.tensorboard, writer, workload, meter, training.facts),
            *run.shown(
                ProgressBar(
                    steps, examples_per_step=options.batch_size, title="fine-tuning", done=done
                )
            ),
        ]

    with training:
        training.fit(steps, dataset=batches, callbacks=callbacks)
        seconds = training.seconds
        metrics = {
            "task": task.name,
            "train_examples": len(train),
            "dev_examples": len(dev),
            "dev": score_split(task, model, preprocessor, dev, batch_size=options.batch_size),
            "training": readable(training.logs),
            "speed": training.facts.get("speed", {}),
            "seconds": seconds,
            "examples_per_second": len(train) * options.epochs / seconds,
        }
        run.save_model(model, tokenizer)
    end_session(writer)
    run.finish(f"fine-tuning: {run.path}", metrics)
    return metrics
