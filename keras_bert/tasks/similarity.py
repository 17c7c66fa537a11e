"""Embedders trained and measured on scores of similarity: STS-B and files of the user's own."""

from typing import Any

from keras_bert.errors import InputError
from keras_bert.tasks.embedding import EmbeddingPredictor
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.scores import correlations
from keras_bert.tasks.sources import is_prepared, prepared_rows
from keras_bert.tasks.tables import field, number_field, read_rows
from keras_bert.tasks.task import Task
from keras_bert.tasks.text_files import own_file

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

    def read(self, data, split, *, labels=()):
        del labels
        prepared = is_prepared(data)
        score = "label" if prepared else "score"
        first: list[str] = []
        second: list[str] = []
        targets: list[float] = []
        names, highest = _LAYOUTS[0]
        has_scores = True
        rows = prepared_rows(data, split) if prepared else read_rows(own_file(data, split))
        for place, row in rows:
            if not first:
                names, highest = _layout(row)
                # GLUE keeps those of its test file to itself.
                has_scores = split != "test" or "score" in row
            first.append(field(row, names[0], place))
            second.append(field(row, names[1], place))
            if has_scores:
                targets.append(_score(row, score, highest, place))
        if not first:
            raise InputError(f"{data}: the {split} file has no examples")
        return Examples({"text_a": first, "text_b": second}, targets if has_scores else None)

    def score(self, examples, answers, *, labels=()):
        return correlations(examples.targets, [answer["similarity"] for answer in answers])


def _layout(row: dict[str, Any]) -> tuple[tuple[str, str], float]:
    return next((layout for layout in _LAYOUTS if layout[0][0] in row), _LAYOUTS[0])


def _score(row: dict[str, Any], name: str, highest: float, place: str) -> float:
    """The similarity, from 0 to 1."""
    value = number_field(row, name, place)
    if not 0 <= value <= highest:
        raise InputError(
            f"{place}: field {name!r} must be a number from 0 to {highest:g}. Received: {value:g}"
        )
    return value / highest


STS_EMBEDDING = SimilarityTask()
