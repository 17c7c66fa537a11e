"""What fine-tuning begins with."""

from collections.abc import Sequence
from typing import Any

from keras_bert.checkpoints.formats import read_config
from keras_bert.command_line import check_unused, flag
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.tasks.families import load_tokenizer
from keras_bert.tasks.predictor import Predictor
from keras_bert.tasks.task import Task
from keras_bert.training.options import FAMILY_OPTIONS, FinetuneOptions
from keras_bert.training.strategy import dtype_policy


def starting_predictor(options: FinetuneOptions, task: Task, labels: Sequence[str]) -> Predictor:
    """Returns the task's model with the weights of `--init`, and its text processing.

    Raises:
        InputError: If an option has no use for the task, or the model is too small for it.
    """
    family = task.family
    given = _family_options(options, task)
    config = read_config(options.init)
    tokenizer = load_tokenizer(options.init)
    length = _sequence_length(options, family, config)
    tokenizer = tokenizer.with_options(sequence_length=length)
    arguments = {
        **family.model_arguments(labels, {**family.defaults, **given}),
        "dtype": dtype_policy(options.precision),
    }
    if options.random_weights:
        check_unused(options, "new_head", reason="`--random-weights` is given")
        model = family.model_class(config, **arguments)
    else:
        model = family.model_class.from_checkpoint(
            options.init, new_head=options.new_head, **arguments
        )
    if options.freeze_layers is not None:
        model.encoder.freeze(options.freeze_layers)
    return family(model, tokenizer, **given)


def _family_options(options: FinetuneOptions, task: Task) -> dict[str, Any]:
    found = dict(task.options)
    for name in FAMILY_OPTIONS:
        value = getattr(options, name)
        if value is None or value is False:
            continue
        if name not in task.family.defaults:
            raise InputError(f"`{flag(name)}` has no use for {task.name}. Received: {value}")
        found[name] = value
    return found


def _sequence_length(options: FinetuneOptions, family: type[Predictor], config: BertConfig) -> int:
    longest = config.max_sequence_length
    if options.sequence_length is None:
        return min(family.default_sequence_length, longest)
    if options.sequence_length > longest:
        raise InputError(
            "`--sequence-length` must not exceed the model's max_sequence_length. "
            f"Received: {options.sequence_length} > {longest}"
        )
    return options.sequence_length
