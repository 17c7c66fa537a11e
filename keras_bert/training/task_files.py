"""The task of a command, with what its options say of the files."""

from keras_bert.command_line import flag
from keras_bert.errors import InputError
from keras_bert.tasks.file_format import FileFormat
from keras_bert.tasks.registry import task_named
from keras_bert.tasks.sources import is_prepared
from keras_bert.tasks.task import Task
from keras_bert.training.options import FILE_OPTIONS, EvaluateOptions, FinetuneOptions

# What a prepared data set has no use for.
_OF_FILES = ("delimiter", "columns", "encoding")


def task_of(options: FinetuneOptions | EvaluateOptions) -> Task:
    """Returns the task that `--task` names, for files as the other options say.

    Raises:
        InputError: If there is none of that name, or an option has no use for it.
    """
    said = {name: getattr(options, name) for name in FILE_OPTIONS}
    file_format = FileFormat.from_options(**said)
    for name in _OF_FILES:
        if is_prepared(options.data) and name in file_format.used():
            raise InputError(f"`{flag(name)}` has no use for {options.data}: it is not a file")
    return task_named(options.task, file_format)
