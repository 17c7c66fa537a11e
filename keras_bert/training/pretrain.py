"""`python -m keras_bert pretrain`."""

import dataclasses
import sys
from pathlib import Path

import keras
import tensorflow as tf

from keras_bert.checkpoints.formats import format_of, read_config
from keras_bert.command_line import check_unused, defaults, resolved
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.tasks.families import load_tokenizer
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import Vocabulary
from keras_bert.training.callbacks import ProgressBar
from keras_bert.training.hyperparameters import begin_session, end_session
from keras_bert.training.inputs import (
    NOTHING,
    checkpoint_input,
    config_input,
    shards_input,
    strategy_input,
)
from keras_bert.training.lamb import BertLamb
from keras_bert.training.losses import pretraining_losses, readable
from keras_bert.training.mask_samples import SAMPLES, MaskSamples
from keras_bert.training.monitors import check_monitors, input_meter, monitors
from keras_bert.training.optimizer import BertAdamW, WarmUpLinearDecay
from keras_bert.training.options import PretrainOptions
from keras_bert.training.phases import (
    Phase,
    make_phase,
    phases_from,
    planned_steps,
    read_vocabulary,
    training_phases,
)
from keras_bert.training.pipeline import LEFT_TO_RIGHT
from keras_bert.training.resumable_training import ResumableTraining
from keras_bert.training.run_directory import RunDirectory
from keras_bert.training.run_record import Input
from keras_bert.training.strategy import dtype_policy, make_strategy, set_seed
from keras_bert.training.summary_writer import summary_writer
from keras_bert.training.telemetry import Workload, write_validation
from keras_bert.training.workers import Workers

_DEFAULT_MODEL = "base"
# Options that are compared by what they name.
_NAMED = ("data", "long_data", "validation", "init", "model", "strategy")
_LONGEST_WARMUP = 10000  # of the paper
# What a name of a size says.
_SIZE = ("num_layers", "hidden_dim", "num_heads", "intermediate_dim")


def pretrain(options: PretrainOptions) -> dict:
    """Pre-trains a model on shards with masked language model and next sentence.

    A run that was stopped goes on from its newest checkpoint and ends with the same bits.

    Returns:
        The metrics, also written to `metrics.json`: `before` and `after` with the losses and
        accuracies on the validation shards, where given, and rates of the training.

    Raises:
        InputError: If data, model and vocabulary do not fit together.
    """
    check_monitors(options)
    if not options.init:
        check_unused(options, "new_head", reason="`--init` is not given")
        # Said in the run's configuration, as another version may have another default.
        options = dataclasses.replace(options, model=options.model or _DEFAULT_MODEL)
    strategy = make_strategy(options.strategy, options.batch_size)
    with RunDirectory(
        options.output,
        resolved(options),
        defaults=defaults(options),
        workers=Workers(strategy),
        named={name: (name,) for name in _NAMED},
        length="steps",
    ) as run:
        return _pretrain(options, run, strategy)


