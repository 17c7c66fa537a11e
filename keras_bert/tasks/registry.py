"""The tasks by their names on the command line."""

from keras_bert.errors import InputError
from keras_bert.tasks.choices import CHOICE_TASKS
from keras_bert.tasks.conll import CONLL_2003, CONLL_2003_FEATURES, NER, NER_FEATURES
from keras_bert.tasks.file_format import FileFormat
from keras_bert.tasks.glue import GLUE_TASKS
from keras_bert.tasks.similarity import STS_EMBEDDING
from keras_bert.tasks.squad import SQUAD_1, SQUAD_2
from keras_bert.tasks.task import Task
from keras_bert.tasks.text_files import TEXT_TASKS

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        *TEXT_TASKS,
        *GLUE_TASKS,
        SQUAD_1,
        SQUAD_2,
        *CHOICE_TASKS,
        CONLL_2003,
        CONLL_2003_FEATURES,
        NER,
        NER_FEATURES,
        STS_EMBEDDING,
    )
}


def task_named(name: str, file_format: FileFormat | None = None) -> Task:
    """Returns a task.

    Args:
        name: str.
        file_format: `FileFormat` or None. How its files are written, where they do not say so.

    Raises:
        InputError: If there is none of that name, or it has no use for what the format says.
    """
    if name not in TASKS:
        raise InputError(f"`task` must be one of {', '.join(TASKS)}. Received: task={name!r}")
    task = TASKS[name]
    return task if file_format is None else task.with_format(file_format)
