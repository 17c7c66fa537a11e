"""The page of every family: it is built, answers, and refuses what has no answer."""

import asyncio
import importlib.util
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import types
import urllib.error
import urllib.parse
import urllib.request

import pytest
from gradio_client import Client

from exports.__main__ import main
from exports.demo.authentication import VARIABLE, credentials
from exports.demo.guard import MOST_BYTES, Guard
from exports.demo.model import DemoModel, load
from exports.demo.page import page
from exports.demo.server import application
from exports.hosts import warn_if_open
from exports.signatures.base import STRINGS
from exports.signatures.families import signatures_of
from exports.verification import DESCRIPTION
from keras_bert.errors import InputError
from tests.exports.small_models import predictor_of

# What each family is asked.
INPUTS = {
    "classification": ["the dog ran away", ""],
    "multi_label": ["the dog ran away", "it was long"],
    "regression": ["the dog ran away", "it was long"],
    "question_answering": ["who ran away ?", "Café! The dog ran away. " * 20],
    "multiple_choice": ["the dog", "ran away\n\n was long now \na"],
    "embedding": ["the dog ran\nit was long\n\nthe dog ran"],
    "tagging": ["Café! The dog ran away."],
    "feature_tagging": ["Café! The dog ran away."],
    "fill_mask": ["the [MASK] ran [MASK]."],
}
# What has no answer, and what the page says.
REFUSED = {
    "classification": ([" ", "a"], "The text is empty"),
    "multi_label": (["", ""], "The text is empty"),
    "regression": (["\n", ""], "The text is empty"),
    "question_answering": (["who?", ""], "The context is empty"),
    "multiple_choice": (["the dog", "a\na"], "Received: 2, 1 of them different"),
    "embedding": (["one\n\n"], "Received: 1"),
    "tagging": ([""], "The text is empty"),
    "feature_tagging": ([""], "The text is empty"),
    "fill_mask": (["<b>no mask</b>"], "The text has no [MASK]"),
}


def model_in_memory(name, config, vocabulary):
    """A model whose signatures run as they are, without a graph."""
    signatures = signatures_of(predictor_of(name, config, vocabulary))
    functions = {signature.name: signature.function for signature in signatures.signatures()}
    # No page looks at the outputs' types and shapes.
    described = {
        signature.name: types.SimpleNamespace(
            structured_outputs=dict.fromkeys(signature.outputs, STRINGS)
        )
        for signature in signatures.signatures()
    }
    return DemoModel(f"{name}, version 1", functions, signatures.description(described))


async def built(model):
    # Without a loop that runs, gradio makes loops that nobody closes.
    return page(model)


@pytest.fixture(scope="module", params=sorted(INPUTS))
def demo(request, tiny_config, vocabulary):
    """A model and its page."""
    model = model_in_memory(request.param, tiny_config, vocabulary)
    return model, asyncio.run(built(model))


def answered(blocks, *inputs):
    """What the page shows for inputs: the line about the reply, and each output."""
    (function,) = (one for one in blocks.fns.values() if one.api_name == "answer")
    return asyncio.run(blocks.process_api(function, list(inputs)))["data"]


def test_every_family_has_a_page_that_answers(demo):
    model, blocks = demo
    task = model.description["task"]
    status, *shown = answered(blocks, *INPUTS[task])
    assert re.search(r"Answered in \d+ ms", status)
    CHECKS[task](model, *shown)


def test_input_without_an_answer_gets_a_message(demo):
    model, blocks = demo
    values, message = REFUSED[model.description["task"]]
    status, *shown = answered(blocks, *values)
    assert message in status
    # No answer of another input stands beside it.
    assert not any(has_content(value) for value in shown)


def has_content(value):
    if isinstance(value, dict):
        # Tables are emptied, bars have no label.
        return any(any(row) for row in value.get("data", [])) or bool(value.get("label"))
    return bool(value)


