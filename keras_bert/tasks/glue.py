"""GLUE tasks from their original files (Wang et al. 2019, arXiv:1804.07461)."""

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


class GlueTask(ClassificationTask):
    """A GLUE task whose files are `train.tsv`, `dev.tsv` and the unlabelled `test.tsv`.

    Args:
        name: str.
        columns: tuple of str. The columns of the one or two texts.
        label_column: str.
        labels: dict. From the file's value to the name of the class.
        with_f1: bool. Score F1 of the last class beside accuracy.
    """

    def __init__(
        self,
        name: str,
        *,
        columns: tuple[str, ...],
        label_column: str,
        labels: dict[str, str],
        with_f1: bool = False,
    ):
        self.name = name
        self._columns = columns
        self._label_column = label_column
        self._labels = labels
        self._with_f1 = with_f1

    def labels(self, directory):
        return tuple(self._labels.values())

    def read(self, directory, split, *, labels):
        if tuple(labels) != self.labels(directory):
            raise InputError(
                f"`labels` of the model must be those of {self.name}: "
                f"{', '.join(self.labels(directory))}. Received: {', '.join(labels)}"
            )
        path = find_file(directory, f"{split}.tsv")
        texts: list[list[str]] = [[] for _ in self._columns]
        indices: list[int] = []
        has_labels = split != "test"
        for place, row in read_rows(path):
            for column, values in zip(self._columns, texts, strict=True):
                values.append(field(row, column, place))
            if has_labels:
                value = field(row, self._label_column, place)
                indices.append(label_index(value, tuple(self._labels), place))
        if not texts[0]:
            raise InputError(f"{path}: the file has no examples")
        second = texts[1] if len(texts) == 2 else None
        return ClassificationExamples(texts[0], second, indices if has_labels else None)

    def score(self, labels, predictions):
        scores = {"accuracy": float(accuracy_score(labels, predictions))}
        if self._with_f1:
            scores["f1"] = float(f1_score(labels, predictions, zero_division=0))
        return scores


SST2 = GlueTask(
    "sst-2",
    columns=("sentence",),
    label_column="label",
    labels={"0": "negative", "1": "positive"},
)
MRPC = GlueTask(
    "mrpc",
    columns=("#1 String", "#2 String"),
    label_column="Quality",
    labels={"0": "not_equivalent", "1": "equivalent"},
    with_f1=True,
)
