import dataclasses
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.families import family_of, load_predictor
from keras_bert.tasks.question_answering import GoldAnswer, QuestionAnsweringPredictor
from keras_bert.text.tokenizer import BertTokenizer
from tests.conftest import WORDS

LENGTH, STRIDE, QUERY = 24, 5, 6


@pytest.fixture(scope="module")
def tokenizer(vocabulary):
    return BertTokenizer(vocabulary, sequence_length=LENGTH)


@pytest.fixture(scope="module")
def model(tiny_config):
    keras.utils.set_random_seed(0)
    return BertSpanPredictor(tiny_config)


@pytest.fixture
def make(model, tokenizer):
    def make(**options):
        options = {"stride": STRIDE, "query_length": QUERY, **options}
        return QuestionAnsweringPredictor(model, tokenizer, **options)

    return make


def random_examples(count: int, seed: int) -> Examples:
    random = np.random.default_rng(seed)
    words = [*WORDS[:40], "affable", "Café", "你好", "ß", "unable.", "\u00a0", "\u200b"]
    contexts = [" ".join(random.choice(words, random.integers(0, 60))) for _ in range(count)]
    questions = [" ".join(random.choice(words, random.integers(0, 9))) for _ in range(count)]
    answers = []
    for context in contexts:
        start = int(random.integers(0, len(context) + 1))
        text = context[start : start + random.integers(1, 20)]
        answers.append([GoldAnswer(text, start)] if text and random.random() < 0.8 else [])
    return Examples({"question": questions, "context": contexts}, answers)


def windows_of(question: list, starts: list, ends: list) -> list[dict]:
    """The windows of `run_squad.py`, each with the byte spans of its tokens by their positions."""
    before = min(len(question), QUERY) + 2
    room = LENGTH - before - 1
    pieces, start = [], 0
    while True:
        size = min(room, len(starts) - start)
        pieces.append((start, size))
        if start + size >= len(starts):
            break
        start += min(size, STRIDE)
    windows = []
    for number, (start, size) in enumerate(pieces):
        spans, most = {}, {}
        for token in range(start, start + size):
            contexts = [
                min(token - s, s + n - 1 - token) + 0.01 * n if s <= token < s + n else -1
                for s, n in pieces
            ]
            position = before + token - start
            spans[position] = (starts[token], ends[token])
            most[position] = contexts.index(max(contexts)) == number
        windows.append({"spans": spans, "most": most, "length": before + size + 1})
    return windows


@pytest.fixture(scope="module")
def cases(tokenizer):
    """Examples, and the windows of each."""
    examples = random_examples(40, 0)
    questions = tokenizer(examples.columns["question"])
    _, *spans = tokenizer.tokenize_with_offsets(examples.columns["context"])
    lists = (part.to_list() for part in (questions, *spans))
    return examples, [windows_of(*parts) for parts in zip(*lists, strict=True)]


def best_of(values, count):
    return sorted(range(len(values)), key=lambda i: values[i], reverse=True)[:count]


def expected_answer(windows, logits, context, *, n_best, longest, unanswerable, threshold):
    """`write_predictions` of `run_squad.py`, one pair after the other."""
    data = context.encode()
    found, null = [], math.inf
    for window, (starts, ends) in zip(windows, logits, strict=True):
        null = min(null, starts[0] + ends[0])
        for start in best_of(starts, n_best):
            for end in best_of(ends, n_best):
                inside = start in window["spans"] and end in window["spans"]
                if inside and window["most"][start] and start <= end < start + longest:
                    place = slice(window["spans"][start][0], window["spans"][end][1])
                    prefix, text = data[: place.start].decode(), data[place].decode()
                    found.append((text, len(prefix), starts[start] + ends[end]))
    if unanswerable:
        found.append(("", 0, null))
    top, seen = [], set()
    for entry in sorted(found, key=lambda entry: entry[2], reverse=True):
        if len(top) < n_best and entry[0] not in seen:
            seen.add(entry[0])
            top.append(entry)
    if unanswerable and "" not in seen:
        top.append(("", 0, null))
    best = next((entry for entry in top if entry[0]), None)
    difference = null - (best[2] if best else 0)
    total = sum(math.exp(score) for *_, score in top)
    shares = [(text, start, math.exp(score) / total) for text, start, score in top]
    text = best[0] if best else ""
    if unanswerable and difference > threshold:
        text = ""
    return text, difference, shares


