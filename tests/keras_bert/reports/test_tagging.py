import re

import pytest

from keras_bert.reports.tagging import entity_findings, errors_of
from keras_bert.tasks.examples import Examples
from tests.page_parser import Page

LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def answer(words, tags, scores):
    entities = [{"score": score} for score in scores]
    return {"tokens": words, "tags": tags.split(), "entities": entities}


def findings_of(*sentences):
    """From pairs of gold tags and predicted ones with the entities' scores."""
    words = [[f"w{i}" for i in range(len(gold.split()))] for gold, _, _ in sentences]
    targets = [[LABELS.index(tag) for tag in gold.split()] for gold, _, _ in sentences]
    answers = [
        answer(own, tags, scores) for own, (_, tags, scores) in zip(words, sentences, strict=True)
    ]
    return entity_findings(Examples({"words": words}, targets), answers, LABELS)


def section(findings, title):
    return next(section.html for section in findings.sections if section.title == title)


@pytest.mark.parametrize(
    ("gold", "found", "errors"),
    [
        ([("PER", 0, 1)], [("PER", 0, 1)], []),
        ([("PER", 0, 1)], [("LOC", 0, 1)], ["wrong type"]),
        ([("PER", 0, 1)], [("PER", 1, 1)], ["wrong boundary"]),
        ([("PER", 0, 1)], [("PER", 0, 0), ("PER", 1, 1)], ["wrong boundary"] * 2),
        ([("PER", 0, 1)], [("LOC", 1, 3)], ["wrong boundary and type"]),
        ([("PER", 0, 1)], [("PER", 2, 2)], ["invented", "missed"]),
        ([("PER", 0, 1)], [], ["missed"]),
        ([], [("LOC", 1, 3)], ["invented"]),
        ([("PER", 0, 0), ("LOC", 1, 1)], [("PER", 0, 1)], ["wrong boundary"]),
    ],
)
def test_kinds_of_errors(gold, found, errors):
    assert errors_of(gold, found) == errors


def test_sentences_with_both_rows_of_entities():
    findings = findings_of(
        ("O O O", "O O O", []),
        ("B-PER I-PER O B-LOC", "B-PER O O B-LOC", [0.6, 0.9]),
        ("O B-LOC O", "O O O", []),
        ("O O B-PER", "B-LOC O B-PER", [0.8, 0.99]),
    )
    assert findings.errors == [3, 1, 2]
    html = section(findings, "Worst sentences")
    page = Page(html)
    assert page.is_balanced
    rows = re.findall(r'<span class="field">(.*?)</span> (.*?)</p>', html)
    assert [name for name, _ in rows] == ["gold", "predicted"] * 3
    marks = [re.findall('<mark class="(.*?)">(.*?)</mark><small>(.*?)<', row) for _, row in rows]
    assert marks == [
        [("type-1", "w2", "PER")],
        [("type-0 differs", "w0", "LOC"), ("type-1", "w2", "PER")],
        [("type-1 differs", "w0 w1", "PER"), ("type-0", "w3", "LOC")],
        [("type-1 differs", "w0", "PER"), ("type-0", "w3", "LOC")],
        [("type-0 differs", "w1", "LOC")],
        [],
    ]
    text = " ".join("".join(page.text).split())
    assert "3 of 4 examples" in text
    assert "Example 1 · 1 wrong boundary" in text
    assert "Example 2 · 1 missed" in text


def test_tables_of_types_and_errors():
    findings = findings_of(
        ("B-PER O B-LOC", "B-PER O B-PER", [0.9, 0.9]), ("B-PER I-PER", "B-PER I-PER", [0.9])
    )
    html = section(findings, "Types of entities")
    rows = re.findall(r"<td><bdi>(.*?)</bdi></td>((?:<td.*?</td>)*)", html)
    numbers = {name: re.findall(r">([\d.]*)</td>", cells) for name, cells in rows}
    assert numbers["PER"] == ["2", "3", "0.6667", "1.0000", "0.8000"]
    assert numbers["LOC"] == ["1", "0", "0.0000", "0.0000", "0.0000"]
    assert numbers["micro average"] == ["3", "3", "0.6667", "0.6667", "0.6667"]
    assert numbers["macro average"] == ["3", "", "0.3333", "0.5000", "0.4000"]
    kinds = section(findings, "Kinds of errors")
    assert re.findall(r"<td>(wrong type|invented|missed)</td><td .*?>(\d+)<", kinds) == [
        ("wrong type", "1")
    ]


def test_words_are_text_and_sentences_without_words_do_no_harm():
    words = ["<script>", "שלום", "\x00"]
    answers = [answer(words, "B-LOC O O", [0.5]), answer([], "", [])]
    findings = entity_findings(Examples({"words": [words, []]}, [[0, 1, 2], []]), answers, LABELS)
    page = Page(section(findings, "Worst sentences"))
    assert page.is_balanced
    assert "script" not in page.tags
    assert "<script>" in "".join(page.text)
    assert findings.errors == [0]


def test_nothing_wrong():
    findings = findings_of(("O B-PER", "O B-PER", [0.9]))
    assert findings.errors == []
    assert section(findings, "Kinds of errors") == "<p>None.</p>"
