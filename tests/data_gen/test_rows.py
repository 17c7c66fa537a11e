import json

import pytest

from data_gen.rows import row_paragraphs
from data_gen.sources import Corpus
from keras_bert.errors import InputError


def units_of(tmp_path, row):
    """Returns the units as strings, paragraph by paragraph."""
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (document,) = Corpus(str(path))
    return [
        [paragraph[start:end] for start, end in units]
        for paragraph, units in zip(document.paragraphs, document.units, strict=True)
    ]


def test_words(tmp_path):
    row = {"text": "我爱北京。\n\n 他 说 New York!", "words": "我 爱 北京 。\n他说 NewYork !"}
    assert units_of(tmp_path, row) == [["我", "爱", "北京", "。"], ["他 说", "New York", "!"]]


def test_spans_are_shifted_to_their_paragraphs(tmp_path):
    text = "  Paris 🗼 and New York\n \n\tBerlin  \n"
    spans = [[2, 7], [8, 9], [14, 22], [26, 34]]
    assert units_of(tmp_path, {"text": text, "spans": spans}) == [
        ["Paris", "🗼", "New York"],
        ["Berlin"],
    ]
    assert units_of(tmp_path, {"text": "a\nb", "spans": []}) == [[], []]
    assert units_of(tmp_path, {"text": "a", "spans": None, "words": "a"}) == [["a"]]


def test_spans_of_stripped_space_are_dropped():
    rows = row_paragraphs({"text": "  a  b  ", "spans": [[0, 1], [3, 5], [6, 8]]}, "here")
    assert list(rows) == [("a  b", [(1, 3)])]


def test_without_units(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a", "words": null}\n')
    (document,) = Corpus(str(tmp_path / "a.jsonl"))
    assert document.units is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"words": 3}, '"words" must be a string. Received: 3'),
        ({"words": "ab cd", "spans": []}, "Received: both"),
        ({"words": "ab x e"}, '"cde" after 2 of them. Received: "xe"'),
        ({"words": "ab cd"}, '"e" after 4 of them. Received: ""'),
        ({"words": "ab cd ee"}, '"" after 5 of them. Received: "e"'),
        ({"words": "ab cde"}, r'"words" may cross a line break.*Received: "c\\nde"'),
        ({"spans": {"a": 1}}, '"spans" must be a list.*Received: {"a": 1}'),
        ({"spans": [[1]]}, r"Received: \[1\] after 0"),
        ({"spans": [[0, 2], [1, 3]]}, r"without overlap.*Received: \[1, 3\] after 2"),
        ({"spans": [[2, 2]]}, r"Received: \[2, 2\]"),
        ({"spans": [[5, 8]]}, r"inside its 7 characters. Received: \[5, 8\]"),
        ({"spans": [[-1, 2]]}, r"Received: \[-1, 2\]"),
        ({"spans": [[0, True]]}, r"Received: \[0, true\]"),
        ({"spans": [[2, 6]]}, '"spans" may cross a line break'),
    ],
)
def test_wrong_units_name_the_line(tmp_path, fields, message):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "fine"}\n' + json.dumps({"text": "ab c\nde", **fields}))
    with pytest.raises(InputError, match=f"a.jsonl, line 2: .*{message}"):
        list(Corpus(str(path)))
