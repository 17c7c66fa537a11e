"""Numbers out of their usual range are told in words, on the command line and on the page."""

import json
import random
import warnings
from collections import Counter

import pytest

from data_gen.__main__ import main
from data_gen.findings import CHECKS, findings, lost_mark_rates, percentage
from data_gen.repeats import _KEPT, merged, sample_of
from data_gen.scripts import ScriptCounter
from tests.conftest import WORDS

RANDOM = random.Random(5)


def sentence(words=8):
    return " ".join(RANDOM.choices(WORDS[:80], k=words)).capitalize() + "."


def documents(count, sentences, words=8):
    return "\n\n".join("\n".join(sentence(words) for _ in range(sentences)) for _ in range(count))


USUAL = documents(60, 8)


def run(*arguments, capsys):
    """The warnings of a command that must succeed."""
    assert main(list(map(str, arguments))) == 0
    lines = capsys.readouterr().err.split("\n")
    return [line for line in lines if line.startswith("warning: ")]


@pytest.fixture
def pretrain(tmp_path, vocabulary_file, capsys):
    def call(text, *more, report=False):
        path = tmp_path / "text.txt"
        path.write_text(text)
        output = tmp_path / "shards"
        arguments = ["pretrain", f"--input={path}", f"--vocab={vocabulary_file}"]
        arguments += [f"--output={output}", "--sequence-length=32", *more]
        told = run(*arguments, capsys=capsys)
        if report:
            again = run("report", output, "--samples=0", capsys=capsys)
            assert again == told
            html = (output / "report" / "report.html").read_text()
            values = json.loads((output / "report" / "report.json").read_text())
            assert len(values["findings"]) == len(told) == html.count('<p class="warning">')
            assert not told or html.index('<p class="warning">') < html.index("<h2>")
        return told

    return call


def test_a_usual_corpus_is_passed_over(pretrain):
    assert pretrain(USUAL, report=True) == []


CORPORA = {
    "documents of one sentence": (
        documents(60, 1),
        (),
        {"100% of the next-sentence pairs are random", "100% of the documents are one sentence"},
    ),
    "swapped pairs alone": (
        documents(60, 1),
        ("--objective=sop",),
        {"100% of the pairs are swapped", "100% of the documents are one sentence"},
    ),
    "unknown tokens": (USUAL + "\n\n" + "Ωxyzzy qwfp. " * 200, (), {"of the tokens are [UNK]"}),
    "repeated paragraphs": (
        documents(30, 1, words=40) + "\n\n" + (sentence(40) + " " + sentence(40) + "\n\n") * 30,
        ("--objective=full_sentences",),
        {"of the longer paragraphs repeat"},
    ),
    "padding": (
        documents(60, 1, words=3),
        ("--objective=document_sentences",),
        {"of the places hold a token"},
    ),
    "one large document": (
        documents(20, 4) + "\n\n" + documents(1, 200),
        (),
        {"one document holds"},
    ),
    "documents without tokens": (
        USUAL + "\n\n" + "\u200b\n\n" * 20,
        (),
        {"of the documents have no tokens"},
    ),
    "words that jieba joins to nothing": (
        USUAL,
        ("--segmentation=jieba",),
        {"0% of the words are joined"},
    ),
}


@pytest.mark.parametrize("name", CORPORA)
def test_unusual_corpora_are_told(name, pretrain):
    text, more, expected = CORPORA[name]
    told = pretrain(text, *more, report=True)
    assert len(told) == len(expected)
    for words in expected:
        (line,) = [line for line in told if words in line]
        assert "(usually " in line


def test_a_lexicon_that_never_matches(pretrain, tmp_path):
    lexicon = tmp_path / "lexicon"
    lexicon.write_text(" ".join(WORDS[85:89]) + "\n")
    told = pretrain(USUAL, f"--lexicon={lexicon}", report=True)
    assert ["--lexicon: it never matches" in line for line in told] == [True]


