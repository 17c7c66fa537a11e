import gzip

import pytest

from keras_bert.errors import InputError
from keras_bert.tasks.registry import TASKS, task_named

SST2 = 'sentence\tlabel\na "good" film\t1\nbad\t0\n'
MRPC = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tone text\tits twin\n"


def test_glue_files(tmp_path):
    (tmp_path / "train.tsv").write_text(SST2)
    (tmp_path / "test.tsv").write_text("index\tsentence\n0\tfine\n")
    task = task_named("sst-2")
    labels = task.labels(tmp_path)
    examples = task.read(tmp_path, "train", labels=labels)
    assert labels == ("negative", "positive")
    assert (examples.first, examples.labels) == (['a "good" film', "bad"], [1, 0])
    assert examples.second is None
    assert task.read(tmp_path, "test", labels=labels).labels is None


def test_pairs_and_gzip(tmp_path):
    (tmp_path / "dev.tsv.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + MRPC.encode()))
    task = task_named("mrpc")
    examples = task.read(tmp_path, "dev", labels=task.labels(tmp_path))
    assert examples.texts == (["one text"], ["its twin"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("jsonl", '{"text": "a\u2028b", "label": "x"}\n\n{"text": "c", "label": "y"}\n'),
        ("csv", 'text,label\n"a\u2028b",x\n"c",y\n'),
        ("tsv", "text\tlabel\r\na\u2028b\tx\r\nc\ty\r\n"),
    ],
)
def test_files_with_labels_of_ones_own(tmp_path, name, content):
    (tmp_path / f"train.{name}").write_text(content, encoding="utf-8", newline="")
    task = task_named("classification")
    examples = task.read(tmp_path, "train", labels=task.labels(tmp_path))
    assert task.labels(tmp_path) == ("x", "y")
    assert (examples.first, examples.labels) == (["a\u2028b", "c"], [0, 1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("sentence\tlabel\nfilm\t2\n", r"line 2: label '2' is not one of 0, 1"),
        ("sentence\tlabel\nfilm\n", "line 2: 2 fields expected. Received: 1"),
        ("text\tlabel\nfilm\t1\n", "line 2: field 'sentence' is missing"),
        ("", "empty"),
        ("sentence\tlabel\n", "no examples"),
        (b"sentence\tlabel\nfil\xffm\t1\n", "line 2: the file must be UTF-8"),
    ],
)
def test_wrong_glue_files(tmp_path, content, message):
    path = tmp_path / "dev.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    task = task_named("sst-2")
    with pytest.raises(InputError, match=message) as caught:
        task.read(tmp_path, "dev", labels=task.labels(tmp_path))
    assert "dev.tsv" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "a", "label": "new"}', "line 1: label 'new'"),
        ('{"text": "a"}', "line 1: field 'label'"),
        ('{"text": ["a"], "label": "x"}', "line 1: field 'text' must be"),
        ("[1]", "line 1: a JSON object"),
        ("{", "line 1: not JSON"),
    ],
)
def test_wrong_json_lines(tmp_path, content, message):
    (tmp_path / "dev.jsonl").write_text(content)
    with pytest.raises(InputError, match=message):
        task_named("classification").read(tmp_path, "dev", labels=("x", "y"))


def test_missing_files_and_unknown_tasks(tmp_path):
    with pytest.raises(InputError, match=r"train\.tsv"):
        task_named("sst-2").read(tmp_path, "train", labels=("negative", "positive"))
    with pytest.raises(InputError, match="train"):
        task_named("classification").labels(tmp_path)
    with pytest.raises(InputError, match="task='sst'"):
        task_named("sst")
    with pytest.raises(InputError, match="labels"):
        task_named("sst-2").read(tmp_path, "dev", labels=("a", "b"))


def test_metrics():
    scores = TASKS["mrpc"].score([1, 1, 0, 0], [1, 0, 1, 0])
    assert scores == {"accuracy": 0.5, "f1": 0.5}
    assert TASKS["sst-2"].score([1, 0], [1, 1]) == {"accuracy": 0.5}
    macro = TASKS["classification"].score([0, 1, 2], [0, 1, 1])
    assert macro["accuracy"] == pytest.approx(2 / 3)
    assert macro["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
