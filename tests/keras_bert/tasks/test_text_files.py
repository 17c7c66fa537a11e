import json
import math

import pytest

from keras_bert.errors import InputError
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.file_format import FileFormat
from keras_bert.tasks.registry import task_named


def read(name, directory, split="train", **options):
    task = task_named(name, FileFormat.from_options(**options))
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


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


X, Y = {"text": "a", "label": "x"}, {"text": "b", "label": "y"}
PAIR = {"text_a": "a", "text_b": "b"}


@pytest.mark.parametrize(
    ("task", "name", "content", "rows"),
    [
        ("classification", "csv", "text,label\na,x\nb,\nc,y\nd,  \ne,nan\nf,\u00a0\n", "3 5 6 7"),
        ("classification", "tsv", "text\tlabel\na\tx\nb\t\nc\ty\n", "3"),
        ("classification", "jsonl", lines(X, Y, {"text": "c", "label": None}), "3"),
        (
            "classification",
            "jsonl",
            lines(X, {"text": "c", "label": math.nan}, {"text": "d"}),
            "2 3",
        ),
        ("classification", "jsonl", lines({**PAIR, "label": ""}, {**PAIR, "label": " "}), "1 2"),
        ("multi-label", "jsonl", lines({**X, "labels": ["x"]}, {**X, "labels": None}, X), "2 3"),
        ("multi-label", "csv", "text,labels\na,x\nb,nan\n", "3"),
        ("regression", "csv", "text,score\na,1\nb,\nc,nan\n", "3 4"),
        ("regression", "jsonl", lines({**X, "score": 1}, {**X, "score": math.inf}, X), "2 3"),
        ("sts-embedding", "csv", "text_a,text_b,score\na,b,\na,b,1\na,b,\n", "2 4"),
        ("multiple-choice", "csv", "context,choice0,choice1,label\na,b,c,\na,b,c,0\n", "2"),
        ("sts-b", "tsv", "sentence1\tsentence2\tscore\na\tb\t\na\tb\t1\n", "2"),
        ("sst-2", "tsv", "sentence\tlabel\na\t\nb\t1\nc\t \n", "2 4"),
    ],
)
def test_missing_labels_are_no_class(tmp_path, task, name, content, rows):
    (tmp_path / f"train.{name}").write_text(content)
    with pytest.raises(InputError) as caught:
        read(task, tmp_path)
    message = str(caught.value)
    count = len(content.splitlines()) - (name != "jsonl")
    found = rows.split()
    assert message.startswith(f"{tmp_path / f'train.{name}'}, line {found[0]}: ")
    assert f" {len(found)} of {count} rows ({', '.join(f'line {row}' for row in found)})" in message


def test_many_missing_labels_are_counted(tmp_path):
    (tmp_path / "train.csv").write_text("text,label\n" + "a,\n" * 900 + "a,x\n")
    with pytest.raises(InputError, match=r"line 2: .* 900 of 901 rows .* and 895 more"):
        read("classification", tmp_path)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1, 1.0, "1", "1.0", " 1 ", "1.000"], "1"),
        ([0, -0.0, "0.0", "-0"], "-0 0"),
        (["pos", "pos ", "\u00a0pos", "\tpos", "\ufeffpos", "pos\u200b", "\u3000pos"], "pos"),
        (["caf\u00e9", "cafe\u0301"], "caf\u00e9"),
        ([True, "True", "true", "TRUE", "x"], "TRUE x"),
        (["pos", "Pos"], "Pos pos"),
        (["nan", "None", "NA", "null"], "NA None nan null"),
        (["1.10", "1.1", 2.5], "1.1 1.10 2.5"),
        ([10**20, 1e20, "x"], "100000000000000000000 x"),
    ],
)
def test_spellings_of_one_label(tmp_path, values, labels):
    rows = [{"text": "a", "label": value} for value in [*values, "z"]]
    (tmp_path / "train.jsonl").write_text(lines(*rows))
    task = task_named("classification")
    labels = (*labels.split(), "z")
    assert task.labels(str(tmp_path)) == labels
    targets = task.read(str(tmp_path), "train", labels=labels).targets
    assert set(targets) == set(range(len(labels)))
    # A model of an earlier version, or of other software, may have another spelling.
    older = tuple(f"{label}.0" if label.isdecimal() else f"{label} " for label in labels)
    assert task.read(str(tmp_path), "train", labels=older).targets == targets


