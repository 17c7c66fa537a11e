"""Every family: its replies through both loaders are what its predictor answers."""

import functools
import itertools
import re
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf

from exports import fresh_process
from exports.client import Client, ClientError
from exports.limits import Limits
from exports.saved_model import save
from exports.signatures.families import signatures_of
from exports.verification import as_arrays
from keras_bert.errors import sentence_of
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.families import FAMILIES
from tests import memory
from tests.exports import wire
from tests.exports.local_server import running, together
from tests.exports.small_models import predictor_of

TEXTS = ["the dog ran away", "", "Café! 你好 was Ünable", "word " * 60, "a"]
MASKED = ["the [MASK] ran.", "[MASK][MASK] day", "no mask", "a [MASK] " + "word " * 60 + "[MASK]"]
CHOICES = [["ran away", "was long now", ""], ["", "", ""], ["a", "", ""]]


# Those that differ in what a server sees: several inputs and ragged outputs, strings of two axes,
# outputs of three.
WIRED = ("question_answering", "multiple_choice", "fill_mask")


@pytest.fixture(scope="module")
def export_of(tiny_config, vocabulary, tmp_path_factory):
    """From a family's name to the predictor, its SavedModel as Python loads it, the description,
    and the directory."""

    @functools.cache
    def export(name):
        predictor = predictor_of(name, tiny_config, vocabulary)
        signatures = signatures_of(predictor, limits=Limits(text_bytes=2000, windows=8))
        functions = signatures.concrete_functions()
        directory = tmp_path_factory.mktemp(name) / "1"
        save(signatures, functions, directory)
        loaded = tf.saved_model.load(str(directory))
        return predictor, loaded, signatures.description(functions), str(directory)

    return export


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def exported(request, export_of):
    memory.release()  # What the family before has left.
    export = export_of if request.param in WIRED else export_of.__wrapped__
    return export(request.param)


@pytest.fixture(scope="module", params=WIRED)
def wired(request, export_of):
    return export_of(request.param)


@pytest.fixture(scope="module")
def server(wired):
    """The local server; it runs requests as soon as they have `wire.ROWS` rows together."""
    directory = Path(wired[3]).parent
    with running(directory, max_batch_size=wire.ROWS, batch_timeout=60_000, deadline=60) as result:
        yield result


@pytest.fixture(scope="module")
def client(server):
    with Client(server.grpc_address, deadline=60, batch_size=wire.ROWS) as result:
        yield result


def replies(exported, calls):
    """Replies of both loaders, which must be the same."""
    _, loaded, description, directory = exported
    examples = {name: x["example"] for name, x in description["signatures"].items()}
    calls = {**examples, **calls}
    first = as_arrays(fresh_process.replies_of(loaded, calls))
    second, told, _ = fresh_process.load_in_session(directory, calls)
    second = as_arrays(second)
    for name, reply in first.items():
        assert set(reply) == set(description["signatures"][name]["outputs"])
        assert told[name]["inputs"] == description["signatures"][name]["inputs"]
        for key, array in reply.items():
            assert array.shape == second[name][key].shape
            if array.dtype == object:
                assert (array == second[name][key]).all()
            else:
                assert np.isfinite(array).all()
                np.testing.assert_allclose(array, second[name][key], atol=1e-5)
    return first


def texts(array):
    return [value.decode() for value in array]


def test_replies_are_the_predictors_answers(exported):
    predictor = exported[0]
    CHECKS[predictor.name](exported)


def check_classification(exported):
    predictor = exported[0]
    both = {"text_a": TEXTS, "text_b": TEXTS[::-1]}
    found = replies(exported, {"serving_default": {"text": TEXTS}, "pairs": both})
    for name, columns in (("serving_default", {"text": TEXTS}), ("pairs", both)):
        answers = predictor.predict(Examples(columns))
        reply = found[name]
        assert texts(reply["label"]) == [answer["label"] for answer in answers]
        for row, labels, answer in zip(
            reply["probabilities"], reply["labels"], answers, strict=True
        ):
            assert dict(zip(texts(labels), row, strict=True)) == pytest.approx(
                answer["probabilities"], abs=2e-6
            )
    features = predictor.preprocessor(TEXTS)
    features = {name: tensor.numpy().tolist() for name, tensor in features.items()}
    by_ids = replies(exported, {"serving_features": features})["serving_features"]
    np.testing.assert_allclose(
        by_ids["probabilities"], found["serving_default"]["probabilities"], atol=1e-6
    )
    none = exported[1].signatures["serving_default"](text=tf.constant([], tf.string))
    assert none["probabilities"].shape == none["labels"].shape == (0, 3)


