"""One page about a model's answers: metrics, errors and attention."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_bert.page import escaped, table, whole_page
from keras_bert.reports.attention import attention_of, attention_section
from keras_bert.reports.classification import class_findings, label_findings
from keras_bert.reports.findings import Inspector, Section
from keras_bert.reports.multiple_choice import choice_findings
from keras_bert.reports.question_answering import answer_findings
from keras_bert.reports.regression import score_findings, similarity_findings
from keras_bert.reports.style import STYLE
from keras_bert.reports.tagging import entity_findings
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.predictor import Predictor

# By the names of the families; those without tasks have no examples to report on.
_INSPECTORS: dict[str, Inspector] = {
    "classification": class_findings,
    "multi_label": label_findings,
    "regression": score_findings,
    "embedding": similarity_findings,
    "question_answering": answer_findings,
    "tagging": entity_findings,
    "feature_tagging": entity_findings,
    "multiple_choice": choice_findings,
}


def report(
    title: str,
    predictor: Predictor,
    examples: Examples,
    answers: Sequence[dict[str, Any]],
    *,
    scores: Mapping[str, Any],
    facts: Mapping[str, Any],
    attention_example: int | None = None,
) -> str:
    """Returns the page as HTML.

    Args:
        title: str.
        predictor: `Predictor`.
        examples: `Examples` with targets; at least one.
        answers: What the predictor said to each of them.
        scores: The task's metrics.
        facts: What else is to be said about model and data, by name.
        attention_example: int or None. Whose attention to show; None takes the worst error, or the
            first example where there is none.

    Example:

    ```python
    answers = predictor.predict(examples)
    scores = task.score(examples, answers, labels=labels)
    report("My model", predictor, examples, answers, scores=scores, facts={})
    ```
    """
    labels = getattr(predictor.model, "labels", ())
    findings = _INSPECTORS[predictor.name](examples, answers, labels)
    index = attention_example
    if index is None:
        index = findings.errors[0] if findings.errors else 0
    rows = [(escaped(name), _number(value)) for name, value in scores.items()]
    said = [(escaped(name), escaped(value)) for name, value in facts.items()]
    sections = [
        Section("Metrics", table(("metric", "value"), rows, numbers=(1,))),
        *findings.sections,
        _attention(predictor, examples, answers, index, is_worst=attention_example is None),
        Section("Model and data", table(("what", "value"), said)),
    ]
    links = [f'<a href="#part-{i}">{s.title}</a>' for i, s in enumerate(sections, start=1)]
    body = [
        f"<h1>{escaped(title)}</h1>",
        f'<p class="dim">{len(examples):,} examples, family of tasks: {predictor.name}</p>',
        f'<nav aria-label="Contents">{" · ".join(links)}</nav>',
    ]
    for number, section in enumerate(sections, start=1):
        body += [f'<h2 id="part-{number}">{section.title}</h2>', section.html]
    return whole_page(title, "\n".join(body), style=STYLE)


def _number(value: Any) -> str:
    return f"{value:,.4f}" if isinstance(value, float) else escaped(value)


def _attention(
    predictor: Predictor,
    examples: Examples,
    answers: Sequence[dict[str, Any]],
    index: int,
    *,
    is_worst: bool,
) -> Section:
    attention = attention_of(predictor, examples.part(index, index + 1), answers[index])
    why = ", the first of those above" if is_worst else ""
    return attention_section(attention, f"Attention in example {index}{why}.")