def bars(shown):
    return {entry["label"]: entry["confidence"] for entry in shown["confidences"]}


def check_classification(model, shown):
    reply = model.ask(text=INPUTS["classification"][0])
    assert bars(shown) == pytest.approx(
        dict(zip(reply["labels"], reply["probabilities"], strict=True))
    )
    assert shown["label"] == reply["label"]


def check_multi_label(model, chosen, shown):
    first, second = INPUTS["multi_label"]
    reply = model.ask("pairs", text_a=first, text_b=second)
    assert bars(shown) == pytest.approx(
        dict(zip(reply["labels"], reply["probabilities"], strict=True))
    )
    expected = [
        label for label, is_in in zip(reply["labels"], reply["chosen"], strict=True) if is_in
    ]
    assert chosen == (", ".join(expected) or "none")


def check_regression(model, shown):
    first, second = INPUTS["regression"]
    score = model.ask("pairs", text_a=first, text_b=second)["score"]
    assert score != pytest.approx(model.ask(text=first)["score"])
    assert float(shown["label"]) == pytest.approx(score, abs=1e-3)


def check_question_answering(model, answer, told, best, marked):
    question, context = INPUTS["question_answering"]
    reply = model.ask(question=question, context=context)
    assert "".join(piece["token"] for piece in marked) == context
    found = [piece["token"] for piece in marked if piece["class_or_confidence"]]
    if reply["answer"]:
        assert [answer] == found == [reply["answer"]]
    else:
        assert answer == "none in this context"
        assert not found
    assert ("not above" in told) == bool(reply["answer"])
    assert [row[0] for row in best["data"]] == reply["top_answers"][: reply["top_counts"]]
    assert len(best["data"]) > 1


def check_multiple_choice(model, shown):
    lines = ["ran away", "was long now", "a"]
    reply = model.ask(context="the dog", choices=lines)
    assert bars(shown) == pytest.approx(dict(zip(lines, reply["probabilities"], strict=True)))
    assert shown["label"] == reply["text"]


def check_embedding(model, matrix):
    reply = model.ask("similarity", text_a="the dog ran", text_b="it was long")
    rows = [[float(cell) for cell in row[1:]] for row in matrix["data"]]
    assert [row[0] for row in matrix["data"]] == [
        "1. the dog ran",
        "2. it was long",
        "3. the dog ran",
    ]
    assert [row[number] for number, row in enumerate(rows)] == pytest.approx([1, 1, 1])
    assert rows[0][1] == pytest.approx(reply["similarity"], abs=1e-5)
    assert rows[0][2] == pytest.approx(1)
    assert matrix["metadata"]["display_value"][0][1] == "1.00"


def check_tagging(model, marked, words):
    (text,) = INPUTS["tagging"]
    reply = model.ask(text=text)
    assert "".join(piece["token"] for piece in marked) == text
    found = [
        (piece["token"], piece["class_or_confidence"])
        for piece in marked
        if piece["class_or_confidence"]
    ]
    assert found == list(zip(reply["entities"], reply["entity_types"], strict=True))
    assert found
    assert [row[:2] for row in words["data"]] == list(
        map(list, zip(reply["tokens"], reply["tags"], strict=True))
    )


def check_fill_mask(model, best, table):
    reply = model.ask(text="the [MASK] ran [MASK].")
    first = list(zip(reply["tokens"][0], reply["texts"][0], strict=True))
    assert best == first[0][1]
    rows = table["data"]
    assert [row[0] for row in rows] == ["1 of 2"] * 3 + ["2 of 2"] * 3
    assert [(row[1], row[3]) for row in rows[:3]] == first


CHECKS = {
    "classification": check_classification,
    "multi_label": check_multi_label,
    "regression": check_regression,
    "question_answering": check_question_answering,
    "multiple_choice": check_multiple_choice,
    "embedding": check_embedding,
    "tagging": check_tagging,
    "feature_tagging": check_tagging,
    "fill_mask": check_fill_mask,
}


