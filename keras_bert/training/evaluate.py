"""`python -m keras_bert evaluate`."""

import json

from keras_bert.atomic import write_json
from keras_bert.command_line import check_at_least_one
from keras_bert.errors import InputError
from keras_bert.tasks.registry import task_named
from keras_bert.training.classification import load_classifier, score_split
from keras_bert.training.options import EvaluateOptions


def evaluate(options: EvaluateOptions) -> dict:
    """Scores a fine-tuned model on a labelled file; prints the metrics as one JSON object.

    Raises:
        InputError: If the file has no labels, or data and model do not fit together.
    """
    check_at_least_one(options, "batch_size")
    task = task_named(options.task)
    model, preprocessor = load_classifier(options.model)
    examples = task.read(options.data, options.split, labels=model.labels)
    if examples.labels is None:
        raise InputError(f"{options.data}: the {options.split} file of {task.name} has no labels")
    scores = score_split(task, model, preprocessor, examples, batch_size=options.batch_size)
    metrics = {"task": task.name, "split": options.split, "examples": len(examples), **scores}
    if options.output:
        write_json(options.output, metrics)
    print(json.dumps(metrics))
    return metrics
