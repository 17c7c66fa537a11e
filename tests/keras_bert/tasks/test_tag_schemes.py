"""Entities in every scheme, from tags of files to answers and scores."""

import random
from collections import Counter

import pytest

from exports.entities import _tables
from keras_bert.errors import InputError
from keras_bert.tasks.conll import NER
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.file_format import FileFormat
from keras_bert.tasks.registry import task_named
from keras_bert.tasks.tag_schemes import (
    PLAIN,
    PREFIXES,
    find_entities,
    find_scheme,
    is_plain,
    scheme_labels,
)

# The letters of one word, and of the first, middle and last ones.
LETTERS = {"bio": "BBII", "iobes": "SBIE", "bmes": "SBME", "bilou": "UBIL"}


def spelled(spans, length, scheme):
    """Tags of entities, as the definition of a scheme has them."""
    single, first, middle, last = LETTERS[scheme]
    tags = ["O"] * length
    for kind, start, end in spans:
        size = end - start + 1
        letters = single if size == 1 else first + middle * (size - 2) + last
        tags[start : end + 1] = [letter + kind for letter in letters]
    return tags


def spans_of(chance, length, kinds):
    """Entities one after another, some with nothing between."""
    spans, place = [], chance.randint(0, 2)
    while place < length:
        end = min(place + chance.randint(0, 3), length - 1)
        spans.append((chance.choice(kinds), place, end))
        place = end + 1 + chance.randint(0, 2)
    return spans


@pytest.mark.parametrize("scheme", PREFIXES)
@pytest.mark.parametrize("kinds", [("-PER", "-A-B", "-_"), ("",)])
def test_entities_are_found_again(scheme, kinds):
    chance = random.Random(0)
    for _ in range(100):
        length = chance.randint(1, 12)
        spans = spans_of(chance, length, kinds)
        tags = spelled(spans, length, scheme)
        assert find_entities(tags) == [(kind[1:] or "_", a, b) for kind, a, b in spans]
        labels = scheme_labels(tags, scheme)
        assert set(tags) <= set(labels)
        assert not is_plain(labels)
        # Exports have the same rules as tables of two tags.
        begins, ends, types = _tables(labels, True)
        indices = [labels.index(tag) for tag in tags]
        edge = len(labels)
        pairs = zip([edge, *indices], [*indices, edge], strict=True)
        before, after = zip(*pairs, strict=True)
        firsts = [i for i in range(length) if begins[before[i], indices[i]]]
        lasts = [i for i in range(length) if ends[indices[i], after[i + 1]]]
        assert [*zip(firsts, lasts, strict=True)] == [(a, b) for _, a, b in spans]
        assert [types[indices[i]] for i in firsts] == [kind[1:] or "_" for kind, _, _ in spans]


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("O B-X I-X O", "bio"),
        ("O I-X I-X B-X", "bio"),
        ("B I O", "bio"),
        ("O S-X B-X E-X", "iobes"),
        ("I-X E-X O", "iobes"),
        ("B-X M-X E-X S-Y", "bmes"),
        ("B M E S", "bmes"),
        ("B-X I-X L-X U-Y", "bilou"),
        ("U-X O", "bilou"),
        ("NN VB , IN", PLAIN),
        ("NOUN O X", PLAIN),
        ("S B IN", PLAIN),
    ],
)
def test_schemes_are_told_from_tags(tags, scheme):
    tags = tags.split()
    assert find_scheme(Counter(tags), {tag: tag for tag in tags}) == scheme


@pytest.mark.parametrize(
    ("tags", "wrong"),
    [
        ("B-X I-X M-X", "I-X"),
        ("B-X L-X E-X", "E-X"),
        ("B-X M-X U-X", "M-X"),
        ("S-X B-X L-X", "S-X"),
        ("B-X I-X VB", "VB"),
        ("NN VB NN B-X", "B-X"),
        ("b-X i-X o", "b-X"),
        ("O X-B X-I", "X-B"),
        ("O B_X I_X", "B_X"),
    ],
)
def test_mixed_schemes_are_refused_by_line(tmp_path, tags, wrong):
    tags = tags.split()
    (tmp_path / "train.txt").write_text("".join(f"w {tag}\n" for tag in tags))
    with pytest.raises(InputError) as caught:
        NER.labels(tmp_path)
    for part in (f"line {tags.index(wrong) + 1}:", "--tag-scheme", repr(wrong)):
        assert part in str(caught.value)
    plain = task_named("ner", FileFormat(tag_scheme=PLAIN))
    assert plain.labels(tmp_path) == tuple(sorted(set(tags)))
    examples = plain.read(tmp_path, "train", labels=plain.labels(tmp_path))
    assert [plain.labels(tmp_path)[index] for index in examples.targets[0]] == tags


def test_a_model_of_plain_classes_is_measured_by_them(tmp_path):
    (tmp_path / "dev.txt").write_text("a I-X\nb B-X\n")
    labels = ("B-X", "I-X")
    task = NER.for_model({"entities": False})
    assert task.options["entities"] is False
    examples = task.read(tmp_path, "dev", labels=labels)
    assert examples.targets == [[1, 0]]
    scores = task.score(examples, [{"tags": ["I-X", "I-X"]}], labels=labels)
    assert (scores["accuracy"], scores["f1_I-X"]) == (0.5, pytest.approx(2 / 3))
    assert NER.for_model({"entities": True}) is NER


def test_dev_of_another_scheme_than_the_model(tmp_path):
    (tmp_path / "dev.txt").write_text("a B-X\nb L-X\n")
    with pytest.raises(InputError, match=r"line 2: .*--tag-scheme.*'L-X'"):
        NER.read(tmp_path, "dev", labels=("O", "B-X", "I-X"))


@pytest.mark.parametrize("scheme", PREFIXES)
def test_scores_are_the_same_in_every_scheme(scheme):
    chance = random.Random(1)
    kinds = ("-A", "-B")
    golds = [spans_of(chance, 12, kinds) for _ in range(20)]
    founds = [[span for span in spans if chance.random() < 0.7] for spans in golds]
    founds[0] = spans_of(chance, 12, kinds)
    labels = scheme_labels({f"B{kind}" for kind in kinds}, scheme)
    targets = [[labels.index(tag) for tag in spelled(spans, 12, scheme)] for spans in golds]
    answers = [{"tags": spelled(spans, 12, scheme)} for spans in founds]
    scores = NER.score(Examples({"words": [["w"] * 12] * 20}, targets), answers, labels=labels)
    right = sum(len(set(a) & set(b)) for a, b in zip(golds, founds, strict=True))
    assert scores["precision"] == pytest.approx(right / sum(map(len, founds)))
    assert scores["recall"] == pytest.approx(right / sum(map(len, golds)))


def test_plain_classes_are_scored_word_by_word():
    labels = ("NN", "VB", "X")
    examples = Examples({"words": [["a"] * 4, ["a"]]}, [[0, 0, 1, 1], [2]])
    answers = [{"tags": ["NN", "VB", "VB", "VB"]}, {"tags": ["NN"]}]
    scores = NER.score(examples, answers, labels=labels)
    assert scores["accuracy"] == pytest.approx(3 / 5)
    assert scores["f1_NN"] == pytest.approx(2 * 0.5 * 0.5)
    assert scores["f1_VB"] == pytest.approx(2 * (2 / 3) / (2 / 3 + 1))
    assert scores["f1"] == pytest.approx((0.5 + 0.8 + 0) / 3)
