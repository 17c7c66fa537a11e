import re

from keras_bert.reports.multiple_choice import choice_findings
from keras_bert.tasks.examples import Examples
from tests.page_parser import Page


def test_choices_with_their_probabilities():
    choices = [["<b>yes</b>", "no"], ["one", "two", "x" * 1000], ["right", "wrong"]]
    shares = [[0.6, 0.4], [0.1, 0.1, 0.8], [0.9, 0.1]]
    answers = [{"choice": row.index(max(row)), "text": "", "probabilities": row} for row in shares]
    examples = Examples({"context": ["first", "second", "third"], "choices": choices}, [1, 0, 0])
    findings = choice_findings(examples, answers, ())
    assert findings.errors == [1, 0]
    calibration, errors = findings.sections
    page = Page(errors.html)
    assert page.is_balanced
    text = " ".join("".join(page.text).split())
    assert "Example 1 · gold choice 0, predicted choice 2 second" in text
    assert "Example 0 · gold choice 1, predicted choice 0 first" in text
    assert "third" not in text
    assert "<b>yes</b> predicted" in text
    assert "x" * 400 + " […]" in text
    assert "x" * 401 not in text
    bars = re.findall(r'<b class="(.*?)">(.*?)</b></span>.*?width="(.*?)"', errors.html)
    assert bars == [
        ("right", "gold", "10.0%"),
        ("wrong", "predicted", "80.0%"),
        ("wrong", "predicted", "60.0%"),
        ("right", "gold", "40.0%"),
    ]
    assert "0.767, and 0.333 are right: it is over-confident" in calibration.html