def test_names_are_shown_as_text(tiny_config, vocabulary):
    model = model_in_memory("classification", tiny_config, vocabulary)
    model.name = "<script>"
    shown = [
        str(getattr(block, "value", "")) for block in asyncio.run(built(model)).blocks.values()
    ]
    (heading,) = (value for value in shown if "<h1>" in value)
    assert "&lt;script&gt;" in heading
    assert "<script>" not in heading
    for fact in ("classification", "float32", "24 tokens", "labels: no, yes, perhaps"):
        assert fact in heading


def test_halves_of_surrogate_pairs_keep_their_place(tiny_config, vocabulary):
    model = model_in_memory("tagging", tiny_config, vocabulary)
    assert model.ask(text="\ud800 ran")["tokens"] == ["?", "ran"]


def test_the_application_names_no_place_in_the_network(tiny_config, vocabulary):
    model = model_in_memory("classification", tiny_config, vocabulary)

    async def look():
        blocks = application(model).routes[-1].app.get_blocks()
        return blocks.get_config_file()["stylesheets"], blocks.theme_css

    stylesheets, theme = asyncio.run(look())
    assert stylesheets == []
    # The SVG name space is a name, not a place.
    assert set(re.findall(r"https?:[^'\" )]+", theme)) <= {"http://www.w3.org/2000/svg"}


def test_the_newest_version_is_loaded(exported, tmp_path):
    for number in ("2", "10"):
        shutil.copytree(exported / "out" / "1", tmp_path / number)
    (tmp_path / "11").mkdir()
    assert load(tmp_path).name == f"{tmp_path.name}, version 10"
    assert load(tmp_path / "2").name == f"{tmp_path.name}, version 2"


def test_a_task_without_a_page():
    with pytest.raises(InputError, match="Received: other"):
        page(DemoModel("name", {}, {"task": "other"}))


def status_of(url, data=None, **headers):
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data, headers), timeout=30
        ) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_command_answers_until_it_is_told_to_end(exported, tmp_path):
    passwords = tmp_path / "passwords"
    passwords.write_text("anna:a:b\n\nbert:c\n")
    command = [sys.executable, "-m", "exports", "demo", str(exported / "out"), "--port", "0"]
    command += ["--auth-file", str(passwords)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        name, url = process.stdout.readline().strip().split(": ")
        assert name == "out, version 1"
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        # Nothing of the model without a password.
        body = json.dumps({"data": ["the dog", ""]}).encode()
        asked = f"{url}/gradio_api/call/answer"
        assert status_of(asked, body, **{"Content-Type": "application/json"}) == 401
        assert status_of(f"{url}/config") == 401
        wrong = urllib.parse.urlencode({"username": "anna", "password": "c"}).encode()
        assert status_of(f"{url}/login", wrong) == 400
        assert status_of(f"{url}/login", bytes(MOST_BYTES + 1)) == 413
        head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"'
        form = head + b"\r\n\r\na\r\n--x--\r\n"
        content = {"Content-Type": "multipart/form-data; boundary=x"}
        for path in ("gradio_api/upload", "gradio_api/upload/", "upload", "gradio_api//upload"):
            assert status_of(f"{url}/{path}", form, **content) == 404
        client = Client(url, verbose=False, analytics_enabled=False, auth=("anna", "a:b"))
        status, bars = client.predict("the dog ran away", "", api_name="/answer")
        assert "Answered" in status
        assert {entry["label"] for entry in bars["confidences"]} == {"no", "yes", "perhaps"}
        client.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def guarded(messages, path="/", seconds=30.0):
    """The status of the answer to a body in parts, and the body that came through."""
    found, seen = [], []

    async def app(scope, receive, send):
        del scope
        seen.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200})

    async def receive():
        if not messages:
            await asyncio.sleep(10)
        return messages.pop(0)

    async def send(message):
        found.append(message)

    asyncio.run(Guard(app, 10, seconds)({"type": "http", "path": path}, receive, send))
    return found[0]["status"] if found else None, b"".join(seen)


