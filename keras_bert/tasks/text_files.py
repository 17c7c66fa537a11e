"""Tasks on files of the user's own: classes, several labels, numbers.

A data directory holds `train` and `dev` (and `test`) as `.jsonl`, `.tsv` or `.csv`, with the field
`text`, or `text_a` and `text_b` for pairs, and what the task predicts. A data set of TensorFlow
Datasets with such fields serves as well.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_bert.errors import InputError
from keras_bert.tasks.classification import ClassPredictor, LabelsPredictor, ScorePredictor
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.scores import accuracy_and_macro_f1, correlations, several_labels
from keras_bert.tasks.sources import is_prepared, prepared_rows
from keras_bert.tasks.tables import (
    field,
    find_file,
    label_index,
    list_field,
    number_field,
    read_rows,
)
from keras_bert.tasks.task import Task

KINDS = (".jsonl", ".tsv", ".csv")


def own_file(directory: str, split: str) -> Path:
    """Returns the file of a split, of whatever kind.

    Raises:
        InputError: If there is none.
    """
    for kind in KINDS:
        try:
            return find_file(directory, split + kind)
        except InputError:
            continue
    raise InputError(
        f"{Path(directory) / split}: no such file with the ending {', '.join(KINDS)} "
        "or one of these and .gz"
    )


class TextTask(Task):
    """Base of the tasks whose files have a field for the target.

    Attributes:
        target_field: str.
        fewest_labels: int. How many there must be in the training file.
    """

    target_field: str
    fewest_labels = 2

    def read(self, data, split, *, labels=()):
        layout: dict[str, str] = {}
        targets: list[Any] = []
        has_targets = True
        for place, row in self._rows(data, split):
            if not layout:
                layout = _layout(row)
                texts: dict[str, list[str]] = {name: [] for name in layout}
                has_targets = split != "test" or self.target_field in row
            for name, column in layout.items():
                texts[name].append(field(row, column, place))
            if has_targets:
                targets.append(self._target(row, place, labels))
        if not layout:
            raise InputError(f"{data}: the {split} file has no examples")
        return Examples(texts, targets if has_targets else None)

    def _rows(self, data: str, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        if is_prepared(data):
            return prepared_rows(data, split)
        return read_rows(own_file(data, split))

    def _target(self, row: dict[str, Any], place: str, labels: Sequence[str]) -> Any:
        raise NotImplementedError

    def _names(self, row: dict[str, Any], place: str) -> list[str]:
        """The labels of a row."""
        return [field(row, self.target_field, place)]

    def labels(self, data):
        rows = self._rows(data, "train")
        found = sorted({name for place, row in rows for name in self._names(row, place)})
        if len(found) < self.fewest_labels:
            raise InputError(
                f"{data}: the train file must have {self.fewest_labels} different labels or "
                f"more. Received: {', '.join(found) or 'none'}"
            )
        return tuple(found)


def _layout(row: dict[str, Any]) -> dict[str, str]:
    """From the fields of examples to those of the file."""
    if "text_b" in row:
        return {"text_a": "text_a", "text_b": "text_b"}
    return {"text": "text_a" if "text" not in row and "text_a" in row else "text"}


class TextClassification(TextTask):
    """Single or pair classification; the classes are those of the training file, sorted."""

    name = "classification"
    family = ClassPredictor
    metric = "accuracy"
    target_field = "label"

    def _target(self, row, place, labels):
        return label_index(field(row, self.target_field, place), labels, place)

    def score(self, examples, answers, *, labels=()):
        return accuracy_and_macro_f1(
            examples.targets, [labels.index(answer["label"]) for answer in answers]
        )


class MultiLabelClassification(TextTask):
    """Any number of labels for each text: a list in JSON, names with commas between in tables."""

    name = "multi-label"
    family = LabelsPredictor
    metric = "micro_f1"
    target_field = "labels"
    fewest_labels = 1

    def _names(self, row, place):
        if isinstance(row.get(self.target_field), str):
            names = (name.strip() for name in row[self.target_field].split(","))
            return [name for name in names if name]
        return list_field(row, self.target_field, place)

    def _target(self, row, place, labels):
        return [label_index(name, labels, place) for name in self._names(row, place)]

    def score(self, examples, answers, *, labels=()):
        flags = np.zeros((2, len(examples), len(labels)), bool)
        for row, (target, answer) in enumerate(zip(examples.targets, answers, strict=True)):
            flags[0, row, target] = True
            flags[1, row, [labels.index(name) for name in answer["labels"]]] = True
        return several_labels(*flags)


class TextRegression(TextTask):
    """A number for each text or pair."""

    name = "regression"
    family = ScorePredictor
    metric = "spearman"
    target_field = "score"

    def labels(self, data):
        return ()

    def _target(self, row, place, labels):
        return number_field(row, self.target_field, place)

    def score(self, examples, answers, *, labels=()):
        predictions = [answer["score"] for answer in answers]
        errors = np.subtract(examples.targets, predictions)
        return {
            **correlations(examples.targets, predictions),
            "mean_squared_error": float(np.mean(errors**2)),
        }


TEXT_TASKS = (TextClassification(), MultiLabelClassification(), TextRegression())
