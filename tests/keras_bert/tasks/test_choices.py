"""Files of multiple choice."""

import gzip
import json
import os
from pathlib import Path

import pytest

from keras_bert.errors import InputError
from keras_bert.tasks.choices import C3, CODAH, DREAM, MULTIPLE_CHOICE, SWAG
from keras_bert.tasks.examples import Examples

SHARED_DATA = os.environ.get("KERAS_BERT_SHARED_DATA")

SWAG_HEADER = (
    ",video-id,fold-ind,startphrase,sent1,sent2,gold-source,ending0,ending1,ending2,ending3"
)
SWAG_ROW = '0,lsmdc,1,He ran. He,"He ran, ""fast"".",He,gold,fell.,"sat, then lay.",sang.,flew.'
QUESTION = {"question": "Where?", "choice": ["here", "there", "away"], "answer": "there"}


def write(path, text):
    path.write_text(text, encoding="utf-8", newline="")


def test_swag(tmp_path):
    write(tmp_path / "val.csv", f"\ufeff{SWAG_HEADER},label\r\n{SWAG_ROW},2\r\n")
    write(tmp_path / "test.csv", f"{SWAG_HEADER}\n{SWAG_ROW}\n")
    examples = SWAG.read(tmp_path, "dev")
    endings = ["He fell.", "He sat, then lay.", "He sang.", "He flew."]
    columns = {"context": ['He ran, "fast".'], "choices": [endings]}
    assert examples == Examples(columns, [2])
    assert SWAG.read(tmp_path, "test") == Examples(columns)


def test_codah(tmp_path):
    write(tmp_path / "train.tsv", 'i\tHe says "Go.\ta\tb\tc\td\t3\n\tShe\te\tf\tg\th\t0\n')
    examples = CODAH.read(tmp_path, "train")
    assert examples.columns["context"] == ['He says "Go.', "She"]
    assert examples.columns["choices"] == [["a", "b", "c", "d"], ["e", "f", "g", "h"]]
    assert examples.targets == [3, 0]


def test_dialogues(tmp_path):
    other = {"question": "为什么?", "choice": ["冷", "热"], "answer": "冷"}
    documents = [[["M: Hi.", "W: Go there."], [QUESTION, other], "7"]]
    (tmp_path / "dev.json.gz").write_bytes(gzip.compress(json.dumps(documents).encode()))
    examples = DREAM.read(tmp_path, "dev")
    assert examples.columns["context"] == ["M: Hi.\nW: Go there."] * 2
    assert examples.columns["choices"] == [
        ["Where? here", "Where? there", "Where? away"],
        ["为什么? 冷", "为什么? 热"],
    ]
    assert (examples.targets, examples.ids) == ([1, 0], ["7-0", "7-1"])
    # C3 has dialogues in one file and texts in another.
    for part, name in (("d", "1"), ("m", "2")):
        write(tmp_path / f"c3-{part}-test.json", json.dumps([[["text"], [QUESTION], name]]))
    assert C3.read(tmp_path, "test").ids == ["1-0", "2-0"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "train.jsonl",
            '{"context": "a", "choices": ["b", "c,"], "label": 1}\n'
            '{"context": "d", "choices": ["e", "f", "g"], "label": "0"}\n',
        ),
        ("train.csv", 'context,choice0,choice1,choice2,label\r\na,b,"c,",,1\r\nd,e,f,g,0\r\n'),
        (
            "train.tsv",
            "\ufeffcontext\tchoice0\tchoice1\tchoice2\tlabel\na\tb\tc,\t\t1\nd\te\tf\tg\t0",
        ),
    ],
)
def test_files_of_ones_own(tmp_path, name, content):
    write(tmp_path / name, content)
    examples = MULTIPLE_CHOICE.read(tmp_path, "train")
    columns = {"context": ["a", "d"], "choices": [["b", "c,"], ["e", "f", "g"]]}
    assert examples == Examples(columns, [1, 0])


def test_scores_and_predictions(tmp_path):
    examples = Examples({"context": ["a", "b"], "choices": [["c", "d"]] * 2}, [1, 0], ["x", "y"])
    answers = [{"choice": 1, "text": "d"}, {"choice": 1, "text": "d"}]
    assert SWAG.score(examples, answers) == {"accuracy": 0.5}
    SWAG.write_predictions(tmp_path / "answers.csv", examples, answers)
    assert (tmp_path / "answers.csv").read_text() == "id,choice\nx,1\ny,1\n"


@pytest.mark.parametrize(
    ("task", "name", "content", "message"),
    [
        (SWAG, "train.csv", "", "empty"),
        (SWAG, "train.csv", f"{SWAG_HEADER},label\n", "no examples"),
        (SWAG, "train.csv", f"{SWAG_HEADER}\n{SWAG_ROW}\n", "line 2: the label is missing"),
        (SWAG, "train.csv", f"{SWAG_HEADER},label\n{SWAG_ROW},4\n", "line 2: .* Received: 4"),
        (SWAG, "train.csv", f"{SWAG_HEADER},label\n{SWAG_ROW},gold\n", "line 2: .*'gold'"),
        (SWAG, "train.csv", f'{SWAG_HEADER},label\n0,"a', "line 2: unbalanced quotes"),
        (SWAG, "train.csv", "sent1,sent2,ending0,label\na,b,c,0\n", "line 2: field 'ending1'"),
        (CODAH, "train.tsv", "i\tHe\ta\tb\tc\t3\n", "line 1: 7 fields expected. Received: 6"),
        (CODAH, "train.tsv", "i\tHe\ta\t\tc\td\t3\n", "line 1: 2 choices or more"),
        (DREAM, "train.json", "[", "not JSON"),
        (DREAM, "train.json", "{}", "a list of documents"),
        (DREAM, "train.json", "[[[], []]]", "document 1: .lines, questions, id"),
        (DREAM, "train.json", '[[["a"], [1], "x"]]', "document 1, question 1: a JSON object"),
        (
            DREAM,
            "train.json",
            json.dumps([[["a"], [QUESTION, {**QUESTION, "answer": "no"}], "x"]]),
            "document 1, question 2: the answer .* Received: 'no'",
        ),
        (MULTIPLE_CHOICE, "train.jsonl", '{"choices": ["a", "b"], "label": 0}', "'context'"),
        (MULTIPLE_CHOICE, "train.jsonl", '{"context": "a", "choices": ["b"]}', "2 choices"),
        (MULTIPLE_CHOICE, "train.jsonl", '{"context": "a", "choices": "b"}', "'choices'"),
        (MULTIPLE_CHOICE, "train.csv", "context,label\na,0\n", "line 2: field 'choice0'"),
        (MULTIPLE_CHOICE, "train.csv", "context,choice0,choice1,label\na,b,,0\n", "2 choices"),
    ],
)
def test_wrong_files(tmp_path, task, name, content, message):
    write(tmp_path / name, content)
    with pytest.raises(InputError, match=message) as caught:
        task.read(tmp_path, "train")
    assert name in str(caught.value) or message == "no examples"
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(SHARED_DATA is None, reason="KERAS_BERT_SHARED_DATA is not set")
@pytest.mark.parametrize(
    ("task", "folder", "count"),
    [(CODAH, "mc/codah/fold_0", 556), (DREAM, "mc/dream", 2040), (C3, "zh/c3", 3816)],
)
def test_published_files(task, folder, count):
    examples = task.read(Path(SHARED_DATA) / folder, "dev")
    assert len(examples) == len(examples.targets) == count
    assert {len(choices) for choices in examples.columns["choices"]} <= {2, 3, 4}