def _pretrain(
    options: PretrainOptions, run: RunDirectory, strategy: tf.distribute.Strategy
) -> dict:
    vocabulary = read_vocabulary(options.data)
    phases = training_phases(options, vocabulary)
    config = _model_config(options, vocabulary)
    if options.init:
        _check_tokenizer(options, phases[0].manifest.lowercase)
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
    set_seed(options.seed)
    with strategy.scope():
        policy = dtype_policy(options.precision)
        if options.init:
            checkpoint = format_of(options.init).read(options.init)
            model = BertPretrainer.from_checkpoint(
                checkpoint, next_sentence=pairs, dtype=policy, new_head=options.new_head
            )
            heads = checkpoint.heads_for(model)
            # New ones are told of where they are made.
            if heads.left and not heads.new and not options.new_head:
                print(f"{checkpoint.place}: {heads}", file=sys.stderr)
        else:
            model = BertPretrainer(config, next_sentence=pairs, dtype=policy)
        losses = pretraining_losses(pairs=pairs)
        model.compile(_optimizer(options), **losses, jit_compile=False)
    model.gradient_accumulation_steps = options.gradient_accumulation_steps
    inputs = _inputs(options, config, phases, validation, strategy)
    run.create(inputs, total_steps=options.steps)
    phases = _phases_now(phases, run)

    def measure() -> dict[str, float]:
        batch_size = min(options.batch_size, validation.manifest.examples)
        batches = dataclasses.replace(validation, batch_size=batch_size).dataset(
            shuffle_buffer=0, strategy=strategy
        )
        steps = min(validation.steps, validation.manifest.examples // batch_size)
        with validation.readable():
            found = readable(model.evaluate(batches, steps=steps, verbose=0, return_dict=True))
        write_validation(writer, model, found)
        return found

    tokenizer = BertTokenizer(vocabulary, lowercase=phases[0].manifest.lowercase)
    metrics: dict = {"parameters": model.count_params()}
    training = ResumableTraining(
        model,
        run,
        total_steps=options.steps,
        log_steps=options.log_steps,
        checkpoint_steps=options.checkpoint_steps,
        keep_checkpoints=options.keep_checkpoints,
        tokenizer=tokenizer,
        measurement=measure if options.validation else None,
        skip_limit=options.skip_limit,
    )
    writer = summary_writer(run.tensorboard, strategy)
    begin_session(writer, resolved(options))
    with training:
        training.facts["phases"] = [phase.steps for phase in phases]
        if options.validation:
            if "before" not in training.facts:
                training.facts["before"] = training.measure()
            metrics["before"] = training.facts["before"]
        for phase in phases:
            with phase.readable():
                samples = _mask_samples(options, validation or phase, writer, vocabulary)
                _fit(training, options, phase, run, writer, samples)
        metrics |= training.account()
        metrics["training"] = readable(training.logs)
        metrics["speed"] = training.facts.get("speed", {})
        metrics["seconds"] = training.seconds
        sequences = sum(phase.steps * phase.batch_size for phase in phases)
        metrics["sequences_per_second"] = sequences / training.seconds
        if options.validation:
            metrics["after"] = training.measure()
            metrics["best"] = training.facts.get("best", {})
        run.save_model(model, tokenizer)
    end_session(writer)
    run.finish(f"pre-training: {run.path}", metrics)
    return metrics


def _fit(
    training: ResumableTraining,
    options: PretrainOptions,
    phase: Phase,
    run: RunDirectory,
    writer: tf.summary.SummaryWriter,
    samples: list[keras.callbacks.Callback],
) -> None:
    strategy = training.model.distribute_strategy
    meter = input_meter(strategy)
    workload = Workload(
        training.model.config,
        phase.batch_size,
        predictions=phase.predictions,
        length=phase.manifest.sequence_length,
        tokens_per_example=phase.manifest.statistics.get("tokens_per_example"),
    )

    def batches(done: int):
        dataset = phase.dataset(
            shuffle_buffer=options.shuffle_buffer, strategy=strategy, first_batch=done
        )
        return meter.watch(dataset) if meter else dataset

    def callbacks(done: int) -> list[keras.callbacks.Callback]:
        return [
            *monitors(options, run.tensorboard, writer, workload, meter, training.facts),
            *run.shown(
                ProgressBar(
                    phase.steps,
                    examples_per_step=phase.batch_size,
                    title=f"pre-training, {phase.manifest.sequence_length} tokens",
                    done=done,
                )
            ),
            *samples,
        ]

    training.fit(phase.steps, dataset=batches, callbacks=callbacks)


def _mask_samples(
    options: PretrainOptions,
    phase: Phase,
    writer: tf.summary.SummaryWriter,
    vocabulary: Vocabulary,
) -> list[keras.callbacks.Callback]:
    """The callback that shows the first examples of a phase; none where it has no masks."""
    if not options.sample_steps or phase.manifest.objective == LEFT_TO_RIGHT:
        return []
    few = dataclasses.replace(phase, batch_size=min(SAMPLES, phase.manifest.examples))
    return [
        MaskSamples(
            writer,
            next(iter(few.dataset(shuffle_buffer=0))),
            vocabulary,
            every=options.sample_steps,
            log_steps=options.log_steps,
            total_steps=options.steps,
        )
    ]


def _inputs(
    options: PretrainOptions,
    config: BertConfig,
    phases: list[Phase],
    validation: Phase | None,
    strategy: tf.distribute.Strategy,
) -> dict[str, Input]:
    """What the numbers depend on besides the options' own values."""
    shards = dict(zip(("data", "long_data"), phases, strict=False))
    if validation is not None:
        shards["validation"] = validation
    found = {name: shards_input(phase.directory, phase.manifest) for name, phase in shards.items()}
    if options.init:
        found["init"] = checkpoint_input(options.init)
    else:
        found["model"] = config_input(config, options.model)
    return {**dict.fromkeys(_NAMED, NOTHING), **found, "strategy": strategy_input(strategy)}


def _phases_now(phases: list[Phase], run: RunDirectory) -> list[Phase]:
    """The phases of a run that may have gone through some of them with another `--steps`."""
    if run.saved is None:
        return phases
    state = run.saved[1]
    began = state["options"]
    share = began["long_share"] if began.get("long_data") else None
    earlier = state["facts"].get("phases") or planned_steps(began["steps"], share)
    now = phases_from(phases, state["step"], earlier)
    if [phase.steps for phase in now] != [phase.steps for phase in phases]:
        steps = ", ".join(f"{phase.steps} on {phase.directory}" for phase in now)
        print(f"{run.path}: steps of the phases: {steps}", file=sys.stderr, flush=True)
    return now


def _check_tokenizer(options: PretrainOptions, lowercase: bool) -> None:
    """Refuses a model whose tokenizer reads text otherwise than that of the shards did."""
    tokenizer = load_tokenizer(options.init)
    of_shards = {"lowercase": lowercase, "strip_accents": None, "tokenize_chinese_chars": True}
    for name, value in of_shards.items():
        if getattr(tokenizer, name) != value:
            raise InputError(
                f"{options.init}: the tokenizer must have {name}={value}, as that of "
                f"{options.data} had. Received: {name}={getattr(tokenizer, name)}"
            )


def _model_config(options: PretrainOptions, vocabulary: Vocabulary) -> BertConfig:
    """The network: of `--init`, of a file, or a named size for this vocabulary."""
    if options.init:
        if load_tokenizer(options.init).vocabulary.sha256 != vocabulary.sha256:
            raise InputError(
                f"{options.init}: a model of another vocabulary than that of {options.data}"
            )
        config = read_config(options.init)
        if options.model:
            _check_model(options, config)
        return config
    config = _named_config(options.model, len(vocabulary))
    if config.vocabulary_size < len(vocabulary):
        raise InputError(
            f"{options.model}: vocabulary_size={config.vocabulary_size}, but the shards were made "
            f"with {len(vocabulary)} tokens"
        )
    return config


def _check_model(options: PretrainOptions, config: BertConfig) -> None:
    """Refuses a `--model` that is not the network of `--init`."""
    names = [field.name for field in dataclasses.fields(BertConfig)]
    if options.model in BertConfig.names():
        names = _SIZE
    wanted = _named_config(options.model, config.vocabulary_size)
    differences = [
        f"{name}={getattr(wanted, name)}, not {getattr(config, name)}"
        for name in names
        if getattr(wanted, name) != getattr(config, name)
    ]
    if differences:
        raise InputError(
            f"`--model` must be the network of `--init`, {options.init}, or be left out. "
            f"Received: {options.model}, which has {'; '.join(differences)}"
        )


def _named_config(model: str, vocabulary_size: int) -> BertConfig:
    """The network of a file, or a named size for a vocabulary."""
    if model in BertConfig.names():
        return BertConfig.from_name(model, vocabulary_size=vocabulary_size)
    if not Path(model).exists():
        raise InputError(
            f"`--model` must be a file or one of {', '.join(BertConfig.names()[:6])}, "
            f"L<2..12>-H<128..768>. Received: {model!r}"
        )
    return BertConfig.from_file(model)


def _optimizer(options: PretrainOptions) -> BertAdamW:
    warmup_steps = options.warmup_steps
    if warmup_steps is None:
        warmup_steps = min(options.steps // 10, _LONGEST_WARMUP)
    if warmup_steps > options.steps:
        raise InputError(
            f"`--warmup-steps` must be at most --steps, {options.steps}. Received: {warmup_steps}"
        )
    schedule = WarmUpLinearDecay(
        options.learning_rate, total_steps=options.steps, warmup_steps=warmup_steps
    )
    optimizer = {"adamw": BertAdamW, "lamb": BertLamb}[options.optimizer]
    return optimizer(
        schedule, weight_decay=options.weight_decay, bias_correction=options.bias_correction
    )
