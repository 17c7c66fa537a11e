"""Files of words with tags."""

import pytest

from keras_bert.errors import InputError
from keras_bert.tasks.file_format import FileFormat
from keras_bert.tasks.tagged_files import read_sentences

UNIVERSAL = """\
# sent_id = 1
# text = im Haus
1-2\tim\t_\t_\t_\t_\t_\t_\t_\t_
1\tin\tin\tADP\tAPPR\t_\t_\t_\t_\t_
2\tdem\tder\tDET\tART\t_\t_\t_\t_\t_
2.1\tx\tx\tX\tX\t_\t_\t_\t_\t_
3\tHaus\tHaus\tNOUN\tNN\t_\t_\t_\t_\t_
"""


def sentences(directory, name, text, **options):
    (directory / name).write_text(text, encoding="utf-8", newline="")
    found = read_sentences(str(directory), "train", FileFormat.from_options(**options))
    return [(sentence.words, sentence.tags) for sentence in found]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("train.txt", "a B-X\nb O\n\nc O"),
        ("train.conll", "# id 1\na\tB-X\nb\tO\n \t \n# id 2\nc\tO\n\n"),
        ("train.txt", "# id 1 x=2\r\na _ _ B-X\r\nb _ _ O\r\n\r\n# id 2 x=3\r\nc _ _ O"),
        ("train.txt", "a\t\tB-X\nb\tO\n\nc\t\t\tO\n"),
        ("train.txt", "a B-X\rb O\r\rc O\r"),
        ("train.char.bmes", "a B-X\nb O\n\nc O\n"),
        ("train.bio", "-DOCSTART- O\n\na B-X\nb O\n\n-DOCSTART- O\n\nc O\n"),
        (
            "train.jsonl",
            '{"tokens": ["a", "b"], "ner_tags": ["B-X", " O "]}\n{"tokens": ["c"], "ner": ["O"]}',
        ),
        (
            "train.json",
            '[{"tokens": ["a", "b"], "tags": ["B-X", "O"]}, {"words": ["c"], "tags": ["O"]}]',
        ),
        ("train.csv", "text_a,label\na b,B-X O\nc,O\n"),
        ("train.tsv", "label\ttext_a\nB-X O\ta b\nO\tc\n"),
    ],
)
def test_forms(tmp_path, name, text):
    assert sentences(tmp_path, name, text) == [(["a", "b"], ["B-X", "O"]), (["c"], ["O"])]


def test_words_that_are_spaces_or_have_them(tmp_path):
    found = sentences(tmp_path, "train.txt", "New York\tB-X\n \tO\n#\tO\n")
    assert found == [(["New York", "", "#"], ["B-X", "O", "O"])]
    assert sentences(tmp_path, "train.txt", "我 O\n  O\n") == [(["我", " "], ["O", "O"])]


def test_universal_dependencies(tmp_path):
    words = ["in", "dem", "Haus"]
    assert sentences(tmp_path, "train.conllu", UNIVERSAL) == [(words, ["ADP", "DET", "NOUN"])]
    tags = sentences(tmp_path, "train.conllu", UNIVERSAL, label_field="xpos")
    assert tags == [(words, ["APPR", "ART", "NN"])]


def test_fields_and_columns_by_name(tmp_path):
    row = '{"tokens": ["a"], "pos_tags": ["NN"], "ner_tags": ["O"]}'
    assert sentences(tmp_path, "train.jsonl", row) == [(["a"], ["O"])]
    assert sentences(tmp_path, "train.jsonl", row, label_field="pos_tags") == [(["a"], ["NN"])]
    (tmp_path / "train.jsonl").unlink()
    text = "1 a NN O\n2 b VB O\n"
    found = sentences(tmp_path, "train.txt", text, text_field="2", label_field="3")
    assert found == [(["a", "b"], ["NN", "VB"])]


def test_numbers_have_names(tmp_path):
    row = '{"tokens": ["a", "b"], "ner_tags": [1, 0]}'
    expected = [(["a", "b"], ["B-X", "O"])]
    assert sentences(tmp_path, "train.jsonl", row, labels="O,B-X") == expected
    (tmp_path / "names").write_text("O\nB-X\n")
    assert sentences(tmp_path, "train.jsonl", row, labels=f"{tmp_path}/names") == expected
    (tmp_path / "labels.txt").write_text("O\r\nB-X\r\n")
    assert sentences(tmp_path, "train.jsonl", row) == expected
    (tmp_path / "train.jsonl").unlink()
    assert sentences(tmp_path, "train.txt", "a 1\nb 0\n", labels="O,B-X") == expected


@pytest.mark.parametrize(
    ("name", "text", "messages"),
    [
        ("train.jsonl", '{"tokens": ["a"], "ner_tags": [1]}', ("line 1", "--labels")),
        ("train.jsonl", '{"tokens": ["a"], "tags": "O"}', ("line 1", "--label-field")),
        ("train.jsonl", '{"tokens": ["a"], "tags": [["O"]]}', ("line 1", "['O']")),
        ("train.txt", "a\tO\nb\t\n\nc\tO\n\nd\t \n", ("line 2", "2 of 3", "line 6")),
        ("train.conllu", UNIVERSAL.replace("ADP", "_"), ("line 1", "1 of 1")),
        ("train.conllu", "1\ta\n", ("line 1", "10 columns", "Received: 2")),
        (
            "train.jsonl",
            '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": ["a", "b"], "tags": ["O", null]}\n'
            '{"tokens": ["c"], "tags": [" "]}\n',
            ("line 2", "2 of 3", "line 3"),
        ),
        ("train.csv", "text_a,label\na,O\nb,\n", ("line 3", "must have tags")),
    ],
)
def test_what_is_wrong_is_named(tmp_path, name, text, messages):
    with pytest.raises(InputError) as caught:
        sentences(tmp_path, name, text)
    for message in (name, *messages):
        assert message in str(caught.value)


def test_a_number_beyond_the_names(tmp_path):
    row = '{"tokens": ["a"], "ner_tags": [%d]}'
    for number in (2, -100):
        with pytest.raises(InputError, match=f"line 1: .* 0 to 1.* Received: {number}"):
            sentences(tmp_path, "train.jsonl", row % number, labels="O,B-X")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("train.txt", {"label_field": "3"}),
        ("train.txt", {"label_field": "tag"}),
        ("train.conllu", {"label_field": "tag"}),
    ],
)
def test_columns_that_are_not_there(tmp_path, name, options):
    with pytest.raises(InputError, match="--label-field"):
        sentences(tmp_path, name, "a O\n", **options)
