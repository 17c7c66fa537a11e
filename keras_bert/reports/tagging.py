"""Entities that a tagger misses, invents or takes for others."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from seqeval.metrics import classification_report

from keras_bert.page import escaped, table
from keras_bert.reports.findings import Findings, Section, error_section, ordered, sample
from keras_bert.reports.marks import Mark, marked
from keras_bert.tasks.tag_schemes import find_entities, is_plain, standard_tag

# Types with a colour of their own, by the stylesheet.
_COLORS = 7

_KINDS = {
    "wrong type": "the words of a gold entity with another type",
    "wrong boundary": "some words of a gold entity of the same type, or more than it has",
    "wrong boundary and type": "some words of a gold entity, with another type",
    "invented": "no word of it belongs to a gold entity",
    "missed": "a gold entity without a word in common with a predicted one",
}

Span = tuple[str, int, int]
"""A type, the first word and the last one."""


def entity_findings(examples, answers, labels) -> Findings:
    """Findings of the families of tags: see `Inspector`."""
    # A word of a plain class is shown as an entity of one word.
    spelled = (lambda tag: f"S-{tag}") if is_plain(labels) else standard_tag
    golds = [[spelled(labels[index]) for index in target] for target in examples.targets]
    founds = [[spelled(tag) for tag in answer["tags"]] for answer in answers]
    gold = [find_entities(tags) for tags in golds]
    found = [find_entities(tags) for tags in founds]
    types = sorted({kind for spans in (*gold, *found) for kind, _, _ in spans})
    classes = {kind: f"type-{number % _COLORS}" for number, kind in enumerate(types)}
    differences = [
        (set(ours) - set(theirs), set(theirs) - set(ours))
        for ours, theirs in zip(gold, found, strict=True)
    ]
    # How sure the model is of an entity that is none; those that are only missed come last.
    sureness = np.array(
        [
            max((score for span, score in _scored(answer, spans) if span in wrong), default=0.0)
            for answer, spans, (_, wrong) in zip(answers, found, differences, strict=True)
        ]
    )
    errors = ordered(sureness, np.array([any(pair) for pair in differences]))

    def show(index: int) -> str:
        words = answers[index]["tokens"]
        missed, wrong = differences[index]
        counts = Counter(errors_of(gold[index], found[index]))
        says = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        lines = [
            f'<p dir="auto"><span class="field">{name}</span> '
            f"{_line(words, spans, classes, differing)}</p>"
            for name, spans, differing in (
                ("gold", gold[index], missed),
                ("predicted", found[index], wrong),
            )
        ]
        return sample(examples, index, says, *lines)

    legend = (
        "Entities have the colour and the name of their type; a heavy line below marks those that "
        "the other row lacks. Sentences come first where the model is surest of a wrong entity."
    )
    return Findings(
        [
            Section("Types of entities", _types(golds, founds)),
            Section("Kinds of errors", _kinds(gold, found)),
            error_section(errors, len(examples), show, legend=legend, title="Worst sentences"),
        ],
        errors,
    )


def errors_of(gold: Sequence[Span], found: Sequence[Span]) -> list[str]:
    """Returns the kind of each error in a sentence.

    Every predicted entity that is wrong is one error, and every gold entity that has no word in
    common with any predicted one.
    """
    kinds = []
    for span in found:
        if span in gold:
            continue
        touching = [other for other in gold if _touch(span, other)]
        if any(other[1:] == span[1:] for other in touching):
            kinds.append("wrong type")
        elif any(other[0] == span[0] for other in touching):
            kinds.append("wrong boundary")
        else:
            kinds.append("wrong boundary and type" if touching else "invented")
    missed = [span for span in gold if not any(_touch(span, other) for other in found)]
    return kinds + ["missed"] * len(missed)


def _touch(span: Span, other: Span) -> bool:
    return span[1] <= other[2] and other[1] <= span[2]


def _scored(answer, spans: Sequence[Span]):
    """The entities with their scores; without entities in the answer there are none."""
    return zip(spans, (entity["score"] for entity in answer["entities"]), strict=False)


def _line(words: Sequence[str], spans: Sequence[Span], classes, differing: set[Span]) -> str:
    """A sentence with its entities."""
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    marks = [
        Mark(
            int(starts[first]),
            int(starts[last]) + len(words[last]),
            classes[kind] + (" differs" if (kind, first, last) in differing else ""),
            kind,
        )
        for kind, first, last in spans
    ]
    return marked(" ".join(words), marks)


def _types(golds: Sequence[Sequence[str]], founds: Sequence[Sequence[str]]) -> str:
    report = classification_report(golds, founds, output_dict=True, zero_division=0)
    predicted = Counter(kind for tags in founds for kind, _, _ in find_entities(tags))
    total = {"micro avg": f"{predicted.total():,}", "macro avg": ""}
    del report["weighted avg"]
    rows = [
        (
            f"<bdi>{escaped(name.replace(' avg', ' average'))}</bdi>",
            f"{int(report[name]['support']):,}",
            total.get(name, f"{predicted[name]:,}"),
            *(f"{report[name][key]:.4f}" for key in ("precision", "recall", "f1-score")),
        )
        for name in [*sorted(set(report) - set(total)), *total]
    ]
    head = ("type", "gold", "predicted", "precision", "recall", "F1")
    return table(head, rows, numbers=range(1, 6))


def _kinds(gold: Sequence[Sequence[Span]], found: Sequence[Sequence[Span]]) -> str:
    counts = Counter()
    for ours, theirs in zip(gold, found, strict=True):
        counts.update(errors_of(ours, theirs))
    rows = [
        (name, f"{counts[name]:,}", f"{counts[name] / counts.total():.1%}", meaning)
        for name, meaning in _KINDS.items()
        if counts[name]
    ]
    if not rows:
        return "<p>None.</p>"
    return table(("error", "count", "share", "what it is"), rows, numbers=(1, 2))