def check_multi_label(exported):
    reply = replies(exported, {"serving_default": {"text": TEXTS}})["serving_default"]
    answers = exported[0].predict(Examples({"text": TEXTS}))
    for row, chosen, labels, answer in zip(
        reply["probabilities"], reply["chosen"], reply["labels"], answers, strict=True
    ):
        assert texts(labels[chosen.astype(bool)]) == answer["labels"]
        assert row.tolist() == pytest.approx(list(answer["probabilities"].values()), abs=1e-5)


def check_regression(exported):
    reply = replies(exported, {"serving_default": {"text": TEXTS}})["serving_default"]
    answers = exported[0].predict(Examples({"text": TEXTS}))
    expected = [answer["score"] for answer in answers]
    assert reply["score"].tolist() == pytest.approx(expected, abs=1e-5)


def check_embedding(exported):
    both = {"text_a": TEXTS, "text_b": TEXTS[::-1]}
    found = replies(exported, {"serving_default": {"text": TEXTS}, "similarity": both})
    answers = exported[0].predict(Examples({"text": TEXTS}))
    vectors = [answer["embedding"] for answer in answers]
    np.testing.assert_allclose(found["serving_default"]["embedding"], vectors, atol=1e-5)
    answers = exported[0].predict(Examples(both))
    expected = [answer["similarity"] for answer in answers]
    assert found["similarity"]["similarity"].tolist() == pytest.approx(expected, abs=1e-5)


def check_multiple_choice(exported):
    context = ["the dog", "nothing", "word " * 60]
    reply = replies(exported, {"serving_default": {"context": context, "choices": CHOICES}})
    reply = reply["serving_default"]
    assert reply["probabilities"][1].tolist() == [0, 0, 0]
    assert reply["text"][1] == b""
    for row in (0, 2):
        choices = [text for text in CHOICES[row] if text]
        (answer,) = exported[0].predict(Examples({"context": [context[row]], "choices": [choices]}))
        assert reply["choice"][row] == answer["choice"]
        assert reply["text"][row].decode() == answer["text"]
        expected = [*answer["probabilities"], 0, 0][:3]
        assert reply["probabilities"][row].tolist() == pytest.approx(expected, abs=1e-5)


def check_question_answering(exported):
    context = ["the dog ran. Café 你好 was long", "", "word one two " * 12, "see 1 2 3", "a b"]
    question = ["who ran?", "what?", "two " * 30, "", "see " * 3]
    reply = replies(exported, {"serving_default": {"question": question, "context": context}})
    reply = reply["serving_default"]
    answers = exported[0].predict(Examples({"question": question, "context": context}))
    for row, answer in enumerate(answers):
        text = reply["answer"][row].decode()
        start, end = (int(reply[name][row]) for name in ("start", "end"))
        assert (text, start, end) == (answer["answer"], answer["start"], answer["end"])
        assert context[row][start:end] == text
        assert reply["no_answer_score"][row] == pytest.approx(answer["no_answer_score"], abs=1e-4)
        assert reply["top_counts"][row] == len(answer["top"])
        for place, entry in enumerate(answer["top"]):
            assert reply["top_answers"][row][place].decode() == entry["answer"]
            assert reply["top_starts"][row][place] == entry["start"]
            assert reply["top_ends"][row][place] == entry["end"]
            assert reply["top_scores"][row][place] == pytest.approx(entry["score"], abs=1e-4)


