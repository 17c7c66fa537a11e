"""Classes of texts or pairs with labels of the user's own.

A data directory holds `train` and `dev` (and `test`) as `.jsonl`, `.tsv` or `.csv`, with the
fields `text` and `label`, or `text_a`, `text_b` and `label`.
"""

from pathlib import Path

from sklearn.metrics import accuracy_score, f1_score

from keras_bert.errors import InputError
from keras_bert.tasks.examples import (
    ClassificationExamples,
    field,
    find_file,
    label_index,
    read_rows,
)
from keras_bert.tasks.task import ClassificationTask

_KINDS = (".jsonl", ".tsv", ".csv")


class TextClassification(ClassificationTask):
    """Single or pair classification; the classes are those of the training file, sorted."""

    name = "classification"

    def _file(self, directory, split) -> Path:
        for kind in _KINDS:
            try:
                return find_file(directory, split + kind)
            except InputError:
                continue
        raise InputError(
            f"{Path(directory) / split}: no such file with the ending {', '.join(_KINDS)} "
            "or one of these and .gz"
        )

    def labels(self, directory):
        path = self._file(directory, "train")
        labels = sorted({field(row, "label", place) for place, row in read_rows(path)})
        if len(labels) < 2:
            raise InputError(f"{path}: at least two labels are needed. Received: {labels}")
        return tuple(labels)

    def read(self, directory, split, *, labels):
        path = self._file(directory, split)
        labels = tuple(labels)
        first, second, indices = [], [], []
        is_pair = None
        for place, row in read_rows(path):
            if is_pair is None:
                is_pair = "text_a" in row
            first.append(field(row, "text_a" if is_pair else "text", place))
            if is_pair:
                second.append(field(row, "text_b", place))
            indices.append(label_index(field(row, "label", place), labels, place))
        if not first:
            raise InputError(f"{path}: the file has no examples")
        return ClassificationExamples(first, second if is_pair else None, indices)

    def score(self, labels, predictions):
        return {
            "accuracy": float(accuracy_score(labels, predictions)),
            "macro_f1": float(f1_score(labels, predictions, average="macro", zero_division=0)),
        }
