import gzip
import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_bert.errors import InputError
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.registry import task_named
from keras_bert.tasks.scores import accuracy_and_f1, correlations, matthews

# A few lines as GLUE's files have them: header, row, row of the test file.
PAIRS = 'index\tsentence1\tsentence2\tlabel\n0\tone "text\tits twin\t{}\n'
FILES = {
    "cola": ("gj04\t0\t*\tHe them saw.\ngj04\t1\t\tHe saw them.\n", [0, 1]),
    "sst-2": ('sentence\tlabel\na "good film\t1\nbad\t0\n', [1, 0]),
    "mrpc": ("Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t1\t2\tone text\tits twin\n", [1]),
    "sts-b": ("index\tsentence1\tsentence2\tscore\n0\ta\tb\t2.500\n", [2.5]),
    "qqp": (
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
        "1\t2\t3\tWhy?\tWhy not?\t0\n4\t5\tbroken\n6\t7\t8\tHow?\tHow so?\t1\n",
        [0, 1],
    ),
    "mnli": ("index\tsentence1\tsentence2\tgold_label\n0\ta\tb\tneutral\n", [2]),
    "qnli": ("index\tquestion\tsentence\tlabel\n0\tq?\ts.\tnot_entailment\n", [1]),
    "rte": (PAIRS.format("entailment"), [0]),
    "wnli": (PAIRS.format("1"), [1]),
}


def read(name, directory, split="train"):
    task = task_named(name)
    return task.read(str(directory), split, labels=task.labels(str(directory)))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("form", ["plain", "gzip", "mark and CRLF"])
def test_original_files(tmp_path, name, form):
    content, targets = FILES[name]
    data = content.encode()
    if form == "gzip":
        (tmp_path / "train.tsv.gz").write_bytes(gzip.compress(data))
    else:
        if form != "plain":
            data = b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")
        (tmp_path / "train.tsv").write_bytes(data)
    examples = read(name, tmp_path)
    assert examples.targets == targets
    assert set(map(len, examples.columns.values())) == {len(targets)}


def test_columns_and_quotes_as_they_are(tmp_path):
    (tmp_path / "train.tsv").write_text(FILES["rte"][0])
    examples = read("rte", tmp_path)
    assert examples.columns == {"text_a": ['one "text'], "text_b": ["its twin"]}


def test_test_files_have_no_labels(tmp_path):
    (tmp_path / "test.tsv").write_text("index\tsentence\n0\tfine\n")
    for name in ("cola", "sst-2"):
        examples = read(name, tmp_path, "test")
        assert (examples.columns, examples.targets) == ({"text": ["fine"]}, None)
    (tmp_path / "diagnostic.tsv").write_text("index\tsentence1\tsentence2\n0\ta\tb\n")
    assert len(read("ax", tmp_path, "test")) == 1


def test_rows_of_too_few_fields_in_qqp_are_left_out_and_counted(tmp_path, caplog):
    (tmp_path / "train.tsv").write_text(FILES["qqp"][0])
    read("qqp", tmp_path)
    assert "1 rows of too few fields" in caplog.text


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
def test_wrong_files(tmp_path, content, message):
    path = tmp_path / "dev.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        read("sst-2", tmp_path, "dev")
    assert str(tmp_path) in str(caught.value)


def test_scores_that_are_no_numbers(tmp_path):
    for score in ("high", "nan", "inf", ""):
        (tmp_path / "dev.tsv").write_text(FILES["sts-b"][0].replace("2.500", score))
        with pytest.raises(InputError, match="line 2: field 'score' must be a number"):
            read("sts-b", tmp_path, "dev")


def test_labels_of_another_model(tmp_path):
    with pytest.raises(InputError, match="labels"):
        task_named("sst-2").read(str(tmp_path), "dev", labels=("a", "b"))


def classes(*names):
    return [{"label": name} for name in names]


