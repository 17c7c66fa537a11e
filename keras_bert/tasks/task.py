"""What a task promises to training and evaluation."""

import abc
import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from keras_bert.atomic import new_file
from keras_bert.command_line import flag
from keras_bert.errors import InputError
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.file_format import DEFAULT_FORMAT, FileFormat
from keras_bert.tasks.predictor import Predictor


class Task(abc.ABC):
    """Reads the files of a task, scores answers by its official metrics, writes them for judges.

    Attributes:
        name: str. As on the command line.
        family: type. The `Predictor` of the task.
        metric: str. Of those that `score` returns, the one by which models are chosen; more is
            better.
        dev_splits: tuple of str. What there is to measure on during training.
        options: dict. Options of the family whose defaults differ for this task.
        file_format: `FileFormat` of the files.
        format_options: tuple of str. What of `FileFormat` has a use for the task.
    """

    name: str
    family: type[Predictor]
    metric: str
    dev_splits: tuple[str, ...] = ("dev",)
    options: ClassVar[dict[str, Any]] = {}
    file_format: FileFormat = DEFAULT_FORMAT
    format_options: ClassVar[tuple[str, ...]] = ("encoding",)

    def with_format(self, file_format: FileFormat) -> "Task":
        """Returns the task for files that are written otherwise.

        Raises:
            InputError: If something has no use for the task.
        """
        for name in file_format.used():
            if name not in self.format_options:
                raise InputError(
                    f"`{flag(name)}` has no use for {self.name}. "
                    f"Received: {getattr(file_format, name)}"
                )
        task = copy.copy(self)
        task.file_format = file_format
        return task

    def for_model(self, options: Mapping[str, Any]) -> "Task":
        """Returns the task as a model was trained for it; by default itself.

        Args:
            options: Those of the model's `Predictor`.
        """
        del options
        return self

    def labels(self, data: str) -> tuple[str, ...]:
        """Returns the names of the classes or tags in the order of their indices, or nothing.

        Args:
            data: A directory, or `tfds:NAME`, see `keras_bert.tasks.sources`.
        """
        del data
        return ()

    @abc.abstractmethod
    def read(self, data: str, split: str, *, labels: Sequence[str] = ()) -> Examples:
        """Reads `"train"`, `"dev"`, `"test"` or another split of the task.

        Args:
            data: A directory, or `tfds:NAME`.
            split: str.
            labels: The model's, in the order of their indices.

        Raises:
            InputError: If a file, a field or a label is wrong; the message names file and line.
        """

    @abc.abstractmethod
    def score(
        self, examples: Examples, answers: Sequence[dict[str, Any]], *, labels: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Returns the task's metrics.

        Args:
            examples: `Examples` with targets.
            answers: What the family's `Predictor` said to each of them.
            labels: The model's.
        """

    def tuned_options(
        self, examples: Examples, answers: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        """Returns options of the family that were found to suit some examples best.

        Training gives those of the best checkpoint to `Predictor.set_options`, so that the model
        directory carries them. By default there are none.

        Args:
            examples: `Examples` with targets.
            answers: What the family's `Predictor` said to each of them.
        """
        del examples, answers
        return {}

    def write_predictions(
        self,
        path: Path,
        examples: Examples,
        answers: Sequence[dict[str, Any]],
        *,
        labels: Sequence[str] = (),
    ) -> None:
        """Writes answers in the form that the task's judges take; by default JSON lines.

        Args:
            path: Path.
            examples: `Examples`.
            answers: What the family's `Predictor` said to each of them.
            labels: The model's.
        """
        del labels
        lines = [
            json.dumps({"id": name, **answer}, ensure_ascii=False) + "\n"
            for name, answer in zip(examples.names, answers, strict=True)
        ]
        with new_file(path) as temporary:
            Path(temporary).write_text("".join(lines), encoding="utf-8")