@pytest.mark.parametrize("unanswerable", [True, False])
@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_answers_are_those_of_the_reference(make, cases, levels, unanswerable):
    examples, windows_of_examples = cases
    settings = {"n_best": 7, "unanswerable": unanswerable}
    predictor = make(**settings, max_answer_length=4, null_threshold=0.5)
    rows = predictor.rows(examples)
    # Whole numbers make many ties, few of them more.
    random = np.random.default_rng(levels)
    outputs = {
        name: [
            (random.integers(0, levels, size) / levels * 5).astype("float32")
            for size in rows.lengths
        ]
        for name in ("start_logits", "end_logits")
    }
    pairs = list(zip(outputs["start_logits"], outputs["end_logits"], strict=True))
    answers = predictor.decode(examples, rows, outputs)
    for number, (answer, windows) in enumerate(zip(answers, windows_of_examples, strict=True)):
        context = examples.columns["context"][number]
        own = np.flatnonzero(rows.example == number)
        assert [rows.lengths[row] for row in own] == [window["length"] for window in windows]
        text, difference, top = expected_answer(
            windows,
            [[array.astype(float).tolist() for array in pairs[row]] for row in own],
            context,
            n_best=7,
            longest=4,
            unanswerable=unanswerable,
            threshold=0.5,
        )
        assert answer["answer"] == text == context[answer["start"] : answer["end"]]
        assert answer["no_answer_score"] == pytest.approx(difference, abs=1e-6)
        assert [(entry["answer"], entry["start"]) for entry in answer["top"]] == [
            entry[:2] for entry in top
        ]
        scores = [entry["score"] for entry in answer["top"]]
        assert scores == pytest.approx([entry[2] for entry in top], abs=1e-6)


def test_targets_are_the_tokens_that_an_answer_touches(make, cases):
    examples, windows_of_examples = cases
    rows = make().rows(examples)
    starts, ends = rows.targets["start_logits"].numpy(), rows.targets["end_logits"].numpy()
    found = 0
    for number, windows in enumerate(windows_of_examples):
        context, answers = examples.columns["context"][number], examples.targets[number]
        touched = set()
        if answers:
            begin = len(context[: answers[0].start].encode())
            end = begin + len(answers[0].text.encode())
            spans = {span for window in windows for span in window["spans"].values()}
            touched = {(first, last) for first, last in spans if first < end and last > begin}
        for row, window in zip(np.flatnonzero(rows.example == number), windows, strict=True):
            places = [place for place, span in window["spans"].items() if span in touched]
            whole = touched and touched <= set(window["spans"].values())
            expected = (places[0], places[-1]) if whole else (0, 0)
            assert (starts[row], ends[row]) == expected
            found += expected != (0, 0)
    assert found > 30


def test_perfect_logits_give_the_gold_answers(make):
    context = "the cat ran away (in the day) and the dog, all Café " * 3
    golds = ["cat", "dog, all Café the cat", "in the day", "ran", "the cat ran away"]
    examples = Examples(
        {"question": ["who is it?"] * 5, "context": [context] * 5},
        [[GoldAnswer(text, context.rindex(text))] for text in golds],
    )
    predictor = make(unanswerable=True, stride=3)
    rows = predictor.rows(examples)
    outputs = {
        name: [
            8 * np.eye(size, dtype="float32")[place]
            for size, place in zip(rows.lengths, targets.numpy(), strict=True)
        ]
        for name, targets in rows.targets.items()
    }
    answers = predictor.decode(examples, rows, outputs)
    assert [answer["answer"] for answer in answers] == golds
    assert [answer["start"] for answer in answers] == [gold[0].start for gold in examples.targets]


