"""`python -m keras_bert`: pre-train, fine-tune, evaluate, predict, convert and resize."""

import sys
from collections.abc import Sequence

from keras_bert.interruption import watch

watch(__name__)  # Before the imports that take a while.

from keras_bert.command_line import Command, run
from keras_bert.training import options

COMMANDS = {
    "pretrain": Command(
        options.PretrainOptions,
        "keras_bert.training.pretrain:pretrain",
        "Pre-train a model on shards: masked language model and next sentence.",
    ),
    "finetune": Command(
        options.FinetuneOptions,
        "keras_bert.training.finetune:finetune",
        "Fine-tune a model for a task.",
    ),
    "evaluate": Command(
        options.EvaluateOptions,
        "keras_bert.training.evaluate:evaluate",
        "Measure a fine-tuned model with the task's official metrics.",
    ),
    "predict": Command(
        options.PredictOptions,
        "keras_bert.training.predict:predict",
        "Answer JSON lines from standard input: {text} or {text_a, text_b}.",
    ),
    "convert": Command(
        options.ConvertOptions,
        "keras_bert.training.convert:convert",
        "Write a checkpoint in another format, tensor by tensor.",
    ),
    "resize": Command(
        options.ResizeOptions,
        "keras_bert.training.resize:resize",
        "Add tokens to a model and its vocabulary, or pad its table.",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    return run("python -m keras_bert", "BERT for TensorFlow and Keras.", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
