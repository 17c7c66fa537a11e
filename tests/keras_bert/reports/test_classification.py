import re

import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score

from keras_bert.reports.classification import class_findings, label_findings
from keras_bert.tasks.examples import Examples
from tests.page_parser import Page

HOSTILE = "<script>alert(1)</script> \u202eright to left\u202c שלום \x07"


def answer(shares, labels):
    probabilities = dict(zip(labels, shares, strict=True))
    return {"label": max(probabilities, key=probabilities.get), "probabilities": probabilities}


def page_of(findings):
    page = Page("\n".join(section.html for section in findings.sections))
    assert page.is_balanced
    assert "script" not in page.tags
    return page


def html_of(findings, title):
    return next(section.html for section in findings.sections if section.title == title)


def shown(html):
    """The numbers of the examples that are shown as errors."""
    return [int(number) for number in re.findall(r"Example (\d+)", html)]


@pytest.fixture
def three_classes():
    labels = ("bad", "<so so>", "good")
    shares = [(0.7, 0.2, 0.1), (0.1, 0.8, 0.1), (0.6, 0.3, 0.1), (0.05, 0.05, 0.9), (0.2, 0.3, 0.5)]
    examples = Examples(
        {"text": [HOSTILE, "b", "c", "d" * 5000, "e"]}, targets=[0, 0, 1, 0, 2], ids=list("vwxyz")
    )
    return examples, [answer(row, labels) for row in shares], labels


def test_worst_errors_come_first(three_classes):
    findings = class_findings(*three_classes)
    assert findings.errors == [3, 1, 2]
    html = html_of(findings, "Worst errors")
    assert shown(html) == [3, 1, 2]
    text = " ".join("".join(page_of(findings).text).split())
    assert "3 of 5 examples" in text
    assert "Example 3 (y) · gold bad, predicted good" in text
    assert "d" * 800 + " […]" in text
    assert "d" * 801 not in text
    assert 'width="90.0%"' in html


def test_tables_count_classes_and_confusions(three_classes):
    findings = class_findings(*three_classes)
    cells = re.findall(
        r'<td class="number (?:right|wrong)-\d+">(\d+)<small>', html_of(findings, "Confusion")
    )
    assert list(map(int, cells)) == [1, 1, 1, 1, 0, 0, 0, 0, 1]
    rows = re.findall(r"<td><bdi>(.*?)</bdi></td>((?:<td.*?</td>)*)", html_of(findings, "Classes"))
    numbers = {name: re.findall(r">([\d.]+)<", cells) for name, cells in rows}
    assert numbers["bad"] == ["3", "2", "0.5000", "0.3333", "0.4000"]
    assert numbers["&lt;so so&gt;"] == ["1", "1", "0.0000", "0.0000", "0.0000"]
    targets, found = [0, 0, 1, 0, 2], [0, 1, 0, 2, 2]
    assert float(numbers["good"][2]) == precision_score(targets, found, labels=[2], average="macro")
    assert float(numbers["good"][3]) == recall_score(targets, found, labels=[2], average="macro")


def test_texts_are_text(three_classes):
    examples, answers, labels = three_classes
    findings = class_findings(
        Examples(examples.columns, [2, *examples.targets[1:]], examples.ids), answers, labels
    )
    text = "".join(page_of(findings).text)
    assert "<script>alert(1)</script> \u202eright" in text
    assert "\u2407" in text
    assert "\x07" not in text
    assert "<so so>" in text


def test_a_model_without_errors(three_classes):
    examples, answers, labels = three_classes
    targets = [labels.index(a["label"]) for a in answers]
    findings = class_findings(Examples(examples.columns, targets), answers, labels)
    assert findings.errors == []
    assert html_of(findings, "Worst errors") == "<p>None.</p>"
    assert "Most frequent confusions" not in html_of(findings, "Confusion")


def test_many_classes_and_many_errors_stay_a_small_page():
    labels = tuple(f"class {i}" for i in range(150))
    random = np.random.default_rng(0)
    answers = [answer(random.dirichlet(np.ones(150)).tolist(), labels) for _ in range(300)]
    targets = random.integers(0, 150, 300).tolist()
    examples = Examples({"text_a": ["a" * 10_000] * 300, "text_b": ["b"] * 300}, targets)
    findings = class_findings(examples, answers, labels)
    assert len(findings.errors) > 250
    assert len(shown(html_of(findings, "Worst errors"))) == 50
    confusion = Page(html_of(findings, "Confusion"))
    assert confusion.tags["img"] == 1
    assert sum(len(section.html) for section in findings.sections) < 400_000
    bars = html_of(findings, "Worst errors").count('class="track"')
    assert bars == 50 * 6
    # Right and chosen ones are among them.
    assert html_of(findings, "Worst errors").count('<b class="right">gold') == 50


def test_labels_that_are_missing_or_too_many():
    labels = ("a", "b", "c")
    shares = [(0.9, 0.2, 0.1), (0.6, 0.7, 0.4), (0.2, 0.02, 0.1), (0.9, 0.1, 0.2)]
    answers = [
        {
            "labels": [name for name, share in zip(labels, row, strict=True) if share >= 0.5],
            "probabilities": dict(zip(labels, row, strict=True)),
        }
        for row in shares
    ]
    examples = Examples({"text": ["one", "two", "three", "four"]}, [[0], [0, 2], [1], []])
    findings = label_findings(examples, answers, labels)
    # Sure by 0.98 that b is missing, by 0.9 of a, by 0.7 of b.
    assert findings.errors == [2, 3, 1]
    text = " ".join("".join(page_of(findings).text).split())
    assert "Example 2 · missing b three" in text
    assert "Example 3 · too many a four" in text
    assert "Example 1 · missing c; too many b two" in text
    rows = re.findall(r"<td><bdi>(.)</bdi></td>((?:<td.*?</td>)*)", html_of(findings, "Labels"))
    numbers = {name: re.findall(r">([\d.]+)<", cells) for name, cells in rows}
    assert numbers["a"] == ["2", "3", "0.6667", "1.0000", "0.8000"]
    assert numbers["c"] == ["1", "0", "0.0000", "0.0000", "0.0000"]
