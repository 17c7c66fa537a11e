"""Embedders trained and measured on scores of similarity: STS-B and files of the user's own."""

from collections.abc import Sequence
from typing import Any, ClassVar

from keras_bert.errors import InputError
from keras_bert.tasks.embedding import EmbeddingPredictor
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.fields import LabelCheck, field, number_field
from keras_bert.tasks.scores import correlations
from keras_bert.tasks.sources import is_prepared, prepared_rows
from keras_bert.tasks.tables import read_rows
from keras_bert.tasks.task import Task
from keras_bert.tasks.text_files import TABLE_OPTIONS, own_file, text_layout

# Names of the two texts in a file, and the score of equal ones.
_LAYOUTS = ((("text_a", "text_b"), 1.0), (("sentence1", "sentence2"), 5.0))


class SimilarityTask(Task):
    """Pairs with scores of their similarity, compared with the cosine of their vectors.

    Files have the fields `text_a`, `text_b` and `score`, from 0 to 1, or, as STS-B of GLUE,
    `sentence1`, `sentence2` and `score`, from 0 to 5; STS-B of TensorFlow Datasets, whose scores
    are called `label`, serves as well.

    References:
        - Reimers & Gurevych 2019, arXiv:1908.10084, section 4; Cer et al. 2017, arXiv:1708.00055.
    """

    name = "sts-embedding"
    family = EmbeddingPredictor
    metric = "spearman"
    format_options: ClassVar[tuple[str, ...]] = TABLE_OPTIONS

    def read(self, data, split, *, labels=()):
        del labels
        prepared = is_prepared(data)
        score = self.file_format.label_field or ("label" if prepared else "score")
        # GLUE keeps those of its test file to itself.
        check = LabelCheck(score, optional=split == "test", option="--label-field", is_number=True)
        first: list[str] = []
        second: list[str] = []
        targets: list[float] = []
        layout, highest = {}, 1.0
        if prepared:
            rows = prepared_rows(data, split)
        else:
            rows = read_rows(own_file(data, split), self.file_format)
        for place, row in rows:
            if not layout:
                layout, highest = _layout(self.file_format.text_field, row, place)
            first.append(field(row, layout["text_a"], place, option="--text-field"))
            second.append(field(row, layout["text_b"], place, option="--text-field"))
            if check.has(row, place):
                targets.append(_score(row, score, highest, place))
        if not first:
            raise InputError(f"{data}: the {split} file has no examples")
        has_scores = check.finish()
        return Examples({"text_a": first, "text_b": second}, targets if has_scores else None)

    def score(self, examples, answers, *, labels=()):
        return correlations(examples.targets, [answer["similarity"] for answer in answers])


def _layout(named: Sequence[str], row: dict[str, Any], place: str) -> tuple[dict[str, str], float]:
    """Where the two texts of a row stand, and the score of equal ones."""
    if len(named) == 1:
        raise InputError(
            "`--text-field` must name the two fields of a pair, with a comma between. "
            f"Received: {named[0]}"
        )
    if not named:
        named = next((names for names, _ in _LAYOUTS if names[0] in row), ())
    highest = next((highest for names, highest in _LAYOUTS if names == tuple(named)), 1.0)
    return text_layout(named, row, place, usual=_LAYOUTS[0][0]), highest


def _score(row: dict[str, Any], name: str, highest: float, place: str) -> float:
    """The similarity, from 0 to 1."""
    value = number_field(row, name, place)
    if not 0 <= value <= highest:
        raise InputError(
            f"{place}: field {name!r} must be a number from 0 to {highest:g}. Received: {value:g}; "
            "divide all scores by the highest there can be"
        )
    return value / highest


STS_EMBEDDING = SimilarityTask()
