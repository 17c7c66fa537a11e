import json
import os
import subprocess
import threading

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from exports import fresh_process, saved_model, verification
from exports.__main__ import main
from exports.client import Client, ClientError
from exports.probes import probes
from exports.verification import DESCRIPTION, check_version
from keras_bert.errors import InputError
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.families import load_predictor
from tests.conformance import check_export
from tests.exports.local_server import joined, running

LOAD_IN_FRESH_PROCESS = verification._load_in_fresh_process
TEXTS = ["the dog ran away", "", "a", "Café!", "[MASK] [SEP]", "x" * 300]


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(str(exported / "out" / "1"))


def test_signatures_are_those_described(exported, loaded):
    described = json.loads((exported / "out" / "1" / DESCRIPTION).read_text())["signatures"]
    assert (
        set(loaded.signatures)
        == set(described)
        == {
            "serving_default",
            "pairs",
            "serving_features",
        }
    )
    for name, signature in described.items():
        assert set(loaded.signatures[name].structured_outputs) == set(signature["outputs"])


def in_memory(exported, texts):
    predictor = load_predictor(exported / "model")
    return {"serving_default": {"probabilities": probabilities(predictor, {"text": texts})}}


def probabilities(predictor, columns):
    answers = predictor.predict(Examples(columns))
    return np.array([list(answer["probabilities"].values()) for answer in answers])


@pytest.fixture(scope="module")
def fresh_answer():
    """`_load_in_fresh_process`, with one process for all who ask the same."""
    answers = {}

    def load(*arguments):
        key = repr(arguments)
        if key not in answers:
            answers[key] = LOAD_IN_FRESH_PROCESS(*arguments)
        return answers[key]

    return load


def answer_here(directory, calls, side_by_side=()):
    """What the fresh process says, from this one, which has TensorFlow already."""
    session, signatures, memory = fresh_process.load_in_session(str(directory), calls, side_by_side)
    names = fresh_process.operations(str(directory))
    return {
        "operations": names,
        "foreign_operations": fresh_process.foreign(names),
        "session": session,
        "signatures": signatures,
        "memory": memory,
        "python": fresh_process.load_in_python(str(directory), calls),
    }


def test_conformance(exported, fresh_answer, monkeypatch):
    version = exported / "out" / "1"
    calls = probes(json.loads((version / DESCRIPTION).read_text())["signatures"])
    monkeypatch.setattr(verification, "_load_in_fresh_process", fresh_answer)
    texts = calls["serving_default"]["text"]
    check_export(version, in_memory(exported, texts))
    with pytest.raises(InputError, match="the model in memory answers otherwise"):
        check_export(version, in_memory(exported, texts[::-1]))


def test_a_path_of_this_machine_is_refused(exported):
    # Something that does stand in every graph takes the part of the path.
    with pytest.raises(InputError, match="holds a path of this machine: serving_default"):
        check_version(exported / "out" / "1", hidden_paths=["serving_default"])


def test_verify_command(exported, fresh_answer, capsys, monkeypatch):
    monkeypatch.setattr(verification, "_load_in_fresh_process", fresh_answer)
    assert main(["verify", str(exported / "out" / "1")]) == 0
    output = capsys.readouterr().out
    assert "session" in output
    assert "FastWordpieceTokenizeWithOffsets" in output
    assert "MiB at most" in output


