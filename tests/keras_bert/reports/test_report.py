"""The whole page, and the command that writes it."""

import re

import numpy as np
import pytest

from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.reports.report import _INSPECTORS, report
from keras_bert.tasks.classification import ClassPredictor
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.registry import TASKS
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.training.evaluate import evaluate
from keras_bert.training.options import EvaluateOptions
from tests.page_parser import Page, check_alone, check_strict

LABELS = ("<bad>", "good")
TEXTS = ["the cat", "<script>a dog</script> \ud800", "\u202e was \x00", "", "able " * 3000]


@pytest.fixture(scope="module")
def predictor(tiny_config, vocabulary):
    tokenizer = BertTokenizer(vocabulary, sequence_length=16)
    return ClassPredictor(BertClassifier(tiny_config, labels=LABELS), tokenizer)


def answers_of(classes):
    return [
        {"label": LABELS[c], "probabilities": {LABELS[c]: 0.6 + 0.01 * i, LABELS[1 - c]: 0.4}}
        for i, c in enumerate(classes)
    ]


def page_of(predictor, classes, **options):
    examples = Examples({"text": TEXTS}, [0, 1, 0, 1, 0])
    return report(
        "<title> & co",
        predictor,
        examples,
        answers_of(classes),
        scores={"accuracy": 0.25, "total": 5},
        facts={"model": "</table>"},
        **options,
    )


def test_every_family_that_has_a_task_has_a_report():
    assert set(_INSPECTORS) == {task.family.name for task in TASKS.values()}


def test_the_page_is_whole(predictor):
    html = page_of(predictor, [0, 0, 1, 1, 1])
    page = check_alone(html)
    html.encode("utf-8")
    assert "http" not in re.sub(r"base64,[^\"]*", "", html)
    assert all(page.values("alt"))
    assert len(page.values("alt")) == page.tags["img"]
    assert html.count("<h2 ") == html.count('<a href="#part-') == 7
    text = " ".join("".join(page.text).split())
    assert "<title> & co 5 examples" in text
    assert "accuracy0.2500total5" in text.replace(" ", "")
    assert "</table>" in text
    assert "<script>a dog</script>" in text
    assert len(html) < 500_000


def test_attention_is_that_of_the_worst_error_or_of_the_one_asked_for(predictor):
    html = page_of(predictor, [0, 0, 1, 1, 0])
    assert "Attention in example 2, the first of those above" in html
    html = page_of(predictor, [0, 0, 1, 1, 0], attention_example=0)
    assert "Attention in example 0." in html
    labels = re.findall(r'text-anchor="end">(.*?)<', html)
    assert labels == ["[CLS]", "the", "cat", "[SEP]"]
    # Without errors there is still something to look at.
    assert "Attention in example 0" in page_of(predictor, [0, 1, 0, 1, 0])


def test_evaluate_writes_the_page(predictor, tmp_path, capsys):
    rows = "".join(
        f"{text}\t{label}\n" for text, label in (("the cat", "good"), ("a dog", "<bad>"))
    )
    for split in ("train", "dev"):
        (tmp_path / f"{split}.tsv").write_text(f"text\tlabel\n{rows}")
    (tmp_path / "test.tsv").write_text("text\nthe cat\n")
    model = tmp_path / "model"
    predictor.model.save_checkpoint(model, tokenizer=predictor.tokenizer)

    def options(**changes):
        values = {"task": "classification", "data": str(tmp_path), "model": str(model)}
        path = str(tmp_path / "pages" / "report.html")
        return EvaluateOptions(**{**values, "report": path, **changes})

    metrics = evaluate(options(attention_example=1))
    html = (tmp_path / "pages" / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert page.is_balanced
    text = " ".join("".join(page.text).split())
    assert "classification, dev" in text
    assert f"{metrics['accuracy']:.4f}" in text
    assert "Attention in example 1." in text
    assert str(model) in text
    assert np.isfinite(metrics["accuracy"])
    check_alone(html)
    evaluate(options(page="files", report=str(tmp_path / "strict" / "report.html")))
    strict = check_strict(tmp_path / "strict" / "report.html")
    assert strict.tags["image"] == page.tags["image"] > 0
    assert strict.tags["img"] == page.tags["img"] > 0
    (tmp_path / "r_files").touch()
    for changes, message in (
        ({"page": "files", "report": None}, "no `--report`, so `--page`"),
        ({"page": "files", "report": str(tmp_path / "r.html")}, "r_files, a file"),
        ({"attention_example": 2}, "below 2, the number of examples. Received: 2"),
        ({"attention_example": -1}, "at least 0. Received: -1"),
        ({"attention_example": 1, "report": None}, "no `--report`, so `--attention-example`"),
        ({"split": "test", "predictions": str(tmp_path / "p")}, "has no labels"),
        (
            {"report": str(tmp_path / "dev.tsv" / "report.html")},
            "`--report` must be in a directory",
        ),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            evaluate(options(**changes))
    capsys.readouterr()


def test_a_page_shows_one_split(predictor, tmp_path):
    options = EvaluateOptions(
        task="mnli", data=str(tmp_path), model=str(tmp_path), report=str(tmp_path / "report.html")
    )
    predictor.model.save_checkpoint(tmp_path, tokenizer=predictor.tokenizer)
    with pytest.raises(InputError, match="`--report` needs one --split of dev_matched, dev_mis"):
        evaluate(options)
