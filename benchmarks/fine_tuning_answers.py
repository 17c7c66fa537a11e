"""SQuAD in the fine-tuning benchmark's peers: windows, the best span, and the official scores.

Windows as in `run_squad.py` of google-research/bert: a step of 128 tokens, questions cut at 64, the
20 best starts and ends, answers of up to 30 tokens; as in the example of `transformers`, a window
may answer with any of its tokens, whether or not another shows more around them. The scores are
those of the official `evaluate-v2.0.py`, and of `evaluate-v1.1.py` where answers have words.
"""

import re
import string
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

STRIDE, QUERY_LENGTH, BEST, ANSWER_LENGTH = 128, 64, 20, 30


@dataclass(frozen=True)
class Window:
    """A row `[CLS] question [SEP] window [SEP]`.

    Args:
        example: int. The row of the question.
        ids: list of int.
        segments: list of int.
        first: int. The column where the context begins.
        spans: array `(tokens, 2)`: the characters of the context's tokens, end exclusive.
    """

    example: int
    ids: list[int]
    segments: list[int]
    first: int
    spans: np.ndarray

    def target(self, answers: list[tuple[str, int]]) -> tuple[int, int]:
        """First and last column of the first answer, those of `[CLS]` where it is not inside."""
        if not answers or not len(self.spans):
            return 0, 0
        text, start = answers[0]
        end = start + len(text)
        inside = np.flatnonzero((self.spans[:, 1] > start) & (self.spans[:, 0] < end))
        if not len(inside) or self.spans[0, 0] > start or self.spans[-1, 1] < end:
            return 0, 0
        return self.first + int(inside[0]), self.first + int(inside[-1])


def windows(tokenizer: Any, pairs: list[tuple[str, str]], sequence_length: int) -> list[Window]:
    """Cuts the contexts of `(question, context)` with a tokenizer of `transformers`."""
    questions = tokenizer([question for question, _ in pairs], add_special_tokens=False)
    distinct = list(dict.fromkeys(context for _, context in pairs))
    encoded = tokenizer(distinct, add_special_tokens=False, return_offsets_mapping=True)
    places = {context: number for number, context in enumerate(distinct)}
    rows = []
    for example, (question, (_, context)) in enumerate(
        zip(questions["input_ids"], pairs, strict=True)
    ):
        tokens = encoded["input_ids"][places[context]]
        spans = np.array(encoded["offset_mapping"][places[context]]).reshape(-1, 2)
        before = [tokenizer.cls_token_id, *question[:QUERY_LENGTH], tokenizer.sep_token_id]
        room = sequence_length - len(before) - 1
        begin = 0
        while True:
            window = [*tokens[begin : begin + room], tokenizer.sep_token_id]
            segments = [0] * len(before) + [1] * len(window)
            part = spans[begin : begin + room]
            rows.append(Window(example, before + window, segments, len(before), part))
            if begin + room >= len(tokens):
                break
            begin += min(STRIDE, room)
    return rows


def best_answers(
    pairs: list[tuple[str, str]],
    rows: list[Window],
    logits: list[tuple[np.ndarray, np.ndarray]],
    *,
    with_none: bool,
) -> list[tuple[str, float]]:
    """The text of the best span of each question, and how far it is better than `[CLS]`.

    Where no answer is not allowed, it is better without limit.
    """
    best = [(-np.inf, "")] * len(pairs)
    none = [np.inf] * len(pairs)
    for row, (starts, ends) in zip(rows, logits, strict=True):
        none[row.example] = min(none[row.example], starts[0] + ends[0])
        context = slice(row.first, row.first + len(row.spans))
        starts, ends = starts[context], ends[context]
        first = np.argsort(-starts)[:BEST, np.newaxis]
        last = np.argsort(-ends)[np.newaxis, :BEST]
        allowed = (last >= first) & (last < first + ANSWER_LENGTH)
        if not allowed.any():
            continue
        sums = np.where(allowed, starts[first] + ends[last], -np.inf)
        one, other = np.unravel_index(sums.argmax(), sums.shape)
        if sums[one, other] > best[row.example][0]:
            begin, end = row.spans[first[one, 0], 0], row.spans[last[0, other], 1]
            best[row.example] = sums[one, other], pairs[row.example][1][begin:end]
    return [
        (text, score - null if with_none else np.inf)
        for (score, text), null in zip(best, none, strict=True)
    ]


def scores(
    targets: list[list[tuple[str, int]]], predictions: list[tuple[str, float]]
) -> dict[str, float]:
    """F1 and exact match in percent, each with the best threshold where there may be no answer."""
    exact, f1 = _by_question(targets, [text for text, _ in predictions])
    order = np.argsort([-margin for _, margin in predictions], kind="stable")
    if np.isinf(predictions[0][1]):
        return {"f1": 100 * float(np.mean(f1)), "exact_match": 100 * float(np.mean(exact))}
    silent = np.array([not answers for answers in targets], float)
    best = {}
    for name, values in (("best_f1", f1), ("best_exact", exact)):
        # Answering the surest ones only, none of them to begin with.
        gains = np.concatenate([[0], np.cumsum((np.array(values) - silent)[order])])
        best[name] = 100 * float((silent.sum() + gains.max()) / len(targets))
    return best


def _by_question(targets, predictions) -> tuple[list[float], list[float]]:
    """Exact match and F1 of each question, the best over its answers."""
    exact, f1 = [], []
    for answers, prediction in zip(targets, predictions, strict=True):
        # As the official scripts do, answers of nothing but articles are left out.
        texts = [text for text, _ in answers if _normalized(text)] or [""]
        exact.append(max(_normalized(text) == _normalized(prediction) for text in texts))
        f1.append(
            max(_f1(_normalized(text).split(), _normalized(prediction).split()) for text in texts)
        )
    return exact, f1


def _normalized(text: str) -> str:
    text = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def _f1(target: list[str], prediction: list[str]) -> float:
    if not target or not prediction:
        return float(target == prediction)
    common = (Counter(target) & Counter(prediction)).total()
    return 2 * common / (len(target) + len(prediction))
