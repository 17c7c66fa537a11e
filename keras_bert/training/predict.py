"""`python -m keras_bert predict`."""

import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from keras_bert.command_line import check_at_least_one
from keras_bert.errors import InputError
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.families import load_predictor
from keras_bert.training.options import PredictOptions

# Fields that hold several strings.
_LISTS = ("choices", "words")


def predict(options: PredictOptions) -> None:
    """Answers JSON lines from standard input on standard output.

    A line has the fields of the model's family, such as `{"text": ...}` or `{"text_a": ...,
    "text_b": ...}`; `Predictor.decode` of the family says what an answer holds.

    Raises:
        InputError: If a line is not such an object, its fields differ from the first one's, or the
            family cannot answer it.
    """
    check_at_least_one(options, "batch_size")
    predictor = load_predictor(options.model)
    predictor.freeze(options.precision)
    lines = read_lines(sys.stdin, predictor.forms)
    while batch := list(itertools.islice(lines, options.batch_size)):
        places, rows = zip(*batch, strict=True)
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        examples = Examples(columns, ids=list(places))
        for answer in predictor.predict(examples, batch_size=options.batch_size):
            print(json.dumps(answer, ensure_ascii=False), flush=True)


def read_lines(
    file: TextIO | Iterable[str], forms: tuple[tuple[str, ...], ...]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields where each line stands, as errors say it, and its fields.

    Args:
        file: Lines.
        forms: The fields that a line may have; the first line chooses among them.
    """
    fields: tuple[str, ...] | None = None
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        place = f"standard input, line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{place}: not JSON: {error}") from error
        if fields is None and isinstance(row, dict):
            fields = next((form for form in forms if set(form) <= set(row)), None)
        expected = [fields] if fields else forms
        if not isinstance(row, dict) or not fields or not all(_fits(row, f) for f in fields):
            named = " or ".join(" and ".join(form) for form in expected)
            raise InputError(
                f"{place}: a JSON object with {named} is expected, choices and words being lists "
                f"of strings and all else strings. Received: {line.strip()[:60]}"
            )
        yield place, {name: row[name] for name in fields}


def _fits(row: dict[str, Any], name: str) -> bool:
    value = row.get(name)
    if name in _LISTS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, str)
