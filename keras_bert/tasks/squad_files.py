"""Questions, contexts and answers of files in SQuAD's format, and of TensorFlow Datasets."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from keras_bert.errors import InputError
from keras_bert.tasks.question_answering import GoldAnswer
from keras_bert.tasks.sources import is_prepared, prepared_rows
from keras_bert.tasks.tables import read_json

_VERSION = re.compile(r"v\d+\.\d+")


class Question(NamedTuple):
    """A question of a file.

    Args:
        place: str. Where it stands, for error messages.
        id: str.
        context: str.
        question: str.
        answers: list of `GoldAnswer`, or None where the file has no answers, as that of a test.
    """

    place: str
    id: str
    context: str
    question: str
    answers: list[GoldAnswer] | None


def read_questions(data: str, split: str, version: str) -> Iterator[Question]:
    """Reads the questions of a split.

    Args:
        data: str. A directory, or `tfds:NAME`.
        split: str.
        version: str. `"1.1"` or `"2.0"`, as in the names of files.

    Raises:
        InputError: If a file or a field is wrong, or two questions have the same id.
    """
    if is_prepared(data):
        questions = _prepared_questions(data, split)
    else:
        path = find_squad_file(data, split, version)
        questions = _questions(path, read_json(path))
    seen = set()
    for question in questions:
        if question.id in seen:
            raise InputError(f"{question.place}: another question has the same id")
        seen.add(question.id)
        yield question


def find_squad_file(directory: str, split: str, version: str) -> Path:
    """Returns the file of a split.

    In this order: `train-v1.1.json`, another `train*.json` with the version in its name,
    `train.json`, another `train*.json` without any version; each may be a gzip.

    Raises:
        InputError: If there is none, or more than one that comes first.
    """
    found = sorted(
        path for end in ("json", "json.gz") for path in Path(directory).glob(f"{split}*.{end}")
    )
    names = {path: path.name.removesuffix(".gz").removesuffix(".json") for path in found}
    for group in (
        [path for path in found if names[path] == f"{split}-v{version}"],
        [path for path in found if f"v{version}" in _VERSION.findall(names[path])],
        [path for path in found if names[path] == split],
        [path for path in found if not _VERSION.search(names[path])],
    ):
        if len(group) > 1:
            raise InputError(
                f"{directory}: only one file of the split may be there. "
                f"Received: {', '.join(path.name for path in group)}"
            )
        if group:
            return group[0]
    raise InputError(
        f"{Path(directory) / f'{split}-v{version}.json'}: no such file, nor {split}.json"
    )


def _questions(path: Path, content: Any) -> Iterator[Question]:
    articles = _field(content, "data", list, str(path))
    for number, article in enumerate(articles, start=1):
        place = f"{path}, article {number}"
        paragraphs = _field(article, "paragraphs", list, place)
        for paragraph_number, paragraph in enumerate(paragraphs, start=1):
            inner = f"{place}, paragraph {paragraph_number}"
            context = _field(paragraph, "context", str, inner)
            entries = _field(paragraph, "qas", list, inner)
            for question_number, entry in enumerate(entries, start=1):
                yield _question(entry, context, f"{inner}, question {question_number}")


def _question(entry: Any, context: str, place: str) -> Question:
    name = _field(entry, "id", str, place)
    place = f"{place} ({name!r})"
    answers = None
    if "answers" in entry:
        answers = [
            GoldAnswer(
                _field(answer, "text", str, f"{place}, answer {number}"),
                _field(answer, "answer_start", int, f"{place}, answer {number}"),
            )
            for number, answer in enumerate(_field(entry, "answers", list, place), start=1)
        ]
    impossible = "is_impossible" in entry and _field(entry, "is_impossible", bool, place)
    if impossible and answers:
        raise InputError(f"{place}: is_impossible is true, but there are answers")
    return Question(place, name, context, _field(entry, "question", str, place), answers)


def _prepared_questions(data: str, split: str) -> Iterator[Question]:
    for place, row in prepared_rows(data, split):
        columns = _field(row, "answers", dict, place)
        texts = _field(columns, "text", list, f"{place}, answers")
        starts = _field(columns, "answer_start", list, f"{place}, answers")
        answers = [
            {"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)
        ]
        context = _field(row, "context", str, place)
        yield _question({**row, "answers": answers}, context, place)


_KINDS = {
    list: "a list",
    dict: "an object",
    str: "a string",
    int: "an integer",
    bool: "true or false",
}


def _field(value: Any, name: str, kind: type, place: str) -> Any:
    if not isinstance(value, dict):
        raise InputError(f"{place}: a JSON object is expected. Received: {str(value)[:40]}")
    if name not in value:
        raise InputError(f"{place}: field {name!r} is missing. Received: {', '.join(value)}")
    if type(value[name]) is not kind:
        raise InputError(
            f"{place}: field {name!r} must be {_KINDS[kind]}. Received: {str(value[name])[:40]!r}"
        )
    return value[name]
