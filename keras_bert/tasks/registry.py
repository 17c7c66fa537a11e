"""The tasks by their names on the command line."""

from keras_bert.errors import InputError
from keras_bert.tasks.classification import TextClassification
from keras_bert.tasks.glue import MRPC, SST2
from keras_bert.tasks.task import ClassificationTask

TASKS: dict[str, ClassificationTask] = {
    task.name: task for task in (TextClassification(), SST2, MRPC)
}


def task_named(name: str) -> ClassificationTask:
    """Returns a task.

    Raises:
        InputError: If there is none of that name.
    """
    if name not in TASKS:
        raise InputError(f"`task` must be one of {', '.join(TASKS)}. Received: task={name!r}")
    return TASKS[name]
