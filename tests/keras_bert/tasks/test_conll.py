"""Readers and scores of named entities."""

import gzip
import json
import os
import random
from pathlib import Path

import pytest
import tensorflow_datasets as tfds

from keras_bert.errors import InputError
from keras_bert.tasks.conll import CONLL_2003, CONLL_2003_FEATURES, NER, NER_FEATURES, as_iob2
from keras_bert.tasks.examples import Examples

IOB1 = """\
-DOCSTART- -X- O O

U.N. NNP I-NP I-ORG
official NN I-NP O
Ekeus NNP I-NP I-PER
heads VBZ I-VP O
. . O O

West JJ I-NP I-MISC
Indian NNP I-NP B-MISC

-DOCSTART- -X- O O

EU NNP I-NP I-ORG
"""
LABELS = ("O", "B-MISC", "B-ORG", "B-PER", "I-MISC", "I-ORG", "I-PER")


def named(examples, labels):
    return [[labels[index] for index in tags] for tags in examples.targets]


def test_columns_in_iob1_with_documents(tmp_path):
    (tmp_path / "eng.train").write_text(IOB1)
    assert CONLL_2003.labels(tmp_path) == LABELS
    examples = CONLL_2003.read(tmp_path, "train", labels=LABELS)
    first, second, third = ["U.N.", "official", "Ekeus", "heads", "."], ["West", "Indian"], ["EU"]
    assert examples.columns == {
        "words": [first, second, third],
        "before": [[], first, []],
        "after": [second, [], []],
    }
    assert named(examples, LABELS) == [
        ["B-ORG", "O", "B-PER", "O", "O"],
        ["B-MISC", "B-MISC"],
        ["B-ORG"],
    ]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("I-A I-A I-B O I-B B-B I-B", "B-A I-A B-B O B-B B-B I-B"),
        ("B-A I-A O B-B", "B-A I-A O B-B"),
        ("S-A B-A I-A E-A O", "S-A B-A I-A E-A O"),
        ("E-A I-A", "E-A B-A"),
        ("", ""),
    ],
)
def test_entities_begin_with_b(tags, expected):
    assert as_iob2(tags.split()) == expected.split()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.txt", "\ufeffAnn\tB-PER\r\n\u3000\tO\r\n \r\n\r\na\u2028b\tO\r\nEU\tI-ORG"),
        ("train.tsv", "Ann\tB-PER\n\u3000\tO\n\na\u2028b\tO\nEU\tI-ORG\n"),
        (
            "train.jsonl",
            '{"words": ["Ann", "\u3000"], "tags": ["B-PER", "O"]}\n'
            '{"words": ["a\u2028b", "EU"], "tags": ["O", "I-ORG"], "id": 7}\n',
        ),
    ],
)
def test_forms_of_files(tmp_path, name, content):
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content.encode()))
    labels = NER.labels(tmp_path)
    assert labels == ("O", "B-ORG", "B-PER", "I-ORG", "I-PER")
    examples = NER.read(tmp_path, "train", labels=labels)
    assert examples.columns == {"words": [["Ann", "\u3000"], ["a\u2028b", "EU"]]}
    assert named(examples, labels) == [["B-PER", "O"], ["O", "B-ORG"]]


def test_table_of_words_and_tags(tmp_path):
    (tmp_path / "train.tsv").write_text("text_a\tlabel\n腹 痛 3\tB-Sym E-Sym O\n头\tS-Body\n")
    labels = NER.labels(tmp_path)
    kinds = ("Body", "Sym")
    assert labels == ("O", *(f"{prefix}-{kind}" for prefix in "BEIS" for kind in kinds))
    examples = NER.read(tmp_path, "train", labels=labels)
    assert examples.columns["words"] == [["腹", "痛", "3"], ["头"]]
    assert named(examples, labels) == [["B-Sym", "E-Sym", "O"], ["S-Body"]]