@pytest.mark.parametrize("unanswerable", [True, False])
def test_any_text_has_a_finite_answer(make, unanswerable):
    questions = ["", "", "who?", "who?", "\ud800"]
    contexts = ["", "a cat", "", " \u200b\x00", "a \udfff cat\x00"]
    predictor = make(unanswerable=unanswerable, null_threshold=1e6)
    answers = predictor.predict(Examples({"question": questions, "context": contexts}))
    json.dumps(answers, allow_nan=False, ensure_ascii=False).encode()
    for context, answer in zip(contexts, answers, strict=True):
        found = context[answer["start"] : answer["end"]]
        assert answer["answer"] == found.replace("\udfff", "\ufffd")
        assert bool(answer["answer"]) == ("cat" in context)
        assert 0 <= answer["score"] <= 1


def test_nothing_to_predict(make):
    assert make().predict(Examples({"question": [], "context": []})) == []


def test_threshold_decides_about_no_answer(make):
    examples = Examples({"question": ["who ran?"], "context": ["the dog ran away"]})
    predictor = make(unanswerable=True)
    [answer] = predictor.predict(examples)
    score = answer["no_answer_score"]
    predictor.set_options(null_threshold=score)
    [kept] = predictor.predict(examples)
    assert kept["answer"]
    predictor.set_options(null_threshold=score - 1e-4)
    [dropped] = predictor.predict(examples)
    assert (dropped["answer"], dropped["no_answer_score"]) == ("", score)
    empty = next(entry for entry in dropped["top"] if not entry["answer"])
    assert dropped["score"] == empty["score"]


def test_training_and_the_model_directory(tiny_config, tokenizer, tmp_path):
    examples = random_examples(8, 1)
    config = dataclasses.replace(tiny_config, num_layers=1, dropout=0.0, attention_dropout=0.0)
    model = BertSpanPredictor(config)
    predictor = QuestionAnsweringPredictor(model, tokenizer, query_length=QUERY, stride=STRIDE)
    model.compile("adam", loss=predictor.loss(), metrics=predictor.metrics())
    rows = predictor.rows(examples)
    # The loss of a row is the mean of the cross entropies of its start and its end.
    losses = [
        -np.log(np.exp(logits[place]) / np.exp(logits).sum())
        for name, arrays in predictor.forward(rows).items()
        for logits, place in zip(arrays, rows.targets[name].numpy(), strict=True)
    ]
    batches = tf.data.Dataset.from_tensors(rows.batch(np.arange(len(rows))))
    history = model.fit(batches, epochs=4, verbose=0).history
    assert history["loss"][0] == pytest.approx(np.mean(losses), rel=1e-4)
    assert history["loss"][-1] < history["loss"][0]
    assert 0 <= history["start_logits_accuracy"][-1] <= 1

    predictor.set_options(null_threshold=-1.5)
    model.save_checkpoint(tmp_path / "model", tokenizer=tokenizer)
    loaded = load_predictor(tmp_path / "model")
    assert type(loaded) is QuestionAnsweringPredictor
    assert loaded.options == predictor.options
    answers = predictor.predict(examples)
    assert [a["answer"] for a in loaded.predict(examples)] == [a["answer"] for a in answers]


def test_a_directory_of_other_software_is_known(tmp_path):
    (tmp_path / "config.json").write_text('{"architectures": ["BertForQuestionAnswering"]}')
    assert family_of(tmp_path) == (QuestionAnsweringPredictor, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_best": 0}, "`n_best` must be an integer of at least 1. Received: n_best=0"),
        ({"n_best": 1, "unanswerable": True}, "`n_best` must be an integer of at least 2"),
        ({"max_answer_length": 0}, "`max_answer_length` must be an integer of at least 1"),
        ({"stride": 0}, "`stride` must be a positive integer"),
        ({"query_length": 30}, "at least query_length \\+ 4 = 34"),
        ({"strides": 3}, "Received: strides"),
    ],
)
def test_wrong_options(make, options, message):
    with pytest.raises(InputError, match=message):
        make(**options)
