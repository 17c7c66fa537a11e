import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from keras_bert.errors import InputError
from keras_bert.tasks.file_format import FileFormat
from keras_bert.tasks.question_answering import GoldAnswer
from keras_bert.tasks.registry import task_named
from keras_bert.tasks.squad import SQUAD_1, SQUAD_2
from keras_bert.tasks.squad_files import find_squad_file

CONTEXT = "The cat saw a dog.\r\nA cat ran, café 你好."


def entry(name="q1", text="cat", start=4, **fields) -> dict:
    answers = [{"text": text, "answer_start": start}]
    return {"id": name, "question": f"{name}?", "answers": answers, **fields}


def squad(*entries, context=CONTEXT) -> dict:
    return {"version": "1.1", "data": [{"paragraphs": [{"context": context, "qas": entries}]}]}


def write(directory: Path, content, name="train-v1.1.json") -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    data = text.encode()
    path = directory / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def test_reads_questions_in_order(tmp_path):
    other = {"paragraphs": [{"context": "a dog", "qas": [entry("q2", "dog", 2)]}]}
    content = squad(entry(), entry("q3", "café 你好", 31))
    content["data"].append(other)
    write(tmp_path, "\ufeff" + json.dumps(content, ensure_ascii=False), "train-v1.1.json.gz")
    examples = SQUAD_1.read(tmp_path, "train")
    assert examples.names == ["q1", "q3", "q2"]
    assert examples.columns == {
        "question": ["q1?", "q3?", "q2?"],
        "context": [CONTEXT, CONTEXT, "a dog"],
    }
    assert [gold[0].text for gold in examples.targets] == ["cat", "café 你好", "dog"]
    for context, gold in zip(examples.columns["context"], examples.targets, strict=True):
        assert context.startswith(gold[0].text, gold[0].start)


@pytest.mark.parametrize(("start", "expected"), [(4, 4), (5, 4), (-3, 4), (15, 22), (99, 22)])
def test_an_answer_moves_to_the_nearest_place_of_its_text(tmp_path, start, expected):
    write(tmp_path, squad(entry(start=start)))
    assert SQUAD_1.read(tmp_path, "train").targets == [[GoldAnswer("cat", expected)]]


LONG = "The 😀 cat saw 你好 a cat, and a dog."


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("cat", LONG.rindex("cat"), LONG.rindex("cat")),
        # The only place of its text.
        ("dog", 0, LONG.index("dog")),
        ("dog", None, LONG.index("dog")),
        ("a dog", 99, LONG.index("a dog")),
        # Of several places, those in bytes and in UTF-16.
        ("cat", len(LONG[: LONG.rindex("cat")].encode()), LONG.rindex("cat")),
        ("cat", len(LONG[: LONG.index("cat")].encode("utf-16-le")) // 2, LONG.index("cat")),
        ("cat", LONG.index("cat") + 0.0, LONG.index("cat")),
        # In no place, or in any of several.
        ("cow", 6, None),
        ("The  😀", 0, None),
        ("the 😀", 0, None),
        ("", 0, None),
        ("cat", None, None),
    ],
)
def test_answers_for_training_are_moved_or_left_out(tmp_path, caplog, text, start, expected):
    content = squad(entry("q0", "The", 0), entry("q1", text, start), context=LONG)
    write(tmp_path, content)
    examples = SQUAD_1.read(tmp_path, "train")
    kept = expected is not None
    assert examples.names == ["q0", "q1"][: 1 + kept]
    if kept:
        assert examples.targets[1] == [GoldAnswer(text, expected)]
    strict = task_named("squad-1.1", FileFormat(strict=True))
    if kept and start == expected:
        assert not caplog.records
        assert strict.read(tmp_path, "train") == examples
        return
    (record,) = caplog.records
    assert "1 of 2 questions" in record.getMessage()
    assert "'q1'" in record.getMessage()
    with pytest.raises(InputError, match=r"'q1'.*--strict"):
        strict.read(tmp_path, "train")
    # All questions count for scores.
    write(tmp_path, content, "dev-v1.1.json")
    assert strict.read(tmp_path, "dev").names == ["q0", "q1"]


