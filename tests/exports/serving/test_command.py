import contextlib
import importlib.util
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

from exports.__main__ import main
from tests.exports.local_server import LONGEST, call, eventually, interruptible, joined, line_of

FREE = ["--rest-port", "0", "--grpc-port", "0"]


@contextlib.contextmanager
def started(directory, *arguments, stderr=None):
    """The command in a process of its own, and the port of its REST API."""
    command = [sys.executable, "-m", "exports", "serve", str(directory), *FREE, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        lines = []
        while "Ready." not in lines:
            lines.append(line_of(process))
        yield process, lines
    finally:
        process.kill()
        process.wait(LONGEST)
        process.stdout.close()


def test_sigterm_ends_it_after_what_runs(models):
    with started(models, "--name", "small") as (process, lines):
        port = int(re.search(r":(\d+)/v1/models/small", lines[0])[1])
        assert re.fullmatch(r"gRPC: 127.0.0.1:\d+", lines[1])
        assert "for production there is TensorFlow Serving" in lines[2]
        replies = []
        body = b'{"signature_name": "wait", "inputs": [1.0]}'
        path = "/v1/models/small:predict"

        def ask():
            replies.append(call(port, path, body))

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        metrics = "/monitoring/prometheus/metrics"
        running = b'serving_batch_rows_count{signature="wait"} 1.0'
        eventually(lambda: running in call(port, metrics)[1])
        process.terminate()
        assert process.wait(30) == 0
        joined(thread)
        assert replies == [(200, b'{"outputs": [1.0]}')]
        with pytest.raises(OSError, match="refused"):
            call(port, path, body)


def test_sigint_ends_it(models, capsys):
    def interrupt():
        output = []

        def is_ready():
            output.append(capsys.readouterr().out)
            return "Ready." in "".join(output)

        try:
            eventually(is_ready, LONGEST)
        finally:
            # What is never ready is not waited for either.
            signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    with interruptible():
        thread.start()
        assert main(["serve", str(models), *FREE]) == 0
        joined(thread)


def refused(capsys, directory, *arguments):
    assert main(["serve", str(directory), *FREE, *arguments]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    return error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-batch-size", "0"], "`--max-batch-size` must be at least 1. Received: 0"),
        (["--max-queue", "0"], "`--max-queue`"),
        (["--max-rows", "0"], "`--max-rows`"),
        (["--max-message-bytes", "0"], "`--max-message-bytes`"),
        (["--max-connections", "0"], "`--max-connections`"),
        (["--max-total-bytes", "9"], "`--max-total-bytes`"),
        (["--deadline", "0"], "`--deadline` must be above 0. Received: 0.0"),
        (["--poll-interval", "0"], "`--poll-interval`"),
        (["--batch-timeout", "-1"], "`--batch-timeout` must be at least 0. Received: -1.0"),
        (["--rest-port", "65536"], "`--rest-port` must be from 0 to 65535. Received: 65536"),
        (["--grpc-port", "-1"], "`--grpc-port`"),
        (["--version-label", "stable"], "`--version-label` must be NAME=VERSION"),
        (["--version-label", "a=1", "b=7"], "b=7; "),
        (["--cors-origin", "http://a", "b"], "`--cors-origin` must be an origin"),
        (["--name", "a/b"], "`--name` must be a name without '/' and ':'. Received: 'a/b'"),
    ],
)
def test_options_out_of_range(models, capsys, arguments, message):
    assert message in refused(capsys, models, *arguments)


def test_directories_without_a_version(models, tmp_path, capsys):
    assert "no such directory" in refused(capsys, tmp_path / "none")
    assert "numbered directory" in refused(capsys, tmp_path)
    assert "numbered directory" in refused(capsys, models / "1")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"no graph")
    assert f"{tmp_path}/1: " in refused(capsys, tmp_path)


@pytest.mark.parametrize("option", ["--rest-port", "--grpc-port"])
def test_a_port_that_is_taken(models, capsys, option):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        error = refused(capsys, models, option, port)
    assert option in error
    assert f"Received: 127.0.0.1:{port}" in error


def test_a_missing_package_is_named(models, capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "aiohttp" else find(name)
    )
    error = refused(capsys, models)
    assert error == (
        "error: `serve` needs the package aiohttp (the extra `serving`): "
        "pip install 'keras-bert-tf[serving]'"
    )
