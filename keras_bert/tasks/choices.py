"""Multiple choice: SWAG, CODAH, DREAM, C3 and files of the user's own."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from keras_bert.errors import InputError
from keras_bert.tasks.delimiters import Dialect
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.fields import (
    field,
    is_missing,
    label_name,
    list_field,
    missing_labels,
)
from keras_bert.tasks.multiple_choice import ChoicePredictor
from keras_bert.tasks.scores import accuracy
from keras_bert.tasks.sources import is_prepared, prepared_rows
from keras_bert.tasks.tables import read_json, read_rows, write_table
from keras_bert.tasks.task import Task
from keras_bert.tasks.text_files import TABLE_OPTIONS, own_file
from keras_bert.tasks.text_of_files import find_file

_FEWEST_CHOICES = 2
_CODAH_COLUMNS = ("category", "prompt", "choice0", "choice1", "choice2", "choice3", "label")
_C3_PARTS = ("d", "m")


class Question(NamedTuple):
    """An example of multiple choice.

    Args:
        place: str. Where it stands, for messages.
        context: str.
        choices: list of str.
        answer: int or None. The index of the right one; None where the file does not say.
        name: str or None. Its name in predictions.
    """

    place: str
    context: str
    choices: list[str]
    answer: int | None
    name: str | None = None


class ChoiceTask(Task):
    """Base of the tasks of multiple choice, scored by accuracy.

    A subclass implements `questions`.
    """

    family = ChoicePredictor
    metric = "accuracy"

    @property
    def label_field(self) -> str:
        """The field of the right choice."""
        return self.file_format.label_field or "label"

    def questions(self, data: str, split: str) -> Iterable[Question]:
        """Reads a split."""
        raise NotImplementedError

    def read(self, data, split, *, labels=()):
        del labels
        questions = list(self.questions(data, split))
        if not questions:
            raise InputError(f"{data}: the {split} file of {self.name} has no examples")
        for place, _, choices, answer, _ in questions:
            if len(choices) < _FEWEST_CHOICES or not all(text.strip() for text in choices):
                raise InputError(
                    f"{place}: {_FEWEST_CHOICES} choices or more are expected, none of them "
                    f"empty. Received: {choices!r}"
                )
            if answer is not None and not 0 <= answer < len(choices):
                raise InputError(
                    f"{place}: the label must be that of a choice, 0 to {len(choices) - 1}. "
                    f"Received: {answer}"
                )
        answers = [question.answer for question in questions]
        unlabelled = split == "test" and all(answer is None for answer in answers)
        if not unlabelled and None in answers:
            places = [question.place for question in questions if question.answer is None]
            raise InputError(missing_labels(places, len(questions), self.label_field))
        names = [question.name for question in questions]
        return Examples(
            {
                "context": [question.context for question in questions],
                "choices": [question.choices for question in questions],
            },
            None if unlabelled else answers,
            None if None in names else names,
        )

    def score(self, examples, answers, *, labels=()):
        return accuracy(examples.targets, [answer["choice"] for answer in answers])

    def write_predictions(self, path, examples, answers, *, labels=()):
        """Writes a table with the columns `id` and `choice`, an index."""
        chosen = [answer["choice"] for answer in answers]
        rows = zip(examples.names, chosen, strict=True)
        write_table(path, [("id", "choice"), *rows], delimiter=",")


class MultipleChoice(ChoiceTask):
    """Files of the user's own.

    JSON lines have the fields `context`, `choices`, a list, and `label`, an index. Tables have the
    columns `context`, `choice0`, `choice1` and so on, and `label`; the last choices may be empty.
    A data set of TensorFlow Datasets with the fields of JSON lines serves as well.
    """

    name = "multiple-choice"
    format_options: ClassVar[tuple[str, ...]] = TABLE_OPTIONS

    def questions(self, data, split):
        if is_prepared(data):
            rows = prepared_rows(data, split)
        else:
            rows = read_rows(own_file(data, split), self.file_format)
        name, *more = self.file_format.text_field or ("context",)
        if more:
            raise InputError(
                "`--text-field` must name one field, that of the context. "
                f"Received: {name}, {', '.join(more)}"
            )
        for place, row in rows:
            context = field(row, name, place, option="--text-field")
            yield Question(
                place, context, _choices(row, place), _label(row, place, self.label_field)
            )


class Swag(ChoiceTask):
    """SWAG: `train.csv`, `val.csv` and the unlabelled `test.csv`.

    The second segment is the beginning of the second sentence with an ending.

    References:
        - Zellers et al. 2018, arXiv:1808.05326; Devlin et al. 2019, section 4.4.
    """

    name = "swag"

    def questions(self, data, split):
        path = find_file(data, "val.csv" if split == "dev" else f"{split}.csv")
        for place, row in read_rows(path, self.file_format, dialect=Dialect(",", quoted=True)):
            beginning = field(row, "sent2", place)
            endings = [field(row, f"ending{index}", place) for index in range(4)]
            choices = [f"{beginning} {ending}".strip() for ending in endings]
            yield Question(place, field(row, "sent1", place), choices, _label(row, place))


class Codah(ChoiceTask):
    """CODAH: `train.tsv`, `dev.tsv` and `test.tsv` of one of its folds, without headers.

    References:
        - Chen et al. 2019, arXiv:1904.04365.
    """

    name = "codah"

    def questions(self, data, split):
        path = find_file(data, f"{split}.tsv")
        for place, row in read_rows(
            path, self.file_format, dialect=Dialect("\t", quoted=False), columns=_CODAH_COLUMNS
        ):
            yield Question(place, row["prompt"], _choices(row, place), _label(row, place))


class DialogueQuestions(ChoiceTask):
    """DREAM and C3: questions on dialogues and texts.

    The first segment is the text, the second one the question with a choice.

    Args:
        name: str.
        parts: tuple of str. The files of a split, with `{split}` in their place; they are read
            together.

    References:
        - Sun et al. 2019, arXiv:1902.00164 (DREAM); Sun et al. 2020, arXiv:1904.09679 (C3).
    """

    def __init__(self, name: str, parts: tuple[str, ...]):
        self.name = name
        self._parts = parts

    def questions(self, data, split):
        for part in self._parts:
            path = find_file(data, part.format(split=split))
            yield from _dialogue_questions(path, self.file_format.encoding)


def _dialogue_questions(path: Path, encoding: str) -> Iterator[Question]:
    documents = read_json(path, encoding)
    if not isinstance(documents, list):
        raise InputError(
            f"{path}: a list of documents is expected. Received: {str(documents)[:40]}"
        )
    for number, document in enumerate(documents, start=1):
        place = f"{path}, document {number}"
        match document:
            case [[*lines], [*items], str(name)] if all(isinstance(x, str) for x in lines):
                yield from _items(items, "\n".join(lines), name, place)
            case _:
                raise InputError(
                    f"{place}: [lines, questions, id] is expected. Received: {str(document)[:40]}"
                )


def _items(items: list[Any], context: str, name: str, place: str) -> Iterator[Question]:
    for index, item in enumerate(items):
        here = f"{place}, question {index + 1}"
        if not isinstance(item, dict):
            raise InputError(f"{here}: a JSON object is expected. Received: {str(item)[:40]}")
        question, choices = field(item, "question", here), list_field(item, "choice", here)
        answer = None
        if "answer" in item:
            text = field(item, "answer", here)
            if text not in choices:
                raise InputError(
                    f"{here}: the answer must be one of the choices. Received: {text!r}"
                )
            answer = choices.index(text)
        seconds = [f"{question} {choice}" for choice in choices]
        yield Question(here, context, seconds, answer, f"{name}-{index}")


def _choices(row: dict[str, Any], place: str) -> list[str]:
    """A list in JSON, or the columns `choice0` and so on, without the empty ones at the end."""
    if "choices" in row:
        return list_field(row, "choices", place)
    count = sum(re.fullmatch(r"choice\d+", name) is not None for name in row)
    choices = [field(row, f"choice{index}", place) for index in range(max(count, _FEWEST_CHOICES))]
    while choices and not choices[-1].strip():
        choices.pop()
    return choices


def _label(row: dict[str, Any], place: str, name: str = "label") -> int | None:
    """The index that the row says is right, or None where it says nothing."""
    if is_missing(row.get(name)):
        return None
    text = label_name(row[name], place, name)
    if not text.isdecimal():
        raise InputError(f"{place}: the label must be the index of a choice. Received: {text!r}")
    return int(text)


MULTIPLE_CHOICE = MultipleChoice()
SWAG = Swag()
CODAH = Codah()
DREAM = DialogueQuestions("dream", ("{split}.json",))
C3 = DialogueQuestions("c3", tuple(f"c3-{part}-{{split}}.json" for part in _C3_PARTS))
CHOICE_TASKS = (MULTIPLE_CHOICE, SWAG, CODAH, DREAM, C3)
