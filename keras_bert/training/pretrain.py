"""`python -m keras_bert pretrain`."""

import dataclasses
import math
import time
from pathlib import Path

import keras

from keras_bert.command_line import check_at_least_one, resolved
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import Vocabulary
from keras_bert.training.callbacks import (
    CheckpointCopies,
    ProgressBar,
    StopAfter,
    TensorBoardScalars,
)
from keras_bert.training.lamb import BertLamb
from keras_bert.training.losses import pretraining_losses, readable
from keras_bert.training.optimizer import BertAdamW, WarmUpLinearDecay
from keras_bert.training.options import PretrainOptions
from keras_bert.training.phases import make_phase, read_vocabulary, training_phases
from keras_bert.training.run_directory import RunDirectory, load_tokenizer
from keras_bert.training.strategy import dtype_policy, make_strategy, set_seed

_LONGEST_WARMUP = 10000  # of the paper


def pretrain(options: PretrainOptions) -> dict:
    """Pre-trains a model on shards with masked language model and next sentence.

    Returns:
        The metrics, also written to `metrics.json`: `before` and `after` with the losses and
        accuracies on the validation shards, where given, and rates of the training.

    Raises:
        InputError: If data, model and vocabulary do not fit together.
    """
    check_at_least_one(options, "steps", "batch_size", "log_steps", "validation_steps")
    check_at_least_one(options, "max_predictions", "long_batch_size", "gradient_accumulation_steps")
    run = RunDirectory(options.output, resolved(options))
    vocabulary = read_vocabulary(options.data)
    phases = training_phases(options, vocabulary)
    config = _model_config(options, vocabulary)
    for phase in phases:
        if phase.manifest.sequence_length > config.max_sequence_length:
            raise InputError(
                f"{phase.directory}: sequences of {phase.manifest.sequence_length} tokens do not "
                f"fit a model with max_sequence_length={config.max_sequence_length}"
            )
    pairs = phases[0].manifest.has_pairs
    validation = None
    if options.validation:
        validation = make_phase(
            options.validation, options, vocabulary, steps=options.validation_steps, batch_size=1
        )
        if validation.manifest.has_pairs != pairs:
            raise InputError(
                f"{options.validation}: pairs of segments must be in both or in neither. Received: "
                f"{phases[0].manifest.objective} and {validation.manifest.objective}"
            )
    strategy = make_strategy(options.strategy, options.batch_size)
    set_seed(options.seed)
    with strategy.scope():
        policy = dtype_policy(options.precision)
        if options.init:
            model = BertPretrainer.from_checkpoint(options.init, next_sentence=pairs, dtype=policy)
        else:
            model = BertPretrainer(config, next_sentence=pairs, dtype=policy)
        model.compile(_optimizer(options), **pretraining_losses(pairs=pairs))
    model.gradient_accumulation_steps = options.gradient_accumulation_steps
    run.create()

    def measure() -> dict[str, float]:
        batch_size = min(options.batch_size, validation.manifest.examples)
        batches = dataclasses.replace(validation, batch_size=batch_size).dataset(
            shuffle_buffer=0, strategy=strategy
        )
        steps = min(validation.steps, validation.manifest.examples // batch_size)
        with validation.readable():
            return readable(model.evaluate(batches, steps=steps, verbose=0, return_dict=True))

    metrics: dict = {"parameters": model.count_params(), "steps": options.steps}
    if options.validation:
        metrics["before"] = measure()
    tokenizer = BertTokenizer(vocabulary, lowercase=phases[0].manifest.lowercase)
    started = time.perf_counter()
    for phase in phases:
        # A graph of its own for each length: shapes stay static.
        model.make_train_function(force=True)
        with phase.readable():
            metrics["training"] = _fit(model, options, phase, run, tokenizer)
    seconds = time.perf_counter() - started
    metrics["seconds"] = seconds
    sequences = sum(phase.steps * phase.batch_size for phase in phases)
    metrics["sequences_per_second"] = sequences / seconds
    if options.validation:
        metrics["after"] = measure()
    model.save_checkpoint(run.model, tokenizer=tokenizer)
    run.finish(f"pre-training: {run.path}", metrics)
    return metrics


def _fit(model, options, phase, run, tokenizer) -> dict[str, float]:
    length = phase.manifest.sequence_length
    callbacks: list[keras.callbacks.Callback] = [
        TensorBoardScalars(
            run.tensorboard,
            examples_per_step=phase.batch_size,
            tokens_per_example=phase.manifest.statistics.get("tokens_per_example"),
        ),
        ProgressBar(
            phase.steps,
            examples_per_step=phase.batch_size,
            title=f"pre-training, {length} tokens",
        ),
    ]
    if options.checkpoint_steps:
        callbacks.append(
            CheckpointCopies(run.checkpoints, every=options.checkpoint_steps, tokenizer=tokenizer)
        )
    callbacks.append(StopAfter(phase.steps))
    log_steps = min(options.log_steps, phase.steps)
    # A Keras epoch is the interval between two points; one iterator runs through all of them.
    history = model.fit(
        phase.dataset(shuffle_buffer=options.shuffle_buffer, strategy=model.distribute_strategy),
        epochs=math.ceil(phase.steps / log_steps),
        steps_per_epoch=log_steps,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )
    return readable({name: values[-1] for name, values in history.history.items()})


def _model_config(options: PretrainOptions, vocabulary: Vocabulary) -> BertConfig:
    """The network: of `--init`, of a file, or a named size for this vocabulary."""
    if options.init:
        if load_tokenizer(options.init).vocabulary.sha256 != vocabulary.sha256:
            raise InputError(
                f"{options.init}: a model of another vocabulary than that of {options.data}"
            )
        return BertConfig.from_file(Path(options.init) / "config.json")
    if options.model in BertConfig.names():
        return BertConfig.from_name(options.model, vocabulary_size=len(vocabulary))
    if not Path(options.model).exists():
        raise InputError(
            f"`--model` must be a file or one of {', '.join(BertConfig.names()[:6])}, "
            f"L<2..12>-H<128..768>. Received: {options.model!r}"
        )
    config = BertConfig.from_file(options.model)
    if config.vocabulary_size != len(vocabulary):
        raise InputError(
            f"{options.model}: vocabulary_size={config.vocabulary_size}, but the shards were made "
            f"with {len(vocabulary)} tokens"
        )
    return config


def _optimizer(options: PretrainOptions) -> BertAdamW:
    warmup_steps = options.warmup_steps
    if warmup_steps is None:
        warmup_steps = min(options.steps // 10, _LONGEST_WARMUP)
    if not 0 <= warmup_steps <= options.steps:
        raise InputError(
            f"`--warmup-steps` must lie between 0 and --steps. Received: {warmup_steps}"
        )
    schedule = WarmUpLinearDecay(
        options.learning_rate, total_steps=options.steps, warmup_steps=warmup_steps
    )
    optimizer = {"adamw": BertAdamW, "lamb": BertLamb}[options.optimizer]
    return optimizer(
        schedule, weight_decay=options.weight_decay, bias_correction=options.bias_correction
    )