def test_labels_of_a_table_and_of_json_agree(tmp_path):
    (tmp_path / "train.csv").write_text("text,label\na,1.0\nb,2.0\nc, 1\n")
    (tmp_path / "dev.jsonl").write_text(lines({"text": "a", "label": 2}, {"text": "b", "label": 1}))
    labels = task_named("classification").labels(str(tmp_path))
    assert labels == ("1", "2")
    task = task_named("classification")
    assert task.read(str(tmp_path), "dev", labels=labels).targets == [1, 0]


def test_labels_that_look_like_one_are_warned_of(tmp_path, caplog):
    (tmp_path / "train.csv").write_text("text,label\na,pos\nb,Pos\nc,0.5\nd,0.50\n")
    assert len(task_named("classification").labels(str(tmp_path))) == 4
    assert [record.args[0] for record in caplog.records] == ["'0.5', '0.50'", "'Pos', 'pos'"]


def test_empty_texts_are_warned_of(tmp_path, caplog):
    (tmp_path / "train.csv").write_text("text,label\n,x\nb,y\n")
    assert read("classification", tmp_path).columns == {"text": ["", "b"]}
    assert "line 2" in caplog.text


@pytest.mark.parametrize(
    ("content", "options", "columns"),
    [
        ("review;stars\na, b;1\nc;2\n", {"text_field": "review"}, {"text": ["a, b", "c"]}),
        (
            "premise,hypothesis,stars\na,c,1\nb,d,2\n",
            {"text_field": "premise,hypothesis"},
            {"text_a": ["a", "b"], "text_b": ["c", "d"]},
        ),
        ("a,1\nb,2\n", {"columns": "text,stars"}, {"text": ["a", "b"]}),
        ("1^a\n2^b\n", {"columns": "stars,text", "delimiter": "^"}, {"text": ["a", "b"]}),
    ],
)
def test_fields_by_other_names(tmp_path, content, options, columns):
    (tmp_path / "train.csv").write_text(content)
    examples = read("classification", tmp_path, label_field="stars", **options)
    assert (examples.columns, examples.targets) == (columns, [0, 1])


def test_names_of_numbers(tmp_path):
    rows = [{"text": "a", "label": value} for value in (0, "1", 1.0, "pos ", "neg")]
    (tmp_path / "train.jsonl").write_text(lines(*rows))
    examples = read("classification", tmp_path, labels="neg,pos")
    assert examples.targets == [0, 1, 1, 1, 0]
    rows = [{"text": "a", "labels": value} for value in ([0, 1], ["pos"], [])]
    (tmp_path / "train.jsonl").write_text(lines(*rows))
    assert read("multi-label", tmp_path, labels="neg,pos").targets == [[0, 1], [1], []]
    (tmp_path / "train.jsonl").write_text(lines({"text": "a", "label": 2}))
    with pytest.raises(InputError, match=r"line 1: label '2' is not one of neg, pos"):
        read("classification", tmp_path, labels="neg,pos")


@pytest.mark.parametrize(
    ("content", "options", "messages"),
    [
        ("sentence,target\na,x\n", {}, ("label", "sentence, target", "--label-field")),
        ("sentence,label\na,x\nb,y\n", {}, ("text", "sentence, label", "--text-field")),
        ("good,pos\nbad,neg\n", {}, ("good, pos", "--columns")),
        ("text,label\na,x\nb,y\n", {"text_field": "txt"}, ("'txt'", "text, label")),
        ("text,label\na,x\nb,y\n", {"text_field": "a,b,c"}, ("--text-field", "a, b, c")),
        ("text,label\n", {}, ("no examples",)),
        ("text,label\nnan,x\nb,y\n", {}, ("line 2", "'text'")),
    ],
)
def test_refusals_name_the_way_on(tmp_path, content, options, messages):
    (tmp_path / "train.csv").write_text(content)
    with pytest.raises(InputError) as caught:
        read("classification", tmp_path, **options)
    for message in messages:
        assert message in str(caught.value)


def test_options_that_have_no_use_for_a_task():
    for name, options in (
        ("squad-1.1", {"delimiter": ";"}),
        ("mrpc", {"text_field": "a"}),
        ("classification", {"strict": True}),
        ("regression", {"labels": "a,b"}),
        ("swag", {"label_field": "a"}),
        ("multi-label", {"tag_scheme": "bio"}),
    ):
        ((option, _),) = options.items()
        with pytest.raises(InputError, match=f"--{option.replace('_', '-')}.*{name}"):
            task_named(name, FileFormat.from_options(**options))


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