def check_tagging(exported):
    sentences = [*TEXTS[:3], "one two three " * 10, "\x01"]
    reply = replies(exported, {"serving_default": {"text": sentences}})["serving_default"]
    answers = exported[0].predict(Examples({"text": sentences}))
    found = 0
    for row, answer in enumerate(answers):
        count = reply["token_counts"][row]
        assert texts(reply["tokens"][row][:count]) == answer["tokens"]
        assert texts(reply["tags"][row][:count]) == answer["tags"]
        spans = zip(reply["token_starts"][row], reply["token_ends"][row], strict=True)
        pieces = [sentences[row][int(start) : int(end)] for start, end in spans]
        assert pieces[:count] == answer["tokens"]
        assert reply["entity_counts"][row] == len(answer["entities"])
        for place, entity in enumerate(answer["entities"]):
            assert reply["entities"][row][place].decode() == entity["text"]
            assert reply["entity_types"][row][place].decode() == entity["type"]
            assert reply["entity_starts"][row][place] == entity["start"]
            assert reply["entity_ends"][row][place] == entity["end"]
            assert reply["entity_scores"][row][place] == pytest.approx(entity["score"], abs=1e-5)
            found += 1
    assert found


def check_fill_mask(exported):
    reply = replies(exported, {"serving_default": {"text": MASKED}})["serving_default"]
    # The last text's second mask is beyond the row's end; the third text has none.
    assert reply["mask_counts"].tolist() == [1, 2, 0, 1]
    assert (reply["tokens"][2] == b"").all()
    answers = exported[0].predict(Examples({"text": MASKED[:2]}))
    for row, answer in enumerate(answers):
        for mask, entries in enumerate(answer["masks"]):
            assert texts(reply["tokens"][row][mask]) == [entry["token"] for entry in entries]
            assert texts(reply["texts"][row][mask]) == [entry["text"] for entry in entries]
            expected = [entry["probability"] for entry in entries]
            assert reply["scores"][row][mask].tolist() == pytest.approx(expected, abs=1e-5)
    assert texts(reply["texts"][3][0])[0].endswith("word [MASK]")


CHECKS = {
    "classification": check_classification,
    "multi_label": check_multi_label,
    "regression": check_regression,
    "embedding": check_embedding,
    "multiple_choice": check_multiple_choice,
    "question_answering": check_question_answering,
    "tagging": check_tagging,
    "feature_tagging": check_tagging,
    "fill_mask": check_fill_mask,
}


def test_odd_input_is_answered_with_finite_numbers(exported):
    _, loaded, description, _ = exported
    odd = [b"", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"a" * 1_000_000, b"a " * 500_000]
    odd.append(b"[MASK]\x00")
    for name, signature in description["signatures"].items():
        specs = signature["inputs"]
        if any(spec["dtype"] != "string" for spec in specs.values()):
            continue
        for rows in (odd, odd[:0]):
            call = {
                key: tf.constant(
                    [[text, text] for text in rows] if len(spec["shape"]) == 2 else rows,
                    tf.string,
                    shape=(len(rows), 2)[: len(spec["shape"])],
                )
                for key, spec in specs.items()
            }
            for output in loaded.signatures[name](**call).values():
                assert output.shape[0] == len(rows)
                if output.dtype.is_floating:
                    assert np.isfinite(output).all()


def test_padding_alone_is_answered_with_finite_numbers(exported):
    _, loaded, description, _ = exported
    for name, signature in description["signatures"].items():
        call = {
            key: tf.zeros([2] * len(spec["shape"]), spec["dtype"])
            for key, spec in signature["inputs"].items()
        }
        for output in loaded.signatures[name](**call).values():
            assert output.shape[0] == 2
            if output.dtype.is_floating:
                assert np.isfinite(output).all()


def test_inputs_of_different_sizes_are_refused(exported):
    _, loaded, description, _ = exported
    for name, signature in description["signatures"].items():
        inputs = wire.inputs_of(signature, ["a", "b", "c"])
        if len(inputs) == 1:
            continue
        call = {
            key: tf.constant(array[number:], signature["inputs"][key]["dtype"])
            for number, (key, array) in enumerate(inputs.items())
        }
        rule = "must have the (same number of strings|shape of token_ids)"
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            loaded.signatures[name](**call)
        sentence = sentence_of(caught.value.message)
        assert re.fullmatch(
            rf"\w+( and \w+)? {rule}\. Received: \(?\d[^a-z]* and \(?\d.*", sentence
        )


