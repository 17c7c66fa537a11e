import dataclasses
import io
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bert.__main__ import main
from keras_bert.errors import InputError
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.tasks import fill_mask
from keras_bert.tasks import rows as rows_module
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.families import load_predictor
from keras_bert.tasks.fill_mask import FillMaskPredictor, fill, masked_positions, most_probable
from keras_bert.text.tokenizer import BertTokenizer
from tests.conformance import assert_same_json

TEXTS = [
    "the [MASK] ran away.",
    "[MASK]",
    "The Cat and the dog had [MASK] to see[MASK]people, [MASK] \x00 the \ud800 water!",
    "\n [MASK] [MASK] 你[MASK]好 \u2028",
    "a " * 10 + "[mask] [MASK",
]
TEXTS[-1] += "] "


def make(tiny_config, vocabulary, *, next_sentence=True, **options):
    keras.utils.set_random_seed(3)
    # Weights large enough for different masks to have clearly different answers.
    config = dataclasses.replace(tiny_config, initializer_range=0.3)
    model = BertPretrainer(config, next_sentence=next_sentence)
    return FillMaskPredictor(model, BertTokenizer(vocabulary, sequence_length=32), **options)


@pytest.fixture(scope="module")
def predictor(tiny_config, vocabulary):
    return make(tiny_config, vocabulary, top_k=3)


@pytest.fixture(scope="module")
def directory(predictor, tmp_path_factory):
    """A pre-trained model as `pretrain` leaves it, with tokens that do not depend on the text."""
    model = BertPretrainer(predictor.model.config)
    # The hidden states become 0, so that the bias alone decides.
    for weight in model.masked_lm_head.layer_norm.weights:
        weight.assign(tf.zeros_like(weight))
    bias = np.zeros(model.config.vocabulary_size, np.float32)
    vocabulary = predictor.tokenizer.vocabulary
    bias[vocabulary.ids["##s"]], bias[vocabulary.ids["dog"]] = 9, 8
    model.masked_lm_head.bias.assign(bias)
    path = tmp_path_factory.mktemp("pretrained")
    model.save_checkpoint(path, tokenizer=BertTokenizer(vocabulary, sequence_length=16))
    return path


def ask(predictor, texts):
    return predictor.predict(Examples({"text": texts}))


def expected_answer(predictor, text):
    """One text at a time, with logits for every position."""
    text = text.replace("\ud800", "\ufffd")
    vocabulary = predictor.tokenizer.vocabulary
    plain = BertTokenizer(vocabulary)
    ids = [vocabulary.start_id]
    for number, part in enumerate(text.split("[MASK]")):
        ids += [vocabulary.mask_id] * (number > 0) + plain(part).numpy().tolist()
    ids.append(vocabulary.end_id)
    outputs = predictor.model(
        {
            "token_ids": np.array([ids], np.int32),
            "segment_ids": np.zeros((1, len(ids)), np.int32),
            "padding_mask": np.ones((1, len(ids)), bool),
            "masked_positions": np.arange(len(ids), dtype=np.int32)[np.newaxis],
        }
    )
    logits = np.asarray(outputs["masked_lm_logits"], np.float64)[0]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    shares = shares[np.array(ids) == vocabulary.mask_id]
    order = np.argsort(-shares, axis=1, kind="stable")[:, : predictor.options["top_k"]]
    best = [vocabulary.tokens[row[0]] for row in order]
    masks = []
    for number, row in enumerate(order):
        masks.append([])
        for index in row:
            tokens = [*best]
            tokens[number] = vocabulary.tokens[index]
            share = round(float(shares[number, index]), 6)
            filled = {"token": tokens[number], "probability": share, "text": fill(text, tokens)}
            masks[-1].append(filled)
    return {"masks": masks}


def test_answers_are_those_of_the_logits(predictor):
    answers = ask(predictor, TEXTS)
    assert [len(answer["masks"]) for answer in answers] == [1, 1, 3, 3, 1]
    # Masks of one text differ, and so do texts.
    best = [[mask[0]["token"] for mask in answer["masks"]] for answer in answers]
    assert any(len(set(tokens)) > 1 for tokens in best)
    assert len({tokens[0] for tokens in best}) > 1
    for text, answer in zip(TEXTS, answers, strict=True):
        assert_same_json(answer, expected_answer(predictor, text), 2e-5)
        assert all(len(mask) == 3 for mask in answer["masks"])
    json.dumps(answers, allow_nan=False)
    assert ask(predictor, []) == []


