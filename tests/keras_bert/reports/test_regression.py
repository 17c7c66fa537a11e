import numpy as np
import pytest

from keras_bert.reports.regression import score_findings, similarity_findings
from keras_bert.tasks.examples import Examples
from tests.page_parser import Page


def test_scores_farthest_off_come_first():
    examples = Examples({"text": ["<one>", "two", "three"]}, [1.0, 2.0, 3.0])
    answers = [{"score": 1.5}, {"score": -1.0}, {"score": 3.25}]
    findings = score_findings(examples, answers, ())
    assert findings.errors == [1, 0, 2]
    scores, errors = findings.sections
    page = Page(scores.html + errors.html)
    assert page.is_balanced
    text = " ".join("".join(page.text).split())
    difference = np.array([0.5, -3, 0.25])
    assert f"Mean absolute error {np.abs(difference).mean():.4f}" in text
    assert f"{np.sqrt((difference**2).mean()):.4f}, mean" in text
    assert f"{difference.mean():+.4f}." in text
    assert "Example 1 · gold 2.000, predicted -1.000 two" in text
    assert "All 3 examples" in text
    assert "<one>" in text
    assert page.tags["img"] == 1


def test_similarities_farthest_off_in_their_order_come_first():
    gold = [0.1, 0.2, 0.3, 0.4]
    examples = Examples({"text_a": list("abcd"), "text_b": list("efgh")}, gold)
    # The last one has the right value, but the lowest rank.
    answers = [{"similarity": value} for value in (0.7, 0.8, 0.9, 0.4)]
    findings = similarity_findings(examples, answers, ())
    assert findings.errors[0] == 3
    text = " ".join("".join(Page(findings.sections[1].html).text).split())
    assert "gold 0.400, above 100% of the others, cosine 0.400, above 0% of the others" in text
    assert "text_a d text_b h" in text


@pytest.mark.parametrize("count", [1, 600])
def test_any_number_of_pairs(count):
    values = np.linspace(0, 1, count).tolist()
    examples = Examples({"text_a": ["a"] * count, "text_b": ["b"] * count}, values)
    answers = [{"similarity": value} for value in values]
    findings = similarity_findings(examples, answers, ())
    assert len(findings.errors) == count
    assert findings.sections[1].html.count('class="sample"') == min(count, 50)