def part(body, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


def test_bodies_are_bounded():
    assert guarded([part(b"12345", True), part(b"67890")]) == (200, b"1234567890")
    # No more is read than shows it.
    rest = [part(b"1234567", True), part(b"8901", True), part(b"never read")]
    assert guarded(rest) == (413, b"")
    assert len(rest) == 1
    assert guarded([part(b"1", True)], seconds=0.05) == (408, b"")
    assert guarded([part(b"1", True), {"type": "http.disconnect"}]) == (None, b"")
    for path in ("/upload", "/gradio_api/upload", "/gradio_api/upload/x"):
        assert guarded([part(b"1")], path) == (404, b"")
    assert guarded([], "/uploads", seconds=0.05)[0] == 408


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty file"),
        ("anna", ":1 must be"),
        ("anna:secret\n:secret", ":2 must be"),
        ("anna:secret\n\nbert:", ":3 must be"),
        ("anna:secret\nanna:other", "each user once"),
        (b"\xff:secret", "not UTF-8"),
        (None, "No such file"),
    ],
)
def test_wrong_passwords_are_not_repeated(tmp_path, text, message, monkeypatch):
    path = tmp_path / "passwords"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message) as caught:
        credentials(str(path))
    assert str(path) in str(caught.value)
    assert "secret" not in str(caught.value)
    monkeypatch.setenv(VARIABLE, "secret")
    with pytest.raises(InputError, match=VARIABLE) as caught:
        credentials(None)
    assert "Received: secret" not in str(caught.value)


def test_where_passwords_come_from(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert credentials(None) == []
    monkeypatch.setenv(VARIABLE, "anna:a:b ")
    assert credentials(None) == [("anna", "a:b")]
    path = tmp_path / "passwords"
    path.write_text("bert:c\n")
    path.chmod(0o600)
    assert credentials(str(path)) == [("bert", "c")]
    assert capsys.readouterr().err == ""
    path.chmod(0o644)
    credentials(str(path))
    assert f"chmod 600 {path}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "is_open"),
    [
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("", True),
        ("192.168.1.5", True),
        ("example.org", True),
        ("localhost.example.org", True),
    ],
)
def test_a_place_that_others_reach_is_warned_of(host, is_open, capsys):
    warn_if_open(host, "the page")
    assert ("warning: the page" in capsys.readouterr().err) == is_open


def refused(capsys, directory, *arguments):
    assert main(["demo", str(directory), "--port", "0", *arguments]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    return error


def test_directories_without_a_version(exported, tmp_path, capsys):
    assert "no such directory" in refused(capsys, tmp_path / "none")
    assert "no version of an export" in refused(capsys, tmp_path)
    version = tmp_path / "1"
    version.mkdir()
    (version / "saved_model.pb").write_bytes(b"no graph")
    assert DESCRIPTION in refused(capsys, tmp_path)
    shutil.copytree(exported / "out" / "1" / "assets.extra", version / "assets.extra")
    assert f"{version}: does not load" in refused(capsys, tmp_path)


def test_a_port_that_cannot_be_had(exported, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        error = refused(capsys, exported / "out", "--port", port)
    assert "cannot listen on `--host`, `--port`" in error
    assert f"Received: 127.0.0.1:{port}" in error
    error = refused(capsys, exported / "out", "--port", "65536")
    assert "`--port` must be from 0 to 65535. Received: 65536" in error


def test_gradio_missing_is_named(exported, capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "gradio" else find(name)
    )
    assert refused(capsys, exported / "out") == (
        "error: `demo` needs the package gradio (the extra `demo`): "
        "pip install 'keras-bert-tf[demo]'"
    )