def test_answers_do_not_depend_on_the_batch(predictor, monkeypatch):
    answers = ask(predictor, TEXTS)
    alone = [ask(predictor, [text])[0] for text in TEXTS]
    assert_same_json(alone, answers, 1e-5)
    monkeypatch.setattr(rows_module, "_CHUNK", 2)
    assert_same_json(ask(predictor, TEXTS), answers, 1e-5)
    by_two = predictor.predict(Examples({"text": TEXTS}), batch_size=2)
    assert_same_json(by_two, answers, 1e-5)
    # Fewer rows at a time where a row has many masks.
    monkeypatch.setattr(fill_mask, "_MASKS_AT_A_TIME", 4)
    assert_same_json(ask(predictor, TEXTS), answers, 1e-5)


@pytest.mark.parametrize("next_sentence", [True, False])
def test_a_directory_of_a_pretrained_model(tiny_config, vocabulary, tmp_path, next_sentence):
    predictor = make(tiny_config, vocabulary, next_sentence=next_sentence)
    predictor.model.task_specific_params = {}
    predictor.model.save_checkpoint(tmp_path, tokenizer=predictor.tokenizer)
    loaded = load_predictor(tmp_path)
    assert isinstance(loaded, FillMaskPredictor)
    assert loaded.options == {"top_k": 5}
    loaded.freeze()
    assert_same_json(ask(loaded, TEXTS), ask(predictor, TEXTS), 1e-5)
    loaded.freeze("bfloat16")
    (answer,) = ask(loaded, TEXTS[:1])
    (expected,) = ask(predictor, TEXTS[:1])
    shares, expected = (
        [filled["probability"] for filled in found["masks"][0]] for found in (answer, expected)
    )
    assert shares != expected
    np.testing.assert_allclose(shares, expected, atol=0.05)


def test_options_travel_with_the_model(predictor, tmp_path):
    predictor.model.save_checkpoint(tmp_path, tokenizer=predictor.tokenizer)
    loaded = load_predictor(tmp_path)
    assert (loaded.name, loaded.options) == ("fill_mask", {"top_k": 3})
    assert ask(loaded, TEXTS[:1]) == ask(predictor, TEXTS[:1])


def test_ties_are_in_the_order_of_the_vocabulary(directory, vocabulary):
    predictor = load_predictor(directory)
    (answer,) = ask(predictor, ["the [MASK]"])
    tokens = [filled["token"] for filled in answer["masks"][0]]
    assert tokens == ["##s", "dog", *vocabulary.tokens[:3]]
    top = most_probable(tf.constant([[[1.0, 2.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0]]]), 3)
    assert top["token_ids"].numpy().tolist() == [[[1, 3, 0], [0, 1, 2]]]
    np.testing.assert_allclose(top["probabilities"][0, 1], [0.25] * 3)


def test_filled_texts(directory):
    predictor = load_predictor(directory)
    predictor.set_options(top_k=2)
    (answer,) = ask(predictor, ["The cat [MASK] and [MASK]."])
    texts = [[filled["text"] for filled in mask] for mask in answer["masks"]]
    assert texts == [
        ["The cats ands.", "The cat dog ands."],
        ["The cats ands.", "The cats and dog."],
    ]


@pytest.mark.parametrize(
    ("text", "tokens", "filled"),
    [
        ("Paris is [MASK].", ["big"], "Paris is big."),
        ("[MASK] [MASK]", ["play", "##ing"], "playing"),
        ("run\n[MASK]?", ["##ning"], "running?"),
        ("in[MASK]able", ["##evit"], "inevitable"),
        ("  [MASK] way", ["##s"], "  s way"),
        ("[MASK][MASK]", ["a", "b"], "ab"),
    ],
)
def test_pieces_are_joined_to_the_word_before(text, tokens, filled):
    assert fill(text, tokens) == filled