@pytest.mark.parametrize("answers", [[], None, "absent"])
def test_questions_for_training_without_their_answers(tmp_path, caplog, answers):
    question = {"id": 2, "question": "q?", "answers": answers, "is_impossible": False}
    if answers == "absent":
        del question["answers"]
    for task, name in ((SQUAD_1, "train-v1.1.json"), (SQUAD_2, "train-v2.0.json")):
        write(tmp_path, squad(entry(), question), name)
        assert task.read(tmp_path, "train").names == ["q1"]
        assert "1 of 2 questions are left out" in caplog.text
        caplog.clear()


ROW = {"id": 1, "question": "q?", "context": CONTEXT}
ROWS = [
    {**ROW, "answers": {"text": ["cat", "A cat"], "answer_start": [4, 20]}},
    {**ROW, "id": "2", "answers": [{"text": "cat", "answer_start": 4}]},
]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.jsonl", "\n\n".join(map(json.dumps, ROWS))),
        ("train.json", "\n".join(map(json.dumps, ROWS))),
        ("train.json", json.dumps(ROWS)),
        ("train-v1.1.json", json.dumps({"version": "1", "data": ROWS})),
    ],
)
def test_a_row_for_each_question(tmp_path, name, content):
    write(tmp_path, content, name)
    examples = SQUAD_1.read(tmp_path, "train")
    assert examples.names == ["1", "2"]
    assert examples.targets == [[GoldAnswer("cat", 4), GoldAnswer("A cat", 20)], [("cat", 4)]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"answers": {"text": ["a"], "answer_start": []}}, "1 texts, but 0 places"),
        ({"answers": {"text": "a", "answer_start": 1}}, "'text' must be a list"),
        ({"answers": "a"}, "'answers' must be a list"),
        ({"id": True}, "'id' must be a string"),
        ({"context": None}, "'context' must be a string"),
    ],
)
def test_wrong_rows(tmp_path, row, message):
    write(tmp_path, json.dumps([ROWS[1], {**ROWS[0], **row}]), "train.json")
    with pytest.raises(InputError, match=f"item 2.*{message}"):
        SQUAD_1.read(tmp_path, "train")


def test_dev_needs_only_texts(tmp_path):
    write(tmp_path, squad(entry(text="cow")), "dev-v1.1.json")
    assert SQUAD_1.read(tmp_path, "dev").targets == [[GoldAnswer("cow", None)]]


def test_test_may_be_without_answers(tmp_path):
    question = entry()
    del question["answers"]
    write(tmp_path, squad(question), "test.json")
    assert SQUAD_1.read(tmp_path, "test").targets is None
    write(tmp_path, squad(question), "dev.json")
    with pytest.raises(InputError, match=r"question 1 \('q1'\): field 'answers' is missing"):
        SQUAD_1.read(tmp_path, "dev")
    write(tmp_path, squad(entry("q0"), question), "test.json")
    with pytest.raises(InputError, match=r"'q1'.*all questions must have answers, or none"):
        SQUAD_1.read(tmp_path, "test")


def test_questions_without_an_answer(tmp_path):
    impossible = {**entry("q2"), "answers": [], "is_impossible": True}
    impossible["plausible_answers"] = entry()["answers"]
    content = squad(entry(is_impossible=False), impossible)
    write(tmp_path, content, "train-v2.0.json")
    write(tmp_path, content)
    assert SQUAD_2.read(tmp_path, "train").targets == [[GoldAnswer("cat", 4)], []]
    with pytest.raises(InputError, match=r"'q2'.*squad-1.1 has an answer to every question"):
        SQUAD_1.read(tmp_path, "train")


def without(content: dict, *path) -> dict:
    *path, last = path
    part = content
    for key in path:
        part = part[key]
    del part[last]
    return content


