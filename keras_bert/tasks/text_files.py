"""Tasks on files of the user's own: classes, several labels, numbers.

A data directory holds `train` and `dev` (and `test`) as `.jsonl`, `.json`, `.tsv` or `.csv`, with
the field `text`, or `text_a` and `text_b` for pairs, and what the task predicts; `FileFormat` names
others. A data set of TensorFlow Datasets with such fields serves as well.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from keras_bert.errors import InputError
from keras_bert.tasks.classification import ClassPredictor, LabelsPredictor, ScorePredictor
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.fields import (
    LabelCheck,
    distinct_labels,
    field,
    label_index,
    label_name,
    number_field,
)
from keras_bert.tasks.scores import accuracy_and_macro_f1, correlations, several_labels
from keras_bert.tasks.sources import is_prepared, prepared_rows
from keras_bert.tasks.tables import read_rows
from keras_bert.tasks.task import Task
from keras_bert.tasks.text_of_files import find_file

_LOGGER = logging.getLogger(__name__)
KINDS = (".jsonl", ".tsv", ".csv", ".json")
# Options of `FileFormat` that have a use for own files.
TABLE_OPTIONS = ("delimiter", "columns", "encoding", "text_field", "label_field")
_SHOWN_PLACES = 5


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
    others = sorted(path.name for path in Path(directory).glob(f"{split}*"))
    raise InputError(
        f"{Path(directory) / split}: no such file with the ending {', '.join(KINDS)} "
        "or one of these and .gz, .bz2, .xz or .zst"
        + (f". Received: {', '.join(others)}" if others else "")
    )


class TextTask(Task):
    """Base of the tasks whose files have a field for the target.

    Attributes:
        target_field: str.
        fewest_labels: int. How many there must be in the training file.
        empty_target: bool. Whether an empty field says something.
        is_number: bool. Whether the target is a number.
    """

    target_field: str
    fewest_labels = 2
    empty_target = False
    is_number = False
    format_options: ClassVar[tuple[str, ...]] = TABLE_OPTIONS

    def read(self, data, split, *, labels=()):
        layout: dict[str, str] = {}
        texts: dict[str, list[str]] = {}
        targets: list[Any] = []
        empty: list[str] = []
        check = self._check(split)
        for place, row in self._rows(data, split):
            if not layout:
                layout = self._layout(row, place)
                texts = {name: [] for name in layout}
            for name, column in layout.items():
                texts[name].append(field(row, column, place, option="--text-field"))
            if not all(values[-1].strip() for values in texts.values()):
                empty.append(place)
            if check.has(row, place):
                targets.append(self._target(row, place, labels))
        if not layout:
            raise InputError(f"{data}: the {split} file has no examples")
        has_targets = check.finish()
        if empty:
            _LOGGER.warning(
                "%s: %d rows have an empty text (%s)",
                *(data, len(empty), ", ".join(empty[:_SHOWN_PLACES])),
            )
        return Examples(texts, targets if has_targets else None)

    @property
    def target_name(self) -> str:
        """The field of the target in the files."""
        return self.file_format.label_field or self.target_field

    def _check(self, split: str) -> LabelCheck:
        return LabelCheck(
            self.target_name,
            optional=split == "test",
            option="--label-field",
            empty=self.empty_target,
            is_number=self.is_number,
        )

    def _rows(self, data: str, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        if is_prepared(data):
            return prepared_rows(data, split)
        return read_rows(own_file(data, split), self.file_format)

    def _layout(self, row: dict[str, Any], place: str) -> dict[str, str]:
        """From the fields of examples to those of the file."""
        return text_layout(self.file_format.text_field, row, place)

    def _target(self, row: dict[str, Any], place: str, labels: Sequence[str]) -> Any:
        raise NotImplementedError

    def _names(self, row: dict[str, Any], place: str) -> list[str]:
        """The labels of a row."""
        return [label_name(row[self.target_name], place, self.target_name)]

    def labels(self, data):
        if self.file_format.labels:
            return tuple(label_name(name, "--labels") for name in self.file_format.labels)
        check = self._check("train")
        found = distinct_labels(
            name
            for place, row in self._rows(data, "train")
            if check.has(row, place)
            for name in self._names(row, place)
        )
        check.finish()
        if not check.rows:
            raise InputError(f"{data}: the train file has no examples")
        if len(found) < self.fewest_labels:
            raise InputError(
                f"{data}: the train file must have {self.fewest_labels} different labels or "
                f"more. Received: {', '.join(found) or 'none'}"
            )
        return found

    def _index(self, name: str, labels: Sequence[str], place: str) -> int:
        return label_index(name, labels, place, numbered=bool(self.file_format.labels))


def text_layout(
    named: Sequence[str], row: dict[str, Any], place: str, *, usual: tuple[str, ...] = ("text",)
) -> dict[str, str]:
    """Returns where the one or two texts of a row stand: from fields of examples to those of files.

    Args:
        named: One or two fields that the user has named, or none.
        row: The first one of a file.
        place: str. Where it stands, for messages.
        usual: What is said to be missing where neither a text nor a pair is there.

    Raises:
        InputError: If there is none of the fields, or three and more are named.
    """
    if len(named) > 2:
        raise InputError(
            f"`--text-field` must name one field, or two of a pair. Received: {', '.join(named)}"
        )
    if len(named) == 2:
        return dict(zip(("text_a", "text_b"), named, strict=True))
    if len(named) == 1:
        return {"text": named[0]}
    if "text_b" in row:
        return {"text_a": "text_a", "text_b": "text_b"}
    if len(usual) == 1 and (found := next((n for n in ("text", "text_a") if n in row), None)):
        return {"text": found}
    raise InputError(
        f"{place}: field {usual[0]!r} is missing, or `text_a` and `text_b` of a pair. Received: "
        f"{', '.join(row)}. --text-field names others, for a pair two with a comma between; "
        "--columns names those of a table without a header"
    )


class TextClassification(TextTask):
    """Single or pair classification; the classes are those of the training file, sorted."""

    name = "classification"
    family = ClassPredictor
    metric = "accuracy"
    target_field = "label"
    format_options = (*TABLE_OPTIONS, "labels")

    def _target(self, row, place, labels):
        return self._index(*self._names(row, place), labels, place)

    def score(self, examples, answers, *, labels=()):
        return accuracy_and_macro_f1(
            examples.targets, [labels.index(answer["label"]) for answer in answers]
        )


class MultiLabelClassification(TextTask):
    """Any number of labels for each text: a list in JSON, names with commas between in tables.

    An empty list or cell says that no label applies; null, and a field that is not there, that
    nobody knows.
    """

    name = "multi-label"
    family = LabelsPredictor
    metric = "micro_f1"
    target_field = "labels"
    fewest_labels = 1
    empty_target = True
    format_options = (*TABLE_OPTIONS, "labels")

    def _names(self, row, place):
        value = row[self.target_name]
        if isinstance(value, str):
            value = [name for name in value.split(",") if name.strip()]
        if not isinstance(value, list):
            raise InputError(
                f"{place}: field {self.target_name!r} must be a list of names, or names with "
                f"commas between them. Received: {str(value)[:60]}"
            )
        return [label_name(name, place, self.target_name) for name in value]

    def _target(self, row, place, labels):
        return [self._index(name, labels, place) for name in self._names(row, place)]

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
    is_number = True

    def labels(self, data):
        return ()

    def _target(self, row, place, labels):
        return number_field(row, self.target_name, place)

    def score(self, examples, answers, *, labels=()):
        predictions = [answer["score"] for answer in answers]
        errors = np.subtract(examples.targets, predictions)
        return {
            **correlations(examples.targets, predictions),
            "mean_squared_error": float(np.mean(errors**2)),
        }


TEXT_TASKS = (TextClassification(), MultiLabelClassification(), TextRegression())
