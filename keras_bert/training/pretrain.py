"""`python -m keras_bert pretrain`."""

import math
import time
from pathlib import Path

import keras

from keras_bert.command_line import check_at_least_one, resolved
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.records import Manifest, read_manifest
from keras_bert.text.masking import MaskedLMMasker
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import Vocabulary
from keras_bert.training.callbacks import (
    CheckpointCopies,
    ProgressBar,
    StopAfter,
    TensorBoardScalars,
)
from keras_bert.training.losses import pretraining_losses, readable
from keras_bert.training.optimizer import BertAdamW, WarmUpLinearDecay
from keras_bert.training.options import PretrainOptions
from keras_bert.training.pipeline import pretraining_dataset
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
    run = RunDirectory(options.output, resolved(options))
    manifest = read_manifest(options.data)
    vocabulary = _vocabulary_of(options.data, manifest)
    validation_manifest = None
    if options.validation:
        validation_manifest = read_manifest(options.validation)
        if validation_manifest.vocabulary_sha256 != manifest.vocabulary_sha256:
            raise InputError(f"{options.validation}: made with another vocabulary than --data")
    config = _model_config(options, vocabulary)
    if manifest.sequence_length > config.max_sequence_length:
        raise InputError(
            f"{options.data}: sequences of {manifest.sequence_length} tokens do not fit a model "
            f"with max_sequence_length={config.max_sequence_length}"
        )
    if manifest.examples < options.batch_size:
        raise InputError(
            f"{options.data}: {manifest.examples} examples do not fill one batch of "
            f"{options.batch_size}"
        )
    strategy = make_strategy(options.strategy, options.batch_size)
    set_seed(options.seed)
    masker = MaskedLMMasker(vocabulary, options.max_predictions, mask_rate=options.mask_rate)
    with strategy.scope():
        policy = dtype_policy(options.precision)
        if options.init:
            model = BertPretrainer.from_checkpoint(options.init, dtype=policy)
        else:
            model = BertPretrainer(config, dtype=policy)
        model.compile(_optimizer(options), **pretraining_losses())
    run.create()

    def measure() -> dict[str, float]:
        batch_size = min(options.batch_size, validation_manifest.examples)
        steps = min(options.validation_steps, validation_manifest.examples // batch_size)
        dataset = pretraining_dataset(
            options.validation,
            validation_manifest,
            masker,
            batch_size=batch_size,
            seed=options.seed,
            shuffle_buffer=0,
        )
        logs = model.evaluate(dataset, steps=steps, verbose=0, return_dict=True)
        return readable(logs)

    metrics: dict = {"parameters": model.count_params(), "steps": options.steps}
    if options.validation:
        metrics["before"] = measure()
    tokenizer = BertTokenizer(vocabulary, lowercase=manifest.lowercase)
    started = time.perf_counter()
    last_logs = _fit(model, options, manifest, masker, run, tokenizer)
    seconds = time.perf_counter() - started
    metrics["training"] = last_logs
    metrics["seconds"] = seconds
    metrics["sequences_per_second"] = options.steps * options.batch_size / seconds
    if options.validation:
        metrics["after"] = measure()
    model.save_checkpoint(run.model, tokenizer=tokenizer)
    run.finish(f"pre-training: {run.path}", metrics)
    return metrics


def _fit(model, options, manifest, masker, run, tokenizer) -> dict[str, float]:
    dataset = pretraining_dataset(
        options.data,
        manifest,
        masker,
        batch_size=options.batch_size,
        seed=options.seed,
        shuffle_buffer=options.shuffle_buffer,
    )
    callbacks: list[keras.callbacks.Callback] = [
        TensorBoardScalars(
            run.tensorboard,
            examples_per_step=options.batch_size,
            tokens_per_example=manifest.statistics.get("tokens_per_example"),
        ),
        ProgressBar(options.steps, examples_per_step=options.batch_size, title="pre-training"),
    ]
    if options.checkpoint_steps:
        callbacks.append(
            CheckpointCopies(run.checkpoints, every=options.checkpoint_steps, tokenizer=tokenizer)
        )
    callbacks.append(StopAfter(options.steps))
    log_steps = min(options.log_steps, options.steps)
    # A Keras epoch is the interval between two points; one iterator runs through all of them.
    history = model.fit(
        dataset,
        epochs=math.ceil(options.steps / log_steps),
        steps_per_epoch=log_steps,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )
    return readable({name: values[-1] for name, values in history.history.items()})


def _vocabulary_of(directory: str, manifest: Manifest) -> Vocabulary:
    vocabulary = Vocabulary.from_file(Path(directory) / "vocab.txt")
    if vocabulary.sha256 != manifest.vocabulary_sha256:
        raise InputError(f"{directory}: vocab.txt is not the vocabulary that made the shards")
    return vocabulary


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
    return BertAdamW(
        schedule, weight_decay=options.weight_decay, bias_correction=options.bias_correction
    )
