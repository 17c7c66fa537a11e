"""`python -m keras_bert predict`."""

import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO

import tensorflow as tf

from keras_bert.command_line import check_at_least_one
from keras_bert.errors import InputError
from keras_bert.training.classification import load_classifier, probabilities_function
from keras_bert.training.options import PredictOptions


def predict(options: PredictOptions) -> None:
    """Answers JSON lines from standard input on standard output.

    A line is `{"text": ...}` or `{"text_a": ..., "text_b": ...}`; the answer is
    `{"label": ..., "probabilities": {label: probability}}`.

    Raises:
        InputError: If a line is not such an object, or singles and pairs are mixed.
    """
    check_at_least_one(options, "batch_size")
    model, preprocessor = load_classifier(options.model)
    answer_batch = probabilities_function(model, preprocessor)
    lines = read_lines(sys.stdin)
    while batch := list(itertools.islice(lines, options.batch_size)):
        # Tensors, because the function would be traced anew for every Python string.
        columns = [tf.constant(column) for column in zip(*batch, strict=True)]
        texts = columns[0] if len(columns) == 1 else tuple(columns)
        for row in answer_batch(texts).numpy():
            named = dict(zip(model.labels, (round(float(p), 6) for p in row), strict=True))
            answer = {"label": model.labels[row.argmax()], "probabilities": named}
            print(json.dumps(answer, ensure_ascii=False), flush=True)


def read_lines(file: TextIO | Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Yields `(text,)` or `(text_a, text_b)` of each line."""
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
            fields = ("text_a", "text_b") if "text_a" in row else ("text",)
        if not isinstance(row, dict) or not all(isinstance(row.get(f), str) for f in fields):
            expected = " and ".join(fields or ("text",))
            raise InputError(
                f"{place}: a JSON object with the string {expected} is expected. "
                f"Received: {line.strip()[:60]}"
            )
        yield tuple(row[name] for name in fields)
