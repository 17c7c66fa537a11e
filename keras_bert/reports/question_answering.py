"""Answers to questions beside the right ones, in their contexts."""

from collections import Counter, defaultdict

import numpy as np

from keras_bert.page import escaped, table
from keras_bert.reports.bars import Bar, bars
from keras_bert.reports.calibration import calibration_section
from keras_bert.reports.findings import Findings, Section, error_section, ordered, sample
from keras_bert.reports.marks import Mark, marked
from keras_bert.tasks.squad_metrics import exact_match, f1

# What may become of a question, the best first.
_OUTCOMES = {
    "exact": "the answer, or that there is none, as one of the gold answers has it",
    "overlapping": "some words, or some place, of a gold answer",
    "elsewhere": "nothing of a gold answer",
    "answer missed": "no answer, though there is one",
    "answer invented": "an answer, though there is none",
}
_LONGEST_ANSWER = 120
# Questions that begin with a word, for it to be listed.
_LEAST, _LEAST_SHARE = 5, 0.01


def answer_findings(examples, answers, labels) -> Findings:
    """Findings of the family `question_answering`: see `Inspector`."""
    del labels
    golds = [
        list(dict.fromkeys(answer.text for answer in target if answer.text)) or [""]
        for target in examples.targets
    ]
    found = [answer["answer"] for answer in answers]
    exact = np.array([_best(exact_match, a, gold) for a, gold in zip(found, golds, strict=True)])
    shares = np.array([_best(f1, a, gold) for a, gold in zip(found, golds, strict=True)])
    score = np.array([answer["score"] for answer in answers])
    overlaps = (shares > 0) | np.array(
        [_touches(*pair) for pair in zip(answers, examples.targets, strict=True)]
    )
    outcomes = [_outcome(*row) for row in zip(found, golds, exact == 1, overlaps, strict=True)]
    # Those that have nothing in common with a gold answer come first.
    errors = ordered(score - 2 * overlaps, exact < 1)

    def show(index: int) -> str:
        answer, target, gold = answers[index], examples.targets[index], golds[index]
        marks = [Mark(answer["start"], answer["end"], "found")]
        places = {(place.start, place.text) for place in target if place.start is not None}
        marks += [Mark(start, start + len(text), "gold") for start, text in sorted(places)]
        context = examples.columns["context"][index]
        top = [
            Bar(
                _told(entry["answer"]),
                entry["score"],
                entry["answer"] in gold,
                entry["answer"] == answer["answer"],
            )
            for entry in answer["top"]
        ]
        says = f"{outcomes[index]}, F1 {shares[index]:.2f}"
        return sample(
            examples,
            index,
            says,
            f'<p dir="auto" class="question">{marked(examples.columns["question"][index])}</p>',
            f"<p>gold {_marked_answers(gold, 'gold')}, "
            f"predicted {_marked_answers([answer['answer']], 'found')}</p>",
            f'<p dir="auto">{marked(context, marks)}</p>',
            bars(top, most=4),
        )

    legend = (
        'In the contexts: <mark class="gold">gold answers</mark>, <mark class="found">the '
        'predicted one</mark>, <mark class="gold found">what they share</mark>. Answers '
        "apart from all gold ones come first, those of high probability before others."
    )
    return Findings(
        [
            Section("Outcomes", _outcome_table(outcomes) + _by_first_word(examples, exact, shares)),
            calibration_section(score, exact == 1, what="the answer"),
            error_section(errors, len(examples), show, legend=legend, title="Worst answers"),
        ],
        errors,
    )


def _best(metric, answer: str, gold: list[str]) -> float:
    return max(metric(answer, text) for text in gold)


def _touches(answer, target) -> bool:
    """Whether an answer shares characters of the context with a gold one.

    Not all languages have words to compare.
    """
    return any(
        place.start is not None
        and max(place.start, answer["start"]) < min(place.start + len(place.text), answer["end"])
        for place in target
    )


def _outcome(answer: str, gold: list[str], is_exact: bool, overlaps: bool) -> str:
    if is_exact:
        return "exact"
    if not answer:
        return "answer missed"
    if gold == [""]:
        return "answer invented"
    return "overlapping" if overlaps else "elsewhere"


def _told(answer: str) -> str:
    if len(answer) > _LONGEST_ANSWER:
        return f"{answer[:_LONGEST_ANSWER]} […]"
    return answer or "no answer"


def _marked_answers(answers: list[str], kind: str) -> str:
    return " · ".join(
        f'<mark class="{kind}"><bdi>{escaped(_told(answer))}</bdi></mark>' for answer in answers
    )


def _outcome_table(outcomes: list[str]) -> str:
    counts = Counter(outcomes)
    rows = [
        (name, f"{counts[name]:,}", f"{counts[name] / len(outcomes):.1%}", meaning)
        for name, meaning in _OUTCOMES.items()
        if counts[name]
    ]
    return table(("outcome", "questions", "share", "the model says"), rows, numbers=(1, 2))


def _by_first_word(examples, exact: np.ndarray, shares: np.ndarray) -> str:
    """The metrics of questions that begin with the same word, where some words are frequent."""
    members = defaultdict(list)
    for index, question in enumerate(examples.columns["question"]):
        words = question.split(maxsplit=1)
        members[words[0].casefold() if words else ""].append(index)
    least = max(_LEAST, _LEAST_SHARE * len(examples))
    kinds = sorted(members.items(), key=lambda item: -len(item[1]))
    rows = [
        (
            f"<bdi>{escaped(word[:40])}</bdi>",
            f"{len(indices):,}",
            f"{100 * exact[indices].mean():.1f}",
            f"{100 * shares[indices].mean():.1f}",
        )
        for word, indices in kinds[:12]
        if len(indices) >= least
    ]
    if not rows:
        return ""
    head = ("first word of the question", "questions", "exact", "F1")
    return "<h3>Kinds of questions</h3>\n" + table(head, rows, numbers=(1, 2, 3))