def test_features_that_no_model_has_are_refused(exported):
    predictor, loaded, description, _ = exported
    config = predictor.model.config
    answer = loaded.signatures["serving_features"]
    specs = description["signatures"]["serving_features"]["inputs"]
    example = description["signatures"]["serving_features"]["example"]
    example = {key: np.array(value) for key, value in example.items()}
    too_long = config.max_sequence_length + 1
    cases = [
        ("token_ids", config.vocabulary_size, f"from 0 to {config.vocabulary_size - 1}.*Received"),
        ("token_ids", -1, "token_ids.*Received:.*-1"),
        ("token_ids", 2**31 - 1, "2147483647"),
        ("segment_ids", config.num_segments, f"segment_ids.*from 0 to {config.num_segments - 1}"),
        ("segment_ids", -(2**31), "segment_ids.*-2147483648"),
    ]
    for name, value, message in cases:
        # Behind the mask too: a gather reads there.
        for place in (0, -1):
            array = example[name].copy()
            array.reshape(-1)[place] = value
            call = {**example, name: array}
            call = {key: tf.constant(x, specs[key]["dtype"]) for key, x in call.items()}
            with pytest.raises(tf.errors.InvalidArgumentError, match=message):
                answer(**call)
    for length, fits in ((config.max_sequence_length, True), (too_long, False)):
        call = {
            key: tf.constant(np.resize(x[..., :1], (*x.shape[:-1], length)), specs[key]["dtype"])
            for key, x in example.items()
        }
        if fits:
            assert all(np.isfinite(x).all() for x in answer(**call).values() if x.dtype.is_floating)
            continue
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=f"token_ids.*{length - 1} columns"
        ):
            answer(**call)


def loaded_reply(exported, name, inputs):
    _, loaded, description, _ = exported
    specs = description["signatures"][name]["inputs"]
    tensors = {key: tf.constant(value, specs[key]["dtype"]) for key, value in inputs.items()}
    return {key: value.numpy() for key, value in loaded.signatures[name](**tensors).items()}


@pytest.mark.parametrize("strings", [wire.TEXTS, wire.ODD], ids=["texts", "odd"])
def test_replies_over_the_wire(wired, server, client, strings):
    for name, signature in wired[2]["signatures"].items():
        inputs = wire.inputs_of(signature, strings)
        expected = loaded_reply(wired, name, inputs)
        wire.assert_replies(client.predict(inputs, signature=name), expected)
        wire.assert_replies(wire.rest_reply(server, name, inputs, signature["outputs"]), expected)


def test_requests_of_different_widths_are_joined(wired, server, client):
    for name, signature in wired[2]["signatures"].items():
        inputs = wire.inputs_of(signature, wire.TEXTS)
        parts = [
            {key: array[start:end] for key, array in inputs.items()}
            for start, end in itertools.pairwise((0, 1, 3, 5, wire.ROWS))
        ]
        runs = server.metric("serving_batch_rows_count", signature=name)
        found = together(*(functools.partial(client.predict, x, signature=name) for x in parts))
        assert server.metric("serving_batch_rows_count", signature=name) == runs + 1
        for part, reply in zip(parts, found, strict=True):
            wire.assert_replies(reply, loaded_reply(wired, name, part), joined=True)
        # The client cuts, and joins replies of different widths.
        whole = {key: np.concatenate([x, np.resize(x[1:2], x.shape)]) for key, x in inputs.items()}
        reply = client.predict(whole, signature=name)
        wire.assert_replies(reply, loaded_reply(wired, name, whole))


def test_no_rows_and_unequal_rows_over_the_wire(wired, server, client):
    for name, signature in wired[2]["signatures"].items():
        inputs = wire.inputs_of(signature, wire.TEXTS)
        none = {key: array[:0] for key, array in inputs.items()}
        wire.assert_replies(client.predict(none, signature=name), loaded_reply(wired, name, none))
        if len(inputs) == 1:
            continue
        unequal = {key: array[number:] for number, (key, array) in enumerate(inputs.items())}
        with pytest.raises(ClientError) as caught:
            client.predict(unequal, signature=name)
        assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
        columns = {key: wire.as_json(array.tolist()) for key, array in unequal.items()}
        status, reply = server.predict({"signature_name": name, "inputs": columns})
        assert status == 400
        assert set(reply) == {"error"}
