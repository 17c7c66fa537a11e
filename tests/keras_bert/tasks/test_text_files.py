import math

import pytest

from keras_bert.errors import InputError
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.registry import task_named


def read(name, directory, split="train"):
    task = task_named(name)
    return task.read(str(directory), split, labels=task.labels(str(directory)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("jsonl", '{"text": "a\u2028b", "label": "x"}\n\n{"text": "c", "label": "y"}\n'),
        ("csv", 'text,label\n"a\u2028b",x\n"c",y\n'),
        ("tsv", "text\tlabel\r\na\u2028b\tx\r\nc\ty\r\n"),
        ("tsv", "\ufefflabel\ttext_a\nx\ta\u2028b\ny\tc\n"),
    ],
)
def test_texts(tmp_path, name, content):
    (tmp_path / f"train.{name}").write_text(content, encoding="utf-8", newline="")
    examples = read("classification", tmp_path)
    assert task_named("classification").labels(str(tmp_path)) == ("x", "y")
    assert (examples.columns, examples.targets) == ({"text": ["a\u2028b", "c"]}, [0, 1])


def test_pairs_and_numbers(tmp_path):
    (tmp_path / "train.csv").write_text('text_a,text_b,score\n"a, b",c,-1.5\n')
    examples = read("regression", tmp_path)
    assert examples.columns == {"text_a": ["a, b"], "text_b": ["c"]}
    assert examples.targets == [-1.5]


def test_several_labels(tmp_path):
    (tmp_path / "train.jsonl").write_text(
        '{"text": "a", "labels": ["y", "x"]}\n{"text": "b", "labels": []}'
    )
    assert read("multi-label", tmp_path).targets == [[1, 0], []]
    (tmp_path / "dev.tsv").write_text("text\tlabels\na\ty, x\nb\t\n")
    task = task_named("multi-label")
    assert task.read(str(tmp_path), "dev", labels=("x", "y")).targets == [[1, 0], []]


def test_a_test_file_may_have_labels_or_not(tmp_path):
    (tmp_path / "train.jsonl").write_text(
        '{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}'
    )
    (tmp_path / "test.jsonl").write_text('{"text": "a"}')
    assert read("classification", tmp_path, "test").targets is None
    (tmp_path / "test.jsonl").write_text('{"text": "a", "label": "y"}')
    assert read("classification", tmp_path, "test").targets == [1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "a", "label": "new"}', "line 1: label 'new'"),
        ('{"text": "a"}', "line 1: field 'label' is missing. Received: text"),
        ('{"text": ["a"], "label": "x"}', "line 1: field 'text' must be"),
        ('{"text": null, "label": "x"}', "line 1: field 'text' must be"),
        ('{"sentence": "a", "label": "x"}', "line 1: field 'text' is missing"),
        ("[1]", "line 1: a JSON object"),
        ("{", "line 1: not JSON"),
        ("\n", "no examples"),
    ],
)
def test_wrong_json_lines(tmp_path, content, message):
    (tmp_path / "dev.jsonl").write_text(content)
    with pytest.raises(InputError, match=message):
        task_named("classification").read(str(tmp_path), "dev", labels=("x", "y"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('text,label\n"never closed,x\nb,y\n', "line 2: unbalanced quotes"),
        ('text,label\na,x\n"b" c,y\n', "line 3: unbalanced quotes"),
        ("text,label\na\n", "line 2: 2 fields expected. Received: 1"),
        ("text,label\na,b,c\n", "line 2: 2 fields expected. Received: 3"),
        ("", "the file is empty"),
    ],
)
def test_wrong_tables(tmp_path, content, message):
    (tmp_path / "dev.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        task_named("classification").read(str(tmp_path), "dev", labels=("x", "y"))


def test_missing_files_and_unknown_tasks(tmp_path):
    with pytest.raises(InputError, match=r"train: no such file with the ending .jsonl, .tsv"):
        read("classification", tmp_path)
    with pytest.raises(InputError, match="task='sst'"):
        task_named("sst")
    (tmp_path / "train.jsonl").write_text('{"text": "a", "label": "x"}')
    with pytest.raises(InputError, match=r"2 different labels or more. Received: x"):
        read("classification", tmp_path)


def test_metrics():
    examples = Examples({"text": list("abc")}, targets=[0, 1, 2])
    answers = [{"label": label} for label in ("x", "y", "y")]
    found = task_named("classification").score(examples, answers, labels=("x", "y", "z"))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)

    examples = Examples({"text": list("ab")}, targets=[[0, 1], []])
    answers = [{"labels": ["x"]}, {"labels": ["y"]}]
    found = task_named("multi-label").score(examples, answers, labels=("x", "y"))
    assert found == {"micro_f1": 0.5, "macro_f1": 0.5, "accuracy": 0.0}

    examples = Examples({"text": list("abc")}, targets=[1.0, 2.0, 4.0])
    found = task_named("regression").score(examples, [{"score": s} for s in (1.0, 3.0, 3.5)])
    assert found["spearman"] == pytest.approx(1)
    assert found["mean_squared_error"] == pytest.approx((0 + 1 + 0.25) / 3)
    assert not math.isnan(found["pearson"])
