"""The official metrics of SQuAD 1.1 and 2.0, on their scale of 0 to 100."""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalize_answer(text: str) -> str:
    """Returns an answer without what does not count: case, punctuation, articles, extra spaces.

    Punctuation is that of ASCII and goes first, so that words on both sides of it become one.
    """
    without_punctuation = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", without_punctuation).split())


def exact_match(prediction: str, answer: str) -> float:
    """Returns 1.0 if two answers are equal after normalization, else 0.0."""
    return float(normalize_answer(prediction) == normalize_answer(answer))


def f1(prediction: str, answer: str, *, empty_equals_empty: bool = True) -> float:
    """Returns the harmonic mean of precision and recall of an answer's words.

    Args:
        prediction: str.
        answer: str.
        empty_equals_empty: bool. Whether two answers without words count as 1.0, as in SQuAD 2.0,
            or as 0.0, as in SQuAD 1.1.
    """
    predicted, expected = normalize_answer(prediction).split(), normalize_answer(answer).split()
    if not predicted or not expected:
        return float(empty_equals_empty and predicted == expected)
    common = sum((Counter(predicted) & Counter(expected)).values())
    if not common:
        return 0.0
    precision, recall = common / len(predicted), common / len(expected)
    return 2 * precision * recall / (precision + recall)


def squad_1_scores(
    predictions: Sequence[str], answers: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Returns the metrics of SQuAD 1.1: `exact_match` and `f1`.

    Args:
        predictions: sequence of str. One for each question, not empty as a whole.
        answers: sequence of sequences of str. The gold answers to each question, at least one.

    References:
        - Rajpurkar et al. 2016, arXiv:1606.05250; `evaluate-v1.1.py`.
    """
    exact = _best(exact_match, predictions, answers)
    shares = _best(
        lambda prediction, answer: f1(prediction, answer, empty_equals_empty=False),
        predictions,
        answers,
    )
    return {"exact_match": _percent(exact), "f1": _percent(shares)}


def squad_2_scores(
    predictions: Sequence[str], answers: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Returns the metrics of SQuAD 2.0.

    Args:
        predictions: sequence of str. One for each question, not empty as a whole; `""` says that
            there is no answer.
        answers: sequence of sequences of str. The gold answers; none where there is no answer.

    Returns:
        `exact`, `f1` and `total` of all questions, and the same with `HasAns_` and `NoAns_` before
        them for those with and without an answer, where there are any.

    References:
        - Rajpurkar et al. 2018, arXiv:1806.03822; `evaluate-v2.0.py`.
    """
    exact, shares = _raw_scores(predictions, answers)
    has_answer = [bool(gold) for gold in answers]
    results: dict[str, float] = {}
    for prefix, members in (
        ("", range(len(answers))),
        ("HasAns_", [i for i, flag in enumerate(has_answer) if flag]),
        ("NoAns_", [i for i, flag in enumerate(has_answer) if not flag]),
    ):
        if members:
            results[f"{prefix}exact"] = _percent([exact[i] for i in members])
            results[f"{prefix}f1"] = _percent([shares[i] for i in members])
            results[f"{prefix}total"] = len(members)
    return results


def best_thresholds(
    predictions: Sequence[str],
    answers: Sequence[Sequence[str]],
    no_answer_scores: Sequence[float],
) -> dict[str, float]:
    """Searches the threshold above which a question is best left without an answer.

    As in the official script, a threshold lies at a question's own score, questions of equal scores
    are taken one after the other, and where it is best to answer none, the threshold is 0.

    Args:
        predictions: sequence of str. The answers if every question gets one.
        answers: sequence of sequences of str. The gold answers; none where there is no answer.
        no_answer_scores: sequence of float. How much speaks against an answer.

    Returns:
        `best_exact` and `best_f1`, the metrics at their best thresholds, `best_exact_thresh` and
        `best_f1_thresh`.
    """
    exact, shares = _raw_scores(predictions, answers)
    order = sorted(range(len(answers)), key=lambda i: no_answer_scores[i])
    results = {}
    for name, scores in (("exact", exact), ("f1", shares)):
        total = best = float(sum(not gold for gold in answers))
        threshold = 0.0
        for i in order:
            total += scores[i] if answers[i] else -bool(predictions[i])
            if total > best:
                best, threshold = total, no_answer_scores[i]
        results[f"best_{name}"] = 100 * best / len(answers)
        results[f"best_{name}_thresh"] = threshold
    return results


def _raw_scores(predictions, answers) -> tuple[list[float], list[float]]:
    # Gold answers of which nothing is left do not count; without others, nothing is right.
    gold = [[text for text in texts if normalize_answer(text)] or [""] for texts in answers]
    return _best(exact_match, predictions, gold), _best(f1, predictions, gold)


def _best(metric: Callable[[str, str], float], predictions, answers) -> list[float]:
    return [
        max(metric(prediction, gold) for gold in texts)
        for prediction, texts in zip(predictions, answers, strict=True)
    ]


def _percent(scores: Sequence[float]) -> float:
    return 100 * sum(scores) / len(scores)
