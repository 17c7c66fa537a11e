import pytest

from data_gen.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("It rains. It pours!", "en", ["It rains.", "It pours!"]),
        ("See Fig. 3 for it. Or ask.", "en", ["See Fig. 3 for it.", "Or ask."]),
        ("今天下雨。你好。", "zh", ["今天下雨。", "你好。"]),
        ("No end", "en", ["No end"]),
        ("  ", "en", []),
        ("", "en", []),
    ],
)
def test_split_sentences(text, language, expected):
    assert split_sentences(text, language) == expected


def test_no_text_is_lost():
    text = 'He said: "Go. Now!"  (Really?) Then... nothing; 3.14 is pi, e.g. here. U.S. laws… end'
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())