def test_test_files_may_lack_tags(tmp_path):
    (tmp_path / "test.txt").write_text("Ann\nran\n\nEU\n")
    examples = NER.read(tmp_path, "test", labels=LABELS)
    assert examples.columns["words"] == [["Ann", "ran"], ["EU"]]
    assert examples.targets is None
    (tmp_path / "dev.txt").write_text("Ann\n")
    with pytest.raises(InputError, match=r"dev\.txt, line 1: the words must have tags"):
        NER.read(tmp_path, "dev", labels=LABELS)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("valid.txt", "Ann B-PER\nran\n", "line 2: 2 columns expected. Received: 1"),
        ("valid.txt", "Ann X B-PER\n\nNew York X O\n", "line 3: 3 columns expected. Received: 4"),
        ("valid.txt", "Ann B-PER\nran VBD\n", "line 2: a tag must be O or .* Received: 'VBD'"),
        ("valid.txt", "Ann B-\n", "line 1: a tag must be"),
        ("valid.txt", "Ann B-PER\nEU B-LOC\n", "line 2: label 'B-LOC' is not one of O, B-MISC"),
        ("valid.txt", "\n \n", "no sentences"),
        ("valid.txt", "-DOCSTART- O\n", "no sentences"),
        ("valid.txt", b"Ann O\n\xff O\n", "line 2: the file must be UTF-8"),
        ("dev.jsonl", '{"words": ["a"], "tags": []}', "line 1: 1 words, but 0 tags"),
        ("dev.jsonl", '{"words": "a", "tags": ["O"]}', "line 1: field 'words' must be"),
        ("dev.jsonl", '{"words": ["a"]}', "line 1: the words must have tags"),
        ("dev.tsv", "text_a\tlabel\na b\tO\n", "line 2: 2 words, but 1 tags"),
    ],
)
def test_wrong_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        NER.read(tmp_path, "dev", labels=LABELS)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_missing_files_and_tags(tmp_path):
    with pytest.raises(InputError, match=r"no file of the split 'dev', such as dev\.txt"):
        NER.read(tmp_path, "dev", labels=LABELS)
    (tmp_path / "train.txt").write_text("a O\n")
    with pytest.raises(InputError, match="a tag besides O"):
        NER.labels(tmp_path)


