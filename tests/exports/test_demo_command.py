"""The command that shows the page: it answers, keeps others out, and ends."""

import asyncio
import importlib.util
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest
from gradio_client import Client

from exports.__main__ import main
from exports.demo.authentication import VARIABLE, credentials
from exports.demo.guard import MOST_BYTES, Guard
from exports.hosts import warn_if_open
from exports.verification import DESCRIPTION
from keras_bert.errors import InputError
from tests.exports.local_server import interruptible, line_of


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
    with interruptible():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        name, url = line_of(process).split(": ")
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
        process.wait(30)
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
