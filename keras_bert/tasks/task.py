"""What a classification task promises to training and evaluation."""

import abc
import os
from collections.abc import Sequence
from typing import Any

from keras_bert.tasks.examples import ClassificationExamples


class ClassificationTask(abc.ABC):
    """Reads the files of a task and scores predictions with its official metrics.

    Attributes:
        name: str. As on the command line.
    """

    name: str

    @abc.abstractmethod
    def labels(self, directory: str | os.PathLike) -> tuple[str, ...]:
        """Returns the names of the classes, in the order of their indices."""

    @abc.abstractmethod
    def read(
        self, directory: str | os.PathLike, split: str, *, labels: Sequence[str]
    ) -> ClassificationExamples:
        """Reads `"train"`, `"dev"` or `"test"`.

        Raises:
            InputError: If a file, a field or a label is wrong; the message names file and line.
        """

    @abc.abstractmethod
    def score(self, labels: Sequence[int], predictions: Sequence[int]) -> dict[str, Any]:
        """Returns the task's metrics."""
