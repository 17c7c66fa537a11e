import json
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert.tasks.squad_metrics import (
    best_thresholds,
    exact_match,
    f1,
    normalize_answer,
    squad_1_scores,
    squad_2_scores,
)

# Data sets of benchmarks/squad_metrics.py with what the official scripts say of them.
GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "squad_metrics.json").read_text())
# Lone surrogates too, which JSON can spell.
TEXT = st.text(
    st.one_of(st.sampled_from("the an.,'- \t\u00a0\u2003é你。İß"), st.characters(codec=None)),
    max_size=20,
)


@pytest.mark.parametrize("case", GOLDEN)
def test_scores_are_those_of_the_official_scripts(case):
    predictions, answers = case["predictions"], case["answers"]
    expected = case["scores"]
    assert squad_2_scores(predictions, answers) == pytest.approx(expected["2.0"])
    found = best_thresholds(predictions, answers, case["null_scores"])
    assert found == pytest.approx(expected["thresholds"])
    if "1.1" in expected:
        assert squad_1_scores(predictions, answers) == pytest.approx(expected["1.1"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Cat's an-\tA\u00a0hat.", "cats hat"),
        ("the-cat", "thecat"),
        ("a", ""),
        ("THE", ""),
        ("...", ""),
        ("«Ein Ünt»。", "«ein ünt»。"),
        ("\ud800 a \x00", "\ud800 \x00"),
    ],
)
def test_normalization(text, expected):
    assert normalize_answer(text) == expected


def test_versions_differ_where_nothing_is_left():
    assert squad_1_scores(["the"], [["a."]]) == {"exact_match": 100.0, "f1": 0.0}
    # Of these gold answers, one counts in 2.0, and none of the others.
    assert squad_2_scores(["the"], [["a."]])["f1"] == 100.0
    assert squad_2_scores(["the"], [["a.", "cat"]])["exact"] == 0.0


def test_breakdown_has_only_what_there_is():
    only_answers = squad_2_scores(["cat", ""], [["cat"], ["dog"]])
    assert only_answers == {
        "exact": 50.0,
        "f1": 50.0,
        "total": 2,
        "HasAns_exact": 50.0,
        "HasAns_f1": 50.0,
        "HasAns_total": 2,
    }
    assert squad_2_scores([""], [[]])["NoAns_exact"] == 100.0


def test_threshold_separates_questions_without_an_answer():
    predictions = ["cat", "dog", "bird", "fish"]
    answers = [["cat"], ["dog"], [], []]
    found = best_thresholds(predictions, answers, [-5.0, -2.0, -1.0, 3.0])
    assert found == {
        "best_exact": 100.0,
        "best_exact_thresh": -2.0,
        "best_f1": 100.0,
        "best_f1_thresh": -2.0,
    }


@given(TEXT, TEXT)
@settings(max_examples=200, deadline=None)
def test_invariants(one, other):
    normal = normalize_answer(one)
    assert normalize_answer(normal) == normal
    assert not set(normal) & set(string.punctuation)
    assert f1(one, other) == pytest.approx(f1(other, one))
    assert exact_match(one, other) == exact_match(other, one)
    assert exact_match(one, other) <= f1(one, other) <= 1
    assert exact_match(one, one) == f1(one, one) == 1


@given(st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=3), st.integers(-3, 3)), min_size=1))
@settings(max_examples=100, deadline=None)
def test_parts_make_the_whole_and_best_is_no_worse(cases):
    predictions, answers, null_scores = (list(column) for column in zip(*cases, strict=True))
    scores = squad_2_scores(predictions, answers)
    for name in ("exact", "f1"):
        parts = [
            scores[f"{prefix}_{name}"] * scores[f"{prefix}_total"]
            for prefix in ("HasAns", "NoAns")
            if f"{prefix}_total" in scores
        ]
        assert sum(parts) == pytest.approx(scores[name] * scores["total"])
    found = best_thresholds(predictions, answers, null_scores)
    nothing = squad_2_scores([""] * len(answers), answers)
    for name in ("exact", "f1"):
        answerless = nothing.get(f"NoAns_{name}", 0) * nothing.get("NoAns_total", 0)
        assert found[f"best_{name}"] >= answerless / len(answers) - 1e-9
        threshold = found[f"best_{name}_thresh"]
        assert threshold == 0 or threshold in null_scores
