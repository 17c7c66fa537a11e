import html
import re

import pytest

from keras_bert.reports.question_answering import answer_findings
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.question_answering import GoldAnswer
from tests.page_parser import Page

CONTEXT = "In 1066 the <Normans> & their duke William crossed the Channel."


def answer(text, *, score=0.5, context=CONTEXT, others=()):
    start = context.index(text)
    top = [{"answer": text, "start": start, "end": start + len(text), "score": score}]
    top += [{"answer": other, "start": 0, "end": 0, "score": 0.01} for other in others]
    return {**top[0], "no_answer_score": 0.0, "top": top}


def gold(*texts, context=CONTEXT):
    return [GoldAnswer(text, context.index(text) if text in context else None) for text in texts]


def findings_of(*pairs, question="Who crossed?", contexts=None):
    answers, targets = zip(*pairs, strict=True)
    contexts = contexts or [CONTEXT] * len(pairs)
    examples = Examples({"question": [question] * len(pairs), "context": contexts}, list(targets))
    return answer_findings(examples, answers, ())


def section(findings, title):
    return next(section.html for section in findings.sections if section.title == title)


def marks_in_context(findings):
    """Marked pieces of the contexts with their classes."""
    paragraphs = re.findall(r'<p dir="auto">(.*?)</p>', section(findings, "Worst answers"), re.S)
    marks = [re.findall('<mark class="(.*?)">(.*?)</mark>', paragraph) for paragraph in paragraphs]
    return [[(kind, html.unescape(text)) for kind, text in found] for found in marks]


def test_gold_and_predicted_answers_are_marked_where_they_stand():
    findings = findings_of(
        (answer("<Normans> & their"), gold("the <Normans>", "Normans")),
        (answer("1066"), gold("duke William")),
    )
    assert marks_in_context(findings) == [
        [("found", "1066"), ("gold", "duke William")],
        [
            ("gold", "the "),
            ("found gold", "<"),
            ("found gold", "Normans"),
            ("found gold", ">"),
            ("found", " & their"),
        ],
    ]


@pytest.mark.parametrize(
    ("said", "target", "outcome"),
    [
        ("duke William", ["The Duke, William!"], "exact"),
        ("William", ["duke William"], "overlapping"),
        ("66 the <Nor", ["Normans"], "overlapping"),
        ("1066", ["duke William"], "elsewhere"),
        ("", ["duke William"], "answer missed"),
        ("1066", [], "answer invented"),
        ("", [], "exact"),
    ],
)
def test_outcomes(said, target, outcome):
    findings = findings_of((answer(said), gold(*target)))
    (row,) = re.findall(r"<tr><td>(.*?)</td><td .*?>1</td>", section(findings, "Outcomes"))
    assert row == outcome
    assert findings.errors == ([] if outcome == "exact" else [0])
    text = "".join(Page(section(findings, "Worst answers")).text)
    assert (f"Example 0 · {outcome}" in text) == (outcome != "exact")
    if not target and said:
        assert "gold no answer, predicted 1066" in text


def test_sure_answers_without_a_right_word_come_first():
    findings = findings_of(
        (answer("William", score=0.9), gold("duke William")),
        (answer("1066", score=0.2), gold("duke William")),
        (answer("Channel", score=0.8), gold("duke William")),
        (answer("duke William", score=0.9), gold("duke William")),
    )
    assert findings.errors == [2, 1, 0]
    assert "3 of 4 examples" in section(findings, "Worst answers")


def test_long_contexts_are_cut_around_both_answers():
    filler = "x" * 5000
    context = f"{filler} duke William {filler} 1066 {filler}"
    findings = findings_of(
        (answer("1066", context=context), gold("duke William", context=context)),
        contexts=[context],
    )
    assert marks_in_context(findings) == [[("gold", "duke William"), ("found", "1066")]]
    assert len(section(findings, "Worst answers")) < 4000


def test_other_answers_are_shown_with_their_probabilities():
    findings = findings_of(
        (answer("1066", score=0.7, others=("duke William", "")), gold("duke William"))
    )
    html = section(findings, "Worst answers")
    assert 'duke William</bdi> <b class="right">gold</b>' in html
    assert '1066</bdi> <b class="wrong">predicted</b>' in html
    assert "<bdi>no answer</bdi>" in html
    assert Page(html).is_balanced


def test_kinds_of_questions_where_some_are_frequent():
    right, wrong = (answer("1066"), gold("1066")), (answer("1066"), gold("William"))
    findings = findings_of(right, right, wrong, wrong, wrong, question="WHEN was <it>?")
    html = section(findings, "Outcomes")
    (row,) = re.findall(r"<tr><td><bdi>(.*?)</bdi></td>(.*?)</tr>", html)
    assert row[0] == "when"
    assert re.findall(r">([\d.]+)<", row[1]) == ["5", "40.0", "40.0"]
    assert "first word" not in section(findings_of(right, wrong), "Outcomes")
