"""GLUE from its original files or TensorFlow Datasets (Wang et al. 2019, arXiv:1804.07461)."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from keras_bert.errors import InputError
from keras_bert.tasks.classification import ClassPredictor, ScorePredictor
from keras_bert.tasks.delimiters import Dialect
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.fields import LabelCheck, field, label_index, number_field
from keras_bert.tasks.scores import accuracy, accuracy_and_f1, correlations, matthews
from keras_bert.tasks.sources import is_prepared, prepared_rows
from keras_bert.tasks.tables import read_rows, write_table
from keras_bert.tasks.task import Task
from keras_bert.tasks.text_of_files import find_file

_LOGGER = logging.getLogger(__name__)
# Quotes are letters like others.
_DIALECT = Dialect("\t", quoted=False)


class GlueTask(Task):
    """A task of GLUE.

    Args:
        name: str.
        columns: tuple of str. The columns of the one or two texts in the original files.
        prepared_columns: tuple of str. The same in TensorFlow Datasets.
        label_column: str.
        classes: dict or None. From the file's value to the name of the class, in the order of
            their indices; None for STS-B, whose labels are numbers.
        score: function of targets and predictions.
        metric: str. See `Task`.
        header: dict. Columns by split, of files that do not name them.
        dev_splits: tuple of str. See `Task`.
        skips_short_rows: bool. Leave out rows of too few fields, as the reference does for QQP,
            whose file has some.
    """

    def __init__(
        self,
        name: str,
        *,
        columns: tuple[str, ...],
        prepared_columns: tuple[str, ...] | None = None,
        label_column: str = "label",
        classes: dict[str, str] | None = None,
        score: Callable[[Sequence, Sequence], dict[str, float]] = accuracy,
        metric: str = "accuracy",
        header: dict[str, tuple[str, ...]] | None = None,
        dev_splits: tuple[str, ...] = ("dev",),
        skips_short_rows: bool = False,
    ):
        self.name = name
        self.metric = metric
        self.dev_splits = dev_splits
        self.family = ScorePredictor if classes is None else ClassPredictor
        self._columns = columns
        self._prepared_columns = prepared_columns or columns
        self._label_column = label_column
        self._classes = classes
        self._score = score
        self._header = header or {}
        self._skips_short_rows = skips_short_rows

    def labels(self, data):
        return () if self._classes is None else tuple(self._classes.values())

    def read(self, data, split, *, labels=()):
        if self._classes is not None and tuple(labels) != self.labels(data):
            raise InputError(
                f"`labels` of the model must be those of {self.name}: "
                f"{', '.join(self.labels(data))}. Received: {', '.join(labels)}"
            )
        prepared = is_prepared(data)
        columns = self._prepared_columns if prepared else self._columns
        texts: list[list[str]] = [[] for _ in columns]
        targets: list[Any] = []
        label = "label" if prepared else self._label_column
        check = LabelCheck(
            label, optional=split.startswith("test"), is_number=self._classes is None
        )
        for place, row in self._rows(data, split):
            for column, values in zip(columns, texts, strict=True):
                values.append(field(row, column, place))
            if not split.startswith("test") and check.has(row, place):
                targets.append(self._target(row, label, place, prepared))
        if not texts[0]:
            raise InputError(f"{data}: the {split} file of {self.name} has no examples")
        check.finish()
        names = ("text",) if len(columns) == 1 else ("text_a", "text_b")
        return Examples(dict(zip(names, texts, strict=True)), targets or None)

    def _rows(self, data: str, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        if is_prepared(data):
            yield from prepared_rows(data, split)
            return
        path = find_file(data, "diagnostic.tsv" if self.name == "ax" else f"{split}.tsv")
        skipped = 0
        columns = self._header.get(split)
        rows = read_rows(
            path,
            self.file_format,
            dialect=_DIALECT,
            columns=columns,
            short_rows=self._skips_short_rows,
        )
        for place, row in rows:
            if row is None:
                skipped += 1
                continue
            yield place, row
        if skipped:
            _LOGGER.warning("%s: %d rows of too few fields were left out", path, skipped)

    def _target(self, row, label, place, prepared):
        if self._classes is None:
            return number_field(row, label, place)
        words = self._classes.values() if prepared else self._classes
        return label_index(field(row, label, place), tuple(words), place)

    def score(self, examples, answers, *, labels=()):
        if self._classes is None:
            return self._score(examples.targets, [answer["score"] for answer in answers])
        return self._score(examples.targets, [labels.index(a["label"]) for a in answers])

    def write_predictions(self, path, examples, answers, *, labels=()):
        """Writes what the GLUE server takes: `index`, `prediction`, in the files' own words."""
        if self._classes is None:
            values = [f"{min(max(answer['score'], 0.0), 5.0):.3f}" for answer in answers]
        else:
            words = {name: value for value, name in self._classes.items()}
            values = [words[answer["label"]] for answer in answers]
        write_table(path, [("index", "prediction"), *enumerate(values)], delimiter="\t")


_SENTENCES = ("sentence1", "sentence2")
_INFERENCE = ("premise", "hypothesis")
_ENTAILMENT = {"entailment": "entailment", "not_entailment": "not_entailment"}
_MNLI = {name: name for name in ("contradiction", "entailment", "neutral")}
_COLA_HEADER = ("source", "label", "mark", "sentence")

GLUE_TASKS = (
    GlueTask(
        "cola",
        columns=("sentence",),
        classes={"0": "unacceptable", "1": "acceptable"},
        score=matthews,
        metric="matthews",
        header={"train": _COLA_HEADER, "dev": _COLA_HEADER},
    ),
    GlueTask("sst-2", columns=("sentence",), classes={"0": "negative", "1": "positive"}),
    GlueTask(
        "mrpc",
        columns=("#1 String", "#2 String"),
        prepared_columns=_SENTENCES,
        label_column="Quality",
        classes={"0": "not_equivalent", "1": "equivalent"},
        score=accuracy_and_f1,
        metric="f1",
    ),
    GlueTask(
        "sts-b",
        columns=_SENTENCES,
        label_column="score",
        score=correlations,
        metric="spearman",
    ),
    GlueTask(
        "qqp",
        columns=("question1", "question2"),
        label_column="is_duplicate",
        classes={"0": "not_duplicate", "1": "duplicate"},
        score=accuracy_and_f1,
        metric="f1",
        skips_short_rows=True,
    ),
    GlueTask(
        "mnli",
        columns=_SENTENCES,
        prepared_columns=_INFERENCE,
        label_column="gold_label",
        classes=_MNLI,
        dev_splits=("dev_matched", "dev_mismatched"),
    ),
    GlueTask("qnli", columns=("question", "sentence"), classes=_ENTAILMENT),
    GlueTask("rte", columns=_SENTENCES, classes=_ENTAILMENT),
    GlueTask(
        "wnli",
        columns=_SENTENCES,
        classes={"0": "not_entailment", "1": "entailment"},
    ),
    GlueTask("ax", columns=_SENTENCES, prepared_columns=_INFERENCE, classes=_MNLI, dev_splits=()),
)