SCRIPTS = {
    "devanagari": "यह एक छोटी सी कहानी है जिसमें एक बच्चा और उसकी दादी रहते हैं।",
    "thai": "ฉันไปโรงเรียนทุกวันและเรียนภาษาไทย กับเพื่อนที่น่ารัก",
    "arabic": "أكل الولد التفاحة إلى أن أتى أبوه من آخر المدينة",
    "kana": "ぼくはがっこうへいきます。ともだちとあそびます。",
    "bengali": "আমি প্রতিদিন স্কুলে যাই এবং বাংলা পড়ি",
    "tamil": "நான் தினமும் பள்ளிக்குச் செல்கிறேன்",
    "hebrew": "בְּרֵאשִׁית בָּרָא אֱלֹהִים",
    "latin": "Tôi đi học mỗi ngày và học tiếng Việt với những người bạn dễ thương",
}
WITHOUT_LOSS = {
    "English": "The café was naïve, and the rôle of it small. " * 3,
    "German": "Die Bären über den Flüssen hören schöne Lieder und träumen von größeren Bäumen.",
    "French": "Le garçon voulait partir avec son frère vers la grande ville du nord, très tôt.",
    "Russian": "Кот моего соседа любит горячий чай с молоком и прохладное утро в деревне.",
    "Chinese": "我每天去学校学习汉语。",
    "Korean": "나는 매일 학교에 가서 한국어를 배웁니다.",
    "one word of Thai": "The word ไป means to go. " + "It is a verb of many uses. " * 20,
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_marks_that_lower_case_strips_are_told(script, tmp_path, capsys):
    path = tmp_path / "text"
    path.write_text(f"{SCRIPTS[script]}\n" * 20)
    arguments = ["vocab", f"--input={path}", f"--output={tmp_path}/vocab.txt"]
    (line,) = run(*arguments, capsys=capsys)
    assert f"script {script} lose a mark" in line
    assert "--cased" in line
    assert run(*arguments, "--cased", capsys=capsys) == []


@pytest.mark.parametrize("language", WITHOUT_LOSS)
def test_accents_that_may_go_are_passed_over(language, tmp_path, capsys):
    path = tmp_path / "text"
    path.write_text(f"{WITHOUT_LOSS[language]}\n" * 20)
    assert run("vocab", f"--input={path}", f"--output={tmp_path}/vocab.txt", capsys=capsys) == []


def test_shards_tell_of_lost_marks_too(pretrain):
    text = f"{SCRIPTS['devanagari']}\n\n{SCRIPTS['thai']}\n\n" * 8
    told = pretrain(text, "--objective=full_sentences", report=True)
    assert [s for s in SCRIPTS if any(f"script {s} lose" in line for line in told)] == [
        "devanagari",
        "thai",
    ]


def test_a_vocabulary_tells_of_long_words_and_of_rare_characters(tmp_path, capsys):
    path = tmp_path / "text"
    path.write_text(USUAL + "\n" + "x" * 30_000)
    arguments = ["vocab", f"--input={path}", f"--output={tmp_path}/vocab.txt"]
    (line,) = run(*arguments, capsys=capsys)
    assert "words of more than 200 characters" in line
    path.write_text(USUAL)
    (line,) = run(*arguments, "--characters=20", capsys=capsys)
    assert "--characters" in line


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.measure)
def test_every_range_has_its_words(check):
    statistics = {check.of: 10_000}
    objective = (check.objectives or ("nsp",))[0]
    for value in (check.least, check.most):
        assert findings({**statistics, check.measure: value}, objective) == []
    for value in (check.least - 0.01, check.most + 0.01):
        (line,) = findings({**statistics, check.measure: value}, objective)
        assert percentage(value) in line
        assert f"(usually {check.usual}): {check.advice}" in line
    assert findings({check.of: check.at_least - 1, check.measure: 2.0}, objective) == []
    assert findings({}, objective) == []


def test_shares_are_never_rounded_to_none_or_all():
    shares = {0: "0%", 1: "100%", 0.5: "50%", 0.123: "12.3%", 0.00001: "0.001%"}
    assert {share: percentage(share) for share in shares} == shares
    assert percentage(0.99999) != "100%"


def test_marks_are_counted_by_script():
    counter = ScriptCounter()
    counter.add(["दिल्ली", "ab\u0301c é", "がか\u3099", "x" * 10])
    assert counter.counts() == Counter(
        {
            "letters of devanagari": 3,
            "lost marks of devanagari": 1,
            "letters of latin": 14,
            "lost marks of latin": 2,
            "letters of kana": 2,
            "lost marks of kana": 2,
        }
    )
    assert lost_mark_rates(counter.counts())["kana_lost_mark_rate"] == 1.0


def test_a_sample_of_parts_is_the_sample_of_the_whole():
    texts = [f"{number % 3000} " + "word " * 20 for number in range(4000)]
    whole = sample_of(texts)
    parts = merged(sample_of(texts[start : start + 7]) for start in range(0, 4000, 7))
    assert parts == whole
    assert len(whole) == _KEPT
    assert 1 - len(whole) / whole.total() == pytest.approx(0.25, abs=0.05)
    assert not sample_of(["short", "一二三"] * 9)


def test_warnings_are_of_one_line(tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        path = tmp_path / "text"
        path.write_text(f"{SCRIPTS['thai']}\n" * 3)
        (line,) = run("vocab", f"--input={path}", f"--output={tmp_path}/v.txt", capsys=capsys)
    assert line.startswith(f"warning: {tmp_path}/v.txt: ")
