import sys
import time

import hypothesis
import pytest
from hypothesis import strategies

from data_gen.sentences import _SPACES, split_sentences


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


SPACES = "".join(map(chr, _SPACES))


def test_every_wide_space_is_known():
    assert {c for c in map(chr, range(0x80, sys.maxunicode + 1)) if c.isspace()} == set(SPACES)


@pytest.mark.parametrize("space", SPACES)
def test_a_wide_space_before_a_full_stop(space):
    # The splitter itself fails on these.
    assert split_sentences(f"Mr A{space}. It rains.") == [f"Mr A{space}.", "It rains."]


@hypothesis.given(strategies.text(strategies.sampled_from(f"aA1.!? \t()。！”{SPACES}é")))
def test_any_text_is_split_and_kept(text):
    for language in ("en", "zh"):
        assert "".join("".join(split_sentences(text, language)).split()) == "".join(text.split())


def test_a_long_text_is_split_as_a_short_one():
    sentences = [
        f"The {number}th of them came at 3.5 p.m. to see Mr. Fox." for number in range(999)
    ]
    assert split_sentences(" ".join(sentences)) == sentences


def test_a_sentence_without_end_is_cut_at_a_space():
    parts = split_sentences("word " * 5000)
    assert " ".join(parts).split() == ["word"] * 5000
    assert max(map(len, parts)) <= 4000


@pytest.mark.parametrize("sentence", ["中。", "“a. ", "(a. ", "a! ", "U.S. ", "नमस्ते। ", "x", " "])
def test_time_grows_with_the_text(sentence):
    def seconds(size):
        text = sentence * (size // len(sentence))
        taken = []
        for _ in range(3):
            started = time.process_time()
            split_sentences(text)
            taken.append(time.process_time() - started)
        return min(taken)

    # Of the square it would be a hundred times.
    assert seconds(80_000) < 30 * max(seconds(8_000), 0.005)