class People(tfds.core.GeneratorBasedBuilder):
    """As the data set `conll2003`, whose second split is not called `validation`."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        tags = tfds.features.ClassLabel(names=["O", "B-PER", "I-PER"])
        features = {
            "tokens": tfds.features.Sequence(tfds.features.Text()),
            "ner": tfds.features.Sequence(tags),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        del dl_manager
        return {"train": self._generate_examples(2), "dev": self._generate_examples(1)}

    def _generate_examples(self, count):
        yield 0, {"tokens": ["Ann", "ran"], "ner": ["B-PER", "O"]}
        if count > 1:
            yield 1, {"tokens": [], "ner": []}


def test_prepared_data(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    People(data_dir=tmp_path).download_and_prepare()
    labels = CONLL_2003.labels("tfds:people")
    assert labels == ("O", "B-PER", "I-PER")
    for split in ("train", "dev"):
        examples = CONLL_2003.read("tfds:people", split, labels=labels)
        assert examples.columns == {"words": [["Ann", "ran"]]}
        assert examples.targets == [[1, 0]]


def counted_as_conlleval(gold, found):
    """Correct, found and true entities as the rules of conlleval.pl (version of 2000) say."""

    def starts(before, tag):
        prefix, kind = tag[0], tag[2:]
        if prefix in "BS":
            return True
        after_end = before[0] in "OES" and prefix in "IE"
        return after_end or (prefix != "O" and before[2:] != kind)

    def ends(tag, after):
        prefix, kind = tag[0], tag[2:]
        if prefix in "ES":
            return True
        if prefix in "BI" and after[0] in "BSO":
            return True
        return prefix != "O" and kind != after[2:]

    correct = n_found = n_true = 0
    for true_tags, found_tags in zip(gold, found, strict=True):
        going, before = False, ("O", "O")
        for pair in [*zip(true_tags, found_tags, strict=True), ("O", "O")]:
            true_ends, found_ends = (ends(b, t) for b, t in zip(before, pair, strict=True))
            true_starts, found_starts = (starts(b, t) for b, t in zip(before, pair, strict=True))
            true_open, found_open = (tag != "O" for tag in before)
            if going and true_open and found_open and before[0][2:] == before[1][2:]:
                if true_ends and found_ends:
                    correct += 1
                    going = False
                elif true_ends != found_ends or pair[0][2:] != pair[1][2:]:
                    going = False
            if true_starts and found_starts and pair[0][2:] == pair[1][2:]:
                going = True
            n_true += true_starts
            n_found += found_starts
            before = pair
    return correct, n_found, n_true


def test_scores_are_those_of_conlleval():
    chance = random.Random(0)
    labels = ("O", *(f"{prefix}-{kind}" for prefix in "BI" for kind in ("LOC", "PER")))
    for _ in range(60):
        gold, found = [], []
        for _ in range(chance.randint(1, 6)):
            tags = chance.choices(range(5), weights=(3, 1, 1, 2, 2), k=chance.randint(1, 12))
            gold.append(tags)
            found.append(
                [labels[t if chance.random() < 0.8 else chance.randrange(5)] for t in tags]
            )
        examples = Examples({"words": [["w"] * len(tags) for tags in gold]}, gold)
        answers = [{"tags": tags} for tags in found]
        scores = NER.score(examples, answers, labels=labels)
        true_tags = [[labels[index] for index in tags] for tags in gold]
        correct, n_found, n_true = counted_as_conlleval(true_tags, found)
        precision, recall = correct / max(n_found, 1), correct / max(n_true, 1)
        assert scores["precision"] == pytest.approx(precision)
        assert scores["recall"] == pytest.approx(recall)
        f1 = 2 * precision * recall / ((precision + recall) or 1)
        assert scores[NER.metric] == pytest.approx(f1)
        same = [
            a == b for x, y in zip(true_tags, found, strict=True) for a, b in zip(x, y, strict=True)
        ]
        assert scores["accuracy"] == pytest.approx(sum(same) / len(same))


def test_scores_by_type_and_without_entities():
    examples = Examples({"words": [["a", "b", "c"]]}, [[2, 0, 3]])
    answers = [{"tags": ["B-ORG", "O", "B-ORG"]}]
    scores = NER.score(examples, answers, labels=LABELS)
    assert scores["f1_ORG"] == pytest.approx(2 / 3)
    assert scores["f1_PER"] == 0
    assert json.loads(json.dumps(scores)) == scores
    none = Examples({"words": [["a"]]}, [[0]])
    assert NER.score(none, [{"tags": ["O"]}], labels=LABELS)["f1"] == 0


def test_predictions_are_columns_for_conlleval(tmp_path):
    words = [["New York", "is"], [], ["\u3000", "EU"]]
    examples = Examples({"words": words}, [[0, 0], [], [2, 3]])
    answers = [{"tags": ["B-ORG", "O"]}, {"tags": []}, {"tags": ["O", "B-PER"]}]
    NER.write_predictions(tmp_path / "a.txt", examples, answers, labels=LABELS)
    lines = "New_York O B-ORG\nis O O\n\n\n_ B-ORG O\nEU B-PER B-PER\n"
    assert (tmp_path / "a.txt").read_text() == lines
    unlabelled = Examples({"words": [["EU"]]})
    NER.write_predictions(tmp_path / "b.txt", unlabelled, [{"tags": ["O"]}], labels=LABELS)
    assert (tmp_path / "b.txt").read_text() == "EU _ O\n"


def test_tasks():
    assert [task.name for task in (CONLL_2003, CONLL_2003_FEATURES, NER, NER_FEATURES)] == [
        *("conll-2003", "conll-2003-features"),
        *("ner", "ner-features"),
    ]
    assert CONLL_2003.family.name == "tagging"
    assert NER_FEATURES.family.name == "feature_tagging"


@pytest.mark.skipif("KERAS_BERT_SHARED_DATA" not in os.environ, reason="needs the data sets")
@pytest.mark.parametrize(
    ("folder", "task", "kinds", "sizes"),
    [
        ("conll2003", CONLL_2003, 4, {"train": 14041, "dev": 3250, "test": 3453}),
        ("zh/medical_ner", NER, None, {"train": 6919, "dev": 939, "test": 755}),
        ("zh/peopledaily_ner", NER, 3, {"dev": 4631}),
    ],
)
def test_real_files(folder, task, kinds, sizes):
    data = Path(os.environ["KERAS_BERT_SHARED_DATA"]) / folder
    if not data.is_dir():
        pytest.skip(f"no {folder}")
    labels = task.labels(data)
    if kinds:
        assert len(labels) == 1 + 2 * kinds
    for split, size in sizes.items():
        examples = task.read(data, split, labels=labels)
        assert len(examples) == size
        assert [len(tags) for tags in examples.targets] == [
            len(w) for w in examples.columns["words"]
        ]