def test_the_whole_way_inside_a_graph(predictor):
    mask_id = predictor.tokenizer.vocabulary.mask_id

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def answer(text):
        features = predictor.preprocessor(text)
        positions = masked_positions(features["token_ids"], mask_id)
        outputs = predictor.model({**features, "masked_positions": positions.to_tensor(0)})
        found = most_probable(outputs["masked_lm_logits"], 3)
        return positions, found["token_ids"]

    texts = [text.replace("\ud800", "\ufffd") for text in TEXTS]
    positions, ids = answer(tf.constant(["no mask", *texts]))
    assert positions.dtype == tf.int32
    assert positions.to_list()[:3] == [[], [2], [1]]
    tokens = predictor.tokenizer.vocabulary.tokens
    for counted, row, expected in zip(positions[1:], ids[1:], ask(predictor, texts), strict=True):
        found = [[tokens[i] for i in mask] for mask in row.numpy()[: len(counted)]]
        assert found == [[filled["token"] for filled in mask] for mask in expected["masks"]]
    positions, ids = answer(tf.constant([], tf.string))
    assert (positions.nrows(), ids.shape) == (0, (0, 0, 3))


LONG = "a " * 29


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "no [mask]\nhere",
            r"example 1: a text must hold at least one \[MASK\]\. .*'no \[mask\]\\",
        ),
        ("", r"example 1: a text must hold at least one \[MASK\]\. Received: ''"),
        (LONG + "a [MASK]", r"example 1: each \[MASK\] must be .* first 30 tokens.* 1 of 1 are"),
        ("[MASK]" + LONG + "[MASK][MASK]", r"example 1: .* 2 of 3 are not\. Received: '\[MASK\]a"),
    ],
)
def test_texts_that_cannot_be_filled(predictor, text, message):
    with pytest.raises(InputError, match=message) as error:
        ask(predictor, ["the [MASK]", text])
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 250


def test_a_mask_at_the_very_end_of_the_row(predictor):
    (answer,) = ask(predictor, [LONG + "[MASK]"])
    assert len(answer["masks"]) == 1


@pytest.mark.parametrize("top_k", [0, 2.0, True, 10**6])
def test_wrong_options(predictor, vocabulary, top_k):
    with pytest.raises(InputError, match=rf"`top_k` .* from 1 to {len(vocabulary)}.*{top_k!r}"):
        make(predictor.model.config, vocabulary, top_k=top_k)


def test_it_is_not_trained(predictor):
    with pytest.raises(InputError, match="fill_mask is for prediction only"):
        predictor.loss()


def command(monkeypatch, capsys, directory, lines):
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    code = main(["predict", "--model", str(directory), "--batch-size", "2"])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err.splitlines()[-1]


def test_the_command_line(directory, monkeypatch, capsys):
    texts = ["The cat [MASK].", "[MASK] and [MASK]", "é [MASK]"]
    lines = [json.dumps({"text": text}) for text in texts]
    code, answers, _ = command(monkeypatch, capsys, directory, lines)
    assert code == 0
    answers = [json.loads(line) for line in answers]
    assert_same_json(answers, ask(load_predictor(directory), texts), 1e-5)
    assert answers[2]["masks"][0][1]["text"] == "é dog"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", "line 5: a text must hold at least one [MASK]. Received: 'nothing'"),
        ("a " * 14 + "[MASK]", "line 5: each [MASK] must be among the first 14 tokens"),
    ],
)
def test_the_command_line_names_the_line(directory, monkeypatch, capsys, text, message):
    lines = [json.dumps({"text": text}) for text in ("a [MASK]", "[MASK] a", "[MASK]", text)]
    lines.insert(1, "")
    code, answers, error = command(monkeypatch, capsys, directory, lines)
    assert (code, len(answers)) == (2, 3)
    assert error.startswith(f"error: standard input, {message}")


def test_fine_tuning_and_evaluation_know_no_such_task(directory, tmp_path, capsys):
    model = ("--data", str(tmp_path), "--init", str(directory), "--output", f"{tmp_path}/run")
    assert main(["finetune", "--task", "fill_mask", *model]) == 2
    assert "Received: task='fill_mask'" in capsys.readouterr().err.splitlines()[-1]
    model = ("--data", str(tmp_path), "--model", str(directory))
    assert main(["evaluate", "--task", "sst-2", *model]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "family fill_mask, but sst-2 needs one of classification" in error