def test_metrics():
    examples = Examples({"text": list("abcd")}, targets=[1, 1, 0, 0])
    labels = task_named("mrpc").labels("")
    yes, no = "equivalent", "not_equivalent"
    answers = classes(yes, no, yes, no)
    assert task_named("mrpc").score(examples, answers, labels=labels) == {
        "accuracy": 0.5,
        "f1": 0.5,
    }
    labels = task_named("cola").labels("")
    answers = classes("acceptable", "acceptable", "unacceptable", "acceptable")
    # (tp tn - fp fn) / sqrt(...) with 2, 1, 1, 0.
    expected = (2 * 1 - 1 * 0) / (3 * 2 * 2 * 1) ** 0.5
    found = task_named("cola").score(examples, answers, labels=labels)
    assert found == {"matthews": pytest.approx(expected), "accuracy": 0.75}
    one_class = task_named("cola").score(examples, classes(*["acceptable"] * 4), labels=labels)
    assert one_class["matthews"] == 0
    numbers = Examples({"text": list("abcd")}, targets=[0.0, 1.0, 2.0, 5.0])
    answers = [{"score": score} for score in (1.0, 2.0, 3.0, 4.0)]
    found = task_named("sts-b").score(numbers, answers)
    assert found["spearman"] == pytest.approx(1)
    assert found["pearson"] == pytest.approx(8 / (5 * 14) ** 0.5)
    flat = task_named("sts-b").score(numbers, [{"score": 1.0}] * 4)
    assert flat == {"pearson": 0.0, "spearman": 0.0}


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40))
def test_metrics_of_classes_are_their_formulas(pairs):
    targets, predictions = zip(*pairs, strict=True)
    counts = Counter(pairs)
    both, missed, wrong, neither = (counts[pair] for pair in ((1, 1), (1, 0), (0, 1), (0, 0)))
    found = accuracy_and_f1(targets, predictions)
    assert found["accuracy"] == pytest.approx((both + neither) / len(pairs))
    share = 2 * both + missed + wrong
    assert found["f1"] == pytest.approx(2 * both / share if share else 0)
    sizes = (both + missed) * (both + wrong) * (neither + missed) * (neither + wrong)
    expected = (both * neither - missed * wrong) / math.sqrt(sizes) if sizes else 0
    assert matthews(targets, predictions)["matthews"] == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3)), min_size=2, max_size=30))
def test_correlations_are_their_formulas(pairs):
    """With many ties, which share the mean of their ranks."""
    columns = np.array(pairs, float).T

    def ranks(values):
        below, same = (values[:, None] > values).sum(1), (values[:, None] == values).sum(1)
        return below + (same + 1) / 2

    def correlation(one, other):
        one, other = one - one.mean(), other - other.mean()
        scale = math.sqrt((one @ one) * (other @ other))
        return one @ other / scale if scale else 0

    found = correlations(*columns.tolist())
    assert found["pearson"] == pytest.approx(correlation(*columns), abs=1e-9)
    assert found["spearman"] == pytest.approx(correlation(*map(ranks, columns)), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "answers", "lines"),
    [
        ("cola", classes("acceptable", "unacceptable"), ["0\t1", "1\t0"]),
        ("rte", classes("entailment", "not_entailment"), ["0\tentailment", "1\tnot_entailment"]),
        ("sts-b", [{"score": -0.2}, {"score": 3.14159}], ["0\t0.000", "1\t3.142"]),
    ],
)
def test_submission_files(tmp_path, name, answers, lines):
    examples = Examples({"text": ["a", "b"]})
    task_named(name).write_predictions(tmp_path / "out.tsv", examples, answers)
    assert (tmp_path / "out.tsv").read_text().splitlines() == ["index\tprediction", *lines]


def test_predictions_without_a_judge_are_json_lines(tmp_path):
    task = task_named("classification")
    task.write_predictions(tmp_path / "out.jsonl", Examples({"text": ["a"]}), classes("x"))
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {"id": "0", "label": "x"}