PARAGRAPH = ("data", 0, "paragraphs", 0)
PLACE = r"train-v1.1.json, article 1, paragraph 1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "train-v1.1.json: not JSON: .* line 1"),
        ("[]", r"train-v1.1.json: a JSON object is expected. Received: \[\]"),
        ({"version": "1.1"}, "train-v1.1.json: field 'data' is missing. Received: version"),
        ({"data": {}}, "field 'data' must be a list"),
        ({"data": []}, "the split 'train' has no questions"),
        ({"data": [{"title": "x"}]}, "article 1: field 'paragraphs' is missing"),
        (without(squad(entry()), *PARAGRAPH, "context"), f"{PLACE}: field 'context' is missing"),
        (without(squad(entry()), *PARAGRAPH, "qas"), f"{PLACE}: field 'qas' is missing"),
        (squad({"question": "x"}), f"{PLACE}, question 1: field 'id' is missing"),
        (squad({**entry(), "id": 3.5}), "question 1: field 'id' must be a string. Received: '3.5'"),
        (squad({**entry(), "id": None}), "question 1: field 'id' must be a string"),
        (squad(entry(), entry()), rf"{PLACE}, question 2 \('q1'\): another question has the same"),
        (squad({"id": "q1", "answers": []}), r"question 1 \('q1'\): field 'question' is missing"),
        (squad(entry(start="4")), "answer 1: field 'answer_start' must be an integer"),
        (squad(entry(start=True)), "answer 1: field 'answer_start' must be an integer"),
        (squad(entry(text=None)), "answer 1: field 'text' must be a string"),
        (squad(entry(text="cow")), r"\('q1'\): the answer must be a part .* 'cow' at 4"),
        (squad(entry(text="")), r"\('q1'\): the answer must be a part"),
        (squad(entry(), context=""), r"\('q1'\): the answer must be a part"),
        (squad(entry(is_impossible=True)), "is_impossible is true, but there are answers"),
        (squad(entry(is_impossible="no")), "field 'is_impossible' must be true or false"),
    ],
)
def test_wrong_files(tmp_path, content, message):
    write(tmp_path, content)
    with pytest.raises(InputError, match=message) as error:
        SQUAD_1.read(tmp_path, "train")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train.json", "train-v1.1.json", "train-v1.1-part.json"], "train-v1.1.json"),
        (["train-v1.1-part.json.gz", "train-v2.0-part.json.gz"], "train-v1.1-part.json.gz"),
        (["train.json.gz", "train-v2.0.json", "train-part.json"], "train.json.gz"),
        (["train_small.json", "dev.json"], "train_small.json"),
    ],
)
def test_the_file_of_a_split(tmp_path, names, expected):
    for name in names:
        (tmp_path / name).touch()
    assert find_squad_file(tmp_path, "train", "1.1").name == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train-v2.0.json", "dev.json"], r"train-v1.1.json: no such file, nor train.json"),
        (["train_a.json", "train_b.json"], "only one file .* Received: train_a.json, train_b.json"),
    ],
)
def test_no_file_of_a_split(tmp_path, names, message):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=message):
        find_squad_file(tmp_path, "train", "1.1")


def answer(text: str, score: float = -1.0, best: str | None = None) -> dict:
    top = [{"answer": best or text, "start": 0, "end": 1, "score": 0.7}]
    top.append({"answer": "", "start": 0, "end": 0, "score": 0.3})
    return {"answer": text, "start": 0, "end": 1, "no_answer_score": score, "top": top}


@pytest.fixture
def examples(tmp_path):
    impossible = {**entry("q2"), "answers": [], "is_impossible": True}
    write(tmp_path, squad(entry(), impossible, entry("q3", "a dog")), "dev-v2.0.json")
    return SQUAD_2.read(tmp_path, "dev")


def test_scores_and_the_threshold(examples):
    answers = [answer("", 1.0, best="cat"), answer("cat", 2.5), answer("dog", -1.0)]
    scores = SQUAD_2.score(examples, answers)
    assert (scores["exact"], scores["HasAns_exact"], scores["NoAns_exact"]) == (
        pytest.approx(100 / 3),
        50,
        0,
    )
    # At this threshold the first question gets its best span, the second one none.
    assert scores[SQUAD_2.metric] == 100
    assert scores["best_f1_thresh"] == 1.0
    assert SQUAD_2.tuned_options(examples, answers) == {"null_threshold": 1.0}


def test_a_threshold_for_no_answer_at_all(examples):
    answers = [answer("ran", -3.0), answer("ran", -4.0), answer("ran", -2.0)]
    threshold = SQUAD_2.tuned_options(examples, answers)["null_threshold"]
    assert threshold < -4.0


