"""`python -m keras_bert predict`."""

import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TextIO

from keras_bert.errors import InputError
from keras_bert.reading import BEGINNING, form_of
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.families import load_predictor
from keras_bert.tasks.predictor import Predictor
from keras_bert.training.arriving_lines import arriving_lines
from keras_bert.training.options import PredictOptions

# Fields that hold several strings.
_LISTS = ("choices", "words")
_SHOWN = 60


class Line(NamedTuple):
    """A line of input.

    Args:
        place: str. Where it stands, as errors say it.
        row: dict or None. Its fields; None where it is wrong.
        error: str or None. What is wrong with it.
    """

    place: str
    row: dict[str, Any] | None
    error: str | None = None


def predict(options: PredictOptions) -> None:
    """Answers JSON lines from standard input on standard output.

    A line has the fields of the model's family, such as `{"text": ...}` or `{"text_a": ...,
    "text_b": ...}`; `Predictor.decode` of the family says what an answer holds. Lines are answered
    as soon as input pauses.

    Raises:
        InputError: If a line is not such an object, its fields differ from the first one's, or the
            family cannot answer it, after the lines before it were answered. With `keep_going` it
            is answered by `{"error": ...}`.
        BrokenPipeError: If nobody reads the answers any more.
    """
    _check_streams(sys.stdin, sys.stdout)
    predictor = load_predictor(options.model)
    predictor.freeze(options.precision)
    for lines in read_lines(sys.stdin, predictor.forms, options.batch_size):
        answers = _answers(predictor, lines)
        wrong = [] if options.keep_going else [a for a in answers if "error" in a]
        if wrong:
            answers = answers[: answers.index(wrong[0])]
        # At once, so that a reader never has a part of a line.
        sys.stdout.write(
            "".join(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers)
        )
        sys.stdout.flush()
        if wrong:
            raise InputError(wrong[0]["error"])


def _check_streams(stdin: TextIO, stdout: TextIO) -> None:
    """Refuses to read what it writes: the answers would be read as lines, without end."""
    try:
        first, second = os.fstat(stdin.fileno()), os.fstat(stdout.fileno())
    except (AttributeError, OSError, ValueError):  # No files of the system.
        return
    if stat.S_ISREG(first.st_mode) and os.path.samestat(first, second):
        raise InputError(
            "standard output must not be the file of standard input, which it would change; write "
            "to another one"
        )


def _answers(predictor: Predictor, lines: list[Line]) -> list[dict[str, Any]]:
    """An answer to each line, or what is wrong with it."""
    right = [line for line in lines if line.row is not None]
    try:
        found = iter(_predicted(predictor, right))
    except InputError as error:
        if len(lines) == 1:
            place, message = lines[0].place, str(error)
            return [{"error": message if place in message else f"{place}: {message}"}]
        # One of them alone is wrong.
        return [answer for line in lines for answer in _answers(predictor, [line])]
    return [{"error": line.error} if line.row is None else next(found) for line in lines]


def _predicted(predictor: Predictor, lines: list[Line]) -> list[dict[str, Any]]:
    if not lines:
        return []
    columns = {name: [line.row[name] for line in lines] for name in lines[0].row}
    examples = Examples(columns, ids=[line.place for line in lines])
    return predictor.predict(examples, batch_size=len(lines))


def read_lines(
    file: TextIO | Iterable[str], forms: tuple[tuple[str, ...], ...], most: int = 32
) -> Iterator[list[Line]]:
    """Yields lists of lines as they arrive, without blank ones.

    Args:
        file: Lines.
        forms: The fields that a line may have; the first line chooses among them.
        most: int. Lines of a list.
    """
    fields: tuple[str, ...] | None = None
    number = 0
    for batch in arriving_lines(file, most):
        lines = []
        for text in batch:
            number += 1
            if not text.strip():
                continue
            place = f"standard input, line {number}"
            try:
                row = _object(text, number)
                if fields is None:
                    fields = next((form for form in forms if set(form) <= set(row)), None)
                lines.append(Line(place, _checked(row, [fields] if fields else forms)))
            except InputError as error:
                lines.append(Line(place, None, f"{place}: {error}"))
        if lines:
            yield lines


def _object(text: bytes | str, number: int) -> dict[str, Any]:
    try:
        if isinstance(text, bytes):
            if number == 1 and (form := form_of(text[:BEGINNING], nuls=True)) is not None:
                raise InputError(f"JSON lines are expected. Received: {form[0]}; {form[1]}")
            text = text.decode("utf-8")
        row = json.loads(text.removeprefix("\ufeff") if number == 1 else text)
    except UnicodeDecodeError as error:
        raise InputError(
            f"the text must be UTF-8. Received: byte 0x{error.object[error.start]:02x}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}. Received: {text.strip()[:_SHOWN]}") from error
    if not isinstance(row, dict):
        raise InputError(f"a JSON object is expected. Received: {text.strip()[:_SHOWN]}")
    return row


def _checked(row: dict[str, Any], forms: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    form = next((form for form in forms if set(form) <= set(row)), None)
    if form is None or not all(_fits(row[name], name) for name in form):
        named = " or ".join(" and ".join(form) for form in forms)
        raise InputError(
            f"a JSON object with {named} is expected, choices and words being lists of strings "
            f"and all else strings. Received: {json.dumps(row, ensure_ascii=False)[:_SHOWN]}"
        )
    return {name: row[name] for name in form}


def _fits(value: Any, name: str) -> bool:
    if name in _LISTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, str)