def test_threads_get_the_same_answers(loaded):
    signature = loaded.signatures["serving_default"]
    expected = signature(text=tf.constant(TEXTS))["probabilities"].numpy()
    answers = [None] * 8

    def ask(index):
        answers[index] = signature(text=tf.constant(TEXTS))["probabilities"].numpy()

    threads = [threading.Thread(target=ask, args=(index,), daemon=True) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        joined(thread)
    for answer in answers:
        np.testing.assert_allclose(answer, expected, atol=2e-6)


def test_served_it_answers_as_loaded(exported, loaded):
    texts = ["the dog ran away", "", "Café!", "x" * 300, "a cat"]
    expected = loaded.signatures["serving_default"](text=tf.constant(texts))
    with running(exported / "out", name="bert") as server:
        with Client(server.grpc_address, model="bert", batch_size=2) as client:
            reply = client.predict({"text": texts})
            assert set(client.signatures()) == {"serving_default", "pairs", "serving_features"}
            ids = {
                "token_ids": [[2, 5, 3]],
                "segment_ids": [[0, 0, 0]],
                "padding_mask": [[True] * 3],
            }
            features = client.predict(ids, signature="serving_features")
            message = r"text_a and text_b must have the same number of strings. Received: 1 and 2$"
            with pytest.raises(ClientError, match=message) as caught:
                client.predict({"text_a": ["a"], "text_b": ["b", "c"]}, signature="pairs")
            assert "node" not in str(caught.value)
        status, rows = server.predict({"instances": texts})
    assert reply["label"].tolist() == expected["label"].numpy().tolist()
    np.testing.assert_allclose(reply["probabilities"], expected["probabilities"], atol=2e-6)
    assert features["probabilities"].shape == (1, 3)
    assert status == 200
    assert [row["label"].encode() for row in rows["predictions"]] == reply["label"].tolist()
    np.testing.assert_allclose(
        [row["probabilities"] for row in rows["predictions"]], reply["probabilities"], atol=2e-6
    )


@pytest.mark.slow
def test_the_next_version_is_as_large(exported, tmp_path):
    arguments = ["savedmodel", "--model", str(exported / "model"), "--output", str(tmp_path)]
    assert [main(arguments), main(arguments)] == [0, 0]
    # Not that of the fixture: the first models of a process have names without numbers.
    sizes = [(tmp_path / name / "saved_model.pb").stat().st_size for name in "12"]
    # But for the digits of the numbers in names.
    assert max(sizes) < 1.001 * min(sizes)


def test_a_process_that_was_killed_is_told_by_its_signal(tmp_path, monkeypatch):
    killed = subprocess.CompletedProcess([], -9, stdout="", stderr="a note")
    monkeypatch.setattr(verification.subprocess, "run", lambda *_, **__: killed)
    with pytest.raises(InputError, match="ended by SIGKILL; there may be too little memory"):
        verification._load_in_fresh_process(tmp_path, {})


def test_an_export_that_fails_leaves_nothing(exported, tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("disk full")

    monkeypatch.setattr(tf.saved_model, "save", broken)
    monkeypatch.setattr(saved_model, "replies", lambda *_: {})
    arguments = ["savedmodel", "--model", str(exported / "model"), "--output", str(tmp_path)]
    with pytest.raises(RuntimeError, match="disk full"):
        main(arguments)
    assert list(tmp_path.iterdir()) == []


def copy(source, destination):
    for path in source.rglob("*"):
        if path.is_file():
            target = destination / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return destination


def refused(capsys, directory, message):
    assert main(["verify", str(directory)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error


def test_damaged_versions_are_refused(exported, tmp_path, capsys):
    version = copy(exported / "out" / "1", tmp_path / "1")
    data = version / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:100])
    refused(capsys, version, "does not load")
    (version / "saved_model.pb").unlink()
    refused(capsys, version, "saved_model.pb")
    refused(capsys, tmp_path / "none", "no such file")


def test_an_operation_that_serving_lacks_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(verification, "_load_in_fresh_process", answer_here)
    import tensorflow_text as tf_text

    class Trimming(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def trim(self, text):
            rows = tf.strings.split(text)
            trimmed = tf_text.RoundRobinTrimmer(3).trim([rows])
            return {"text": tf.strings.reduce_join(trimmed[0], axis=1)}

    module = Trimming()
    module.variable = tf.Variable(0.0)
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.trim)
    description = tmp_path / "1" / DESCRIPTION
    description.parent.mkdir(exist_ok=True)
    text = {"text": {"dtype": "string", "shape": [None]}}
    signature = {"inputs": text, "outputs": text, "example": {"text": ["a b"]}}
    written = {
        "task": "other",
        "precision": "float32",
        "sequence_length": 8,
        "signatures": {"serving_default": signature},
    }
    description.write_text(json.dumps(written))
    refused(capsys, tmp_path / "1", "does not have the operation TFText>RoundRobinTrim")


def test_every_signature_is_probed(exported, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(verification, "_load_in_fresh_process", answer_here)
    version = copy(exported / "out" / "1", tmp_path / "1")
    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString((version / "saved_model.pb").read_bytes())
    inputs = proto.meta_graphs[0].signature_def["pairs"].inputs
    inputs["text_a"].name, inputs["text_b"].name = inputs["text_b"].name, inputs["text_a"].name
    (version / "saved_model.pb").write_bytes(proto.SerializeToString())
    refused(capsys, version, "pairs: the session loader answers otherwise")


def test_model_of_another_vocabulary(exported, tmp_path, capsys):
    model = copy(exported / "model", tmp_path / "model")
    lines = (model / "vocab.txt").read_text().splitlines()
    (model / "vocab.txt").write_text("\n".join([*lines, "extra"]))
    arguments = ["savedmodel", "--model", str(model), "--output", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "another vocabulary" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_an_output_that_is_no_directory(tmp_path, capsys, place):
    (tmp_path / "file").write_text("a file")
    output = tmp_path / place
    # Before the model, which is not there, is looked for.
    assert main(["savedmodel", "--model", str(tmp_path / "none"), "--output", str(output)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "`--output`" in error
    assert f"Received: {output}" in error


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_that_cannot_be_written(tmp_path, capsys):
    tmp_path.chmod(0o500)
    output = tmp_path / "out"
    assert main(["savedmodel", "--model", str(tmp_path / "none"), "--output", str(output)]) == 2
    assert "`--output` must be writable" in capsys.readouterr().err.splitlines()[-1]
