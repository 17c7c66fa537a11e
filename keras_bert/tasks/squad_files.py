"""Questions, contexts and answers of files in SQuAD's format, and of TensorFlow Datasets."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from keras_bert.errors import InputError
from keras_bert.reading import unpacked_name
from keras_bert.tasks.file_format import DEFAULT_FORMAT, FileFormat
from keras_bert.tasks.question_answering import GoldAnswer
from keras_bert.tasks.sources import is_prepared, prepared_rows
from keras_bert.tasks.tables import read_json, read_rows
from keras_bert.tasks.text_of_files import packed_names

_VERSION = re.compile(r"v\d+\.\d+")


class Question(NamedTuple):
    """A question of a file.

    Args:
        place: str. Where it stands, for error messages.
        id: str.
        context: str.
        question: str.
        answers: list of `GoldAnswer`, or None where the file has no answers, as that of a test.
        is_impossible: bool or None. Whether there is no answer; None where the file does not say.
    """

    place: str
    id: str
    context: str
    question: str
    answers: list[GoldAnswer] | None
    is_impossible: bool | None = None


def read_questions(
    data: str, split: str, version: str, file_format: FileFormat = DEFAULT_FORMAT
) -> Iterator[Question]:
    """Reads the questions of a split.

    Files have SQuAD's form, or a row for each question with `id`, `question`, `context` and
    `answers`, in JSON lines, a list or the field `data`.

    Args:
        data: str. A directory, or `tfds:NAME`.
        split: str.
        version: str. `"1.1"` or `"2.0"`, as in the names of files.
        file_format: `FileFormat`.

    Raises:
        InputError: If a file or a field is wrong, or two questions have the same id.
    """
    if is_prepared(data):
        questions = _row_questions(prepared_rows(data, split))
    else:
        questions = _questions(find_squad_file(data, split, version), file_format)
    seen: dict[str, str] = {}
    for question in questions:
        if question.id in seen:
            raise InputError(
                f"{question.place}: another question has the same id; give each its own. "
                f"Received: that of {seen[question.id]}"
            )
        seen[question.id] = question.place
        yield question


def find_squad_file(directory: str, split: str, version: str) -> Path:
    """Returns the file of a split.

    In this order: `train-v1.1.json`, another `train*.json` with the version in its name,
    `train.json`, another `train*.json` without any version; each may be compressed, and end with
    `.jsonl`.

    Raises:
        InputError: If there is none, or more than one that comes first.
    """
    ends = [end for kind in (".json", ".jsonl") for end in packed_names(kind)]
    found = sorted(path for end in ends for path in Path(directory).glob(f"{split}*{end}"))
    names = {path: unpacked_name(path).rsplit(".", 1)[0] for path in found}
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


def _questions(path: Path, file_format: FileFormat) -> Iterator[Question]:
    if unpacked_name(path).endswith(".jsonl"):
        yield from _row_questions(read_rows(path, file_format))
        return
    try:
        content = read_json(path, file_format.encoding)
    except InputError:
        # Lines of JSON may be called .json as well; else the first error tells more.
        with contextlib.suppress(InputError):
            first = next(read_rows(path, file_format), None)
            if first is not None and "context" in first[1]:
                yield from _row_questions(read_rows(path, file_format))
                return
        raise
    if isinstance(content, list) and content:
        yield from _row_questions(read_rows(path, file_format))
        return
    articles = _field(content, "data", list, str(path))
    for number, article in enumerate(articles, start=1):
        place = f"{path}, article {number}"
        if isinstance(article, dict) and "context" in article and "paragraphs" not in article:
            yield from _row_questions([(f"{path}, item {number}", article)])
            continue
        paragraphs = _field(article, "paragraphs", list, place)
        for paragraph_number, paragraph in enumerate(paragraphs, start=1):
            inner = f"{place}, paragraph {paragraph_number}"
            context = _field(paragraph, "context", str, inner)
            entries = _field(paragraph, "qas", list, inner)
            for question_number, entry in enumerate(entries, start=1):
                yield _question(entry, context, f"{inner}, question {question_number}")


def _row_questions(rows: Iterable[tuple[str, Any]]) -> Iterator[Question]:
    for place, row in rows:
        yield _question(row, _field(row, "context", str, place), place)


def _question(entry: Any, context: str, place: str) -> Question:
    name = _identifier(entry, place)
    place = f"{place} ({name!r})"
    answers = None
    if isinstance(entry.get("answers"), dict):
        answers = _columns_of_answers(entry["answers"], f"{place}, answers")
    elif entry.get("answers") is not None:
        answers = _field(entry, "answers", list, place)
    if answers is not None:
        answers = [
            _answer(answer, f"{place}, answer {number}")
            for number, answer in enumerate(answers, start=1)
        ]
    impossible = None
    if entry.get("is_impossible") is not None:
        impossible = _field(entry, "is_impossible", bool, place)
    if impossible and answers:
        raise InputError(f"{place}: is_impossible is true, but there are answers")
    question = _field(entry, "question", str, place)
    return Question(place, name, context, question, answers, impossible)


def _identifier(entry: Any, place: str) -> str:
    """The id, a string or an integer."""
    if isinstance(entry, dict) and type(entry.get("id")) is int:
        return str(entry["id"])
    return _field(entry, "id", str, place)


def _columns_of_answers(columns: dict[str, Any], place: str) -> list[dict[str, Any]]:
    """The answers of a data set of Hugging Face or TensorFlow, a list for each field."""
    texts = _field(columns, "text", list, place)
    starts = columns.get("answer_start")
    if starts is None:
        starts = [None] * len(texts)
    elif len(_field(columns, "answer_start", list, place)) != len(texts):
        raise InputError(f"{place}: {len(texts)} texts, but {len(starts)} places")
    return [
        {"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)
    ]


def _answer(answer: Any, place: str) -> GoldAnswer:
    text = _field(answer, "text", str, place)
    start = answer.get("answer_start")
    if start is None:
        return GoldAnswer(text, None)
    if isinstance(start, float) and start.is_integer():
        return GoldAnswer(text, int(start))
    return GoldAnswer(text, _field(answer, "answer_start", int, place))


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