def test_scores_of_squad_1(tmp_path):
    write(tmp_path, squad(entry(), entry("q2", "a dog.")), "dev-v1.1.json")
    examples = SQUAD_1.read(tmp_path, "dev")
    scores = SQUAD_1.score(examples, [answer("The cat"), answer("saw a dog")])
    assert scores == {"exact_match": 50.0, "f1": pytest.approx((100 + 200 / 3) / 2)}
    assert SQUAD_1.metric in scores
    assert SQUAD_1.tuned_options(examples, [answer("cat")] * 2) == {}


def test_prediction_files(examples, tmp_path):
    answers = [answer("café"), answer("", 2.0, best="cat"), answer("dog")]
    SQUAD_2.write_predictions(tmp_path / "predictions.json", examples, answers)
    texts, best, odds = (
        json.loads((tmp_path / name).read_text(encoding="utf-8"))
        for name in ("predictions.json", "nbest_predictions.json", "null_odds.json")
    )
    assert texts == {"q1": "café", "q2": "", "q3": "dog"}
    assert odds == {"q1": -1.0, "q2": 2.0, "q3": -1.0}
    assert best["q2"] == [
        {"text": "cat", "probability": 0.7},
        {"text": "", "probability": 0.3},
    ]
    SQUAD_1.write_predictions(tmp_path / "other" / "dev.json", examples, answers)
    written = sorted(path.name for path in (tmp_path / "other").iterdir())
    assert written == ["dev.json", "nbest_dev.json"]
    SQUAD_2.write_predictions(tmp_path / "dev.json", examples, answers)
    assert (tmp_path / "null_odds_dev.json").exists()


@pytest.mark.parametrize("task", [SQUAD_1, SQUAD_2], ids=lambda task: task.name)
def test_published_files(task):
    data = os.environ.get("KERAS_BERT_SHARED_DATA")
    if not data:
        pytest.skip("KERAS_BERT_SHARED_DATA names no directory")
    examples = task.read(Path(data) / "squad", "dev")
    assert len(examples) > 500
    # One of three annotators, whose answers to some questions differ.
    golds = [[gold.text for gold in answers] for answers in examples.targets]
    scores = task.score(examples, [answer(texts[0] if texts else "") for texts in golds])
    assert scores["f1"] == 100
    human = task.score(examples, [answer(texts[-1] if texts else "") for texts in golds])
    assert human["f1"] == 100
    empty = task.score(examples, [answer("")] * len(examples))
    assert empty["f1"] == pytest.approx(100 * np.mean([not texts for texts in golds]))


class Squad(tfds.core.GeneratorBasedBuilder):
    """As TensorFlow Datasets has SQuAD 2.0."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = (tfds.core.BuilderConfig(name="v2.0", description="SQuAD 2.0."),)

    def _info(self):
        text = tfds.features.Text()
        answers = tfds.features.Sequence({"text": text, "answer_start": np.int32})
        features = dict.fromkeys(("id", "title", "context", "question"), text)
        features = {**features, "answers": answers, "is_impossible": np.bool_}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        del dl_manager
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for name, answers in (("q1", [("cat", 4), ("A cat", 20)]), ("q2", [])):
            yield (
                name,
                {
                    "id": name,
                    "title": "",
                    "context": CONTEXT,
                    "question": f"{name}?",
                    "answers": [{"text": text, "answer_start": start} for text, start in answers],
                    "is_impossible": not answers,
                },
            )


def test_prepared_data(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    Squad(data_dir=tmp_path, config="v2.0").download_and_prepare()
    examples = SQUAD_2.read("tfds:squad/v2.0", "train")
    found = dict(zip(examples.names, examples.targets, strict=True))
    assert found == {"q1": [GoldAnswer("cat", 4), GoldAnswer("A cat", 20)], "q2": []}
    assert examples.columns["context"] == [CONTEXT] * 2
    with pytest.raises(InputError, match=r"tfds:squad/v2.0, train, example \d \('q2'\)"):
        SQUAD_1.read("tfds:squad/v2.0", "train")
