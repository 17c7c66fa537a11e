"""What no honest client sends: the server stays, answers who asks, and gives its memory back."""

import concurrent.futures
import contextlib
import re
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest

from tests.exports.local_server import LONGEST, call, eventually
from tests.exports.serving.attacks import attacks, send
from tests.exports.serving.test_command import started

MIB = 1 << 20
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the system does not tell what a process holds"
)


@pytest.fixture(scope="module")
def attacked(models, tmp_path_factory):
    """A server in a process of its own."""
    limits = ["--deadline", "5", "--max-message-bytes", str(16 * MIB), "--max-queue", "200"]
    limits += ["--max-total-bytes", str(128 * MIB)]
    log = tmp_path_factory.mktemp("log") / "stderr"
    with log.open("w") as stderr, started(models, *limits, stderr=stderr) as (process, lines):
        port = int(re.search(r":(\d+)/v1", lines[0])[1])
        address = lines[1].removeprefix("gRPC: ")
        with grpc.insecure_channel(address) as channel:
            server = SimpleNamespace(
                process=process,
                rest_port=port,
                model="/v1/models/model",
                grpc_port=int(address.split(":")[1]),
                channel=channel,
                log=log,
            )
            # What is allocated once.
            run(server, attacks(0, 60))
            yield server


def held(server, field="VmRSS"):
    """MiB of memory that the process holds, or held at most (`VmHWM`)."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


@contextlib.contextmanager
def watched(server, seconds=1.0):
    """Asks all the time how the server is; each answer must come soon, and be good."""
    times, ended = [], threading.Event()

    def ask():
        while not ended.wait(0.05):
            start = time.monotonic()
            assert call(server.rest_port, server.model)[0] == 200
            times.append(time.monotonic() - start)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        try:
            yield times
        finally:
            ended.set()
            asked.result(LONGEST)
    assert times
    assert max(times) < seconds


def run(server, those, threads=8):
    """How often each answer came."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return Counter(pool.map(lambda attack: str(attack(server))[:17], those))


def check(server, before, allowed):
    """The server lives, answers as before and holds little more memory."""
    assert server.process.poll() is None
    body = b'{"inputs": [1.0]}'
    reply = (200, b'{"outputs": [2.0]}')
    eventually(lambda: call(server.rest_port, f"{server.model}:predict", body) == reply)
    eventually(lambda: held(server) < before + allowed)


def test_a_few_hundred_attacks(attacked):
    # They are made before the clock runs: this process makes them and asks.
    before, many = held(attacked), attacks(1, 400)
    with watched(attacked):
        answers = run(attacked, many)
    # Not all of them are refused for one reason.
    assert len(answers) > 5
    check(attacked, before, 150)


def hold(server, stack, count, port=None):
    """Opens connections on which little or nothing comes."""
    path = f"POST {server.model}:predict HTTP/1.1\r\nHost: a\r\n".encode()
    texts = (b"", b"POST /v1", path, path + b"Content-Length: 1000\r\n\r\n{")
    connections = []
    for index in range(count):
        address = ("127.0.0.1", port or server.rest_port)
        connection = stack.enter_context(socket.create_connection(address, timeout=20))
        with contextlib.suppress(ConnectionError):
            connection.sendall(texts[index % len(texts)])
        connections.append(connection)
    return connections


def test_silent_connections_leave_room_for_others(attacked):
    before = held(attacked)
    with watched(attacked), contextlib.ExitStack() as stack:
        hold(attacked, stack, 600)
        time.sleep(0.5)
    check(attacked, before, 100)


@pytest.mark.slow
def test_ten_thousand_attacks_and_a_thousand_connections(attacked, capsys):
    before, answers = held(attacked), Counter()
    with watched(attacked) as times:
        for seed in range(100):
            answers += run(attacked, attacks(seed, 100))
        requests = max(times)
        with contextlib.ExitStack() as stack:
            connections = hold(attacked, stack, 1000)
            hold(attacked, stack, 1000, attacked.grpc_port)
            end = time.monotonic() + 10
            # Some send a byte now and then.
            while time.monotonic() < end:
                for connection in connections[::7]:
                    with contextlib.suppress(OSError):
                        connection.sendall(b"a")
                time.sleep(0.2)
        assert send(attacked, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 404")
    check(attacked, before, 150)
    with capsys.disabled():
        print(
            f"\n{dict(answers.most_common(12))}\nmemory: {before:.0f} MiB before, "
            f"{held(attacked, 'VmHWM'):.0f} at most, {held(attacked):.0f} after; slowest health "
            f"answer {requests:.3f} s during requests, {max(times):.3f} s with connections, "
            f"of {len(times)}; log {attacked.log.stat().st_size} bytes"
        )
