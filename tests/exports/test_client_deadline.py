"""A client repeats what may succeed until its deadline, and nothing else, and is never late."""

import concurrent.futures
import shutil
import socket
import ssl
import subprocess
import threading
import time

import grpc
import numpy as np
import pytest

from exports import client_repetition, client_rest
from exports.client import Client, ClientError
from exports.client_repetition import Deadline, repeat
from keras_bert.errors import InputError
from tests.exports.local_server import eventually, running
from tests.exports.scripted_servers import grpc_server, http_reply, rest_server

Code = grpc.StatusCode
# Far longer than any of these tests takes.
LONG = 60.0


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 1000.0
        self.pauses = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    result = FakeTime()
    monkeypatch.setattr(client_repetition, "time", result)
    return result


def away(_, pause=0.0):
    raise ClientError(Code.UNAVAILABLE, "away", passing=True, pause=pause)


@pytest.mark.parametrize("seconds", [0.3, 5.0, 60.0, 3600.0])
def test_attempts_go_on_until_the_deadline(clock, seconds):
    with pytest.raises(ClientError, match=r"UNAVAILABLE: away \(tried \d+ times in ") as caught:
        repeat(away, Deadline(seconds))
    assert seconds - 0.05 < clock.now - 1000 < seconds + 1e-6
    assert not caught.value.passing
    # Pauses double up to two seconds, of which up to a half is left out at random.
    for number, pause in enumerate(clock.pauses):
        step = min(0.1 * 2.0 ** min(number, 10), 2.0)
        assert pause <= step
        if sum(clock.pauses[: number + 1]) < seconds / 2:
            assert pause >= step / 2
    assert len(clock.pauses) < 20 + seconds


def test_pauses_differ_from_client_to_client(clock):
    with pytest.raises(ClientError):
        repeat(away, Deadline(60))
    first, clock.pauses = clock.pauses, []
    with pytest.raises(ClientError):
        repeat(away, Deadline(60))
    assert first[:5] != clock.pauses[:5]


def test_a_server_that_asks_for_a_pause_gets_it(clock):
    with pytest.raises(ClientError):
        repeat(lambda seconds: away(seconds, pause=7.0), Deadline(100))
    assert clock.pauses[:5] == [7.0] * 5


def test_attempts_get_what_is_left_and_the_number_of_retries_is_kept(clock):
    given = []

    def attempt(seconds):
        given.append(seconds)
        clock.now += 1
        away(seconds)

    with pytest.raises(ClientError, match="tried 4 times"):
        repeat(attempt, Deadline(60), retries=3)
    assert given[0] == 60
    assert np.all(np.diff(given) < -1)
    with pytest.raises(ClientError, match="tried once"):
        repeat(attempt, Deadline(60), retries=0)


def test_what_was_met_before_the_time_was_over_is_told(clock):
    def attempt(seconds):
        if clock.pauses:
            clock.now += seconds
            raise ClientError(Code.DEADLINE_EXCEEDED, "late")
        away(seconds)

    with pytest.raises(ClientError, match=r"UNAVAILABLE: away \(tried twice|tried 2 times in 5 "):
        repeat(attempt, Deadline(5))


SERVERS = {"grpc": grpc_server, "rest": rest_server}


@pytest.mark.parametrize(
    ("api", "failures"),
    [
        ("grpc", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "UNAVAILABLE"]),
        ("rest", [503, 429, 502]),
        ("rest", ["reset", "close", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"]),
        ("rest", [b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nX", b'HTTP/1.1 200 OK\r\n\r\n{"outpu']),
    ],
)
def test_failures_that_pass_are_repeated(api, failures):
    with (
        SERVERS[api](failures) as (address, server),
        Client(address, deadline=LONG, batch_size=None) as client,
    ):
        client.predict({"x": np.zeros(300_000)})
    assert server.calls == 4


NOT_HTTP = b"\0\0\x12\4\0\0\0\0\0\0\3\0\0"


@pytest.mark.parametrize(
    ("api", "failure", "code"),
    [
        ("grpc", "INVALID_ARGUMENT", Code.INVALID_ARGUMENT),
        ("grpc", "UNAUTHENTICATED", Code.UNAUTHENTICATED),
        ("grpc", "PERMISSION_DENIED", Code.PERMISSION_DENIED),
        ("grpc", "UNIMPLEMENTED", Code.UNIMPLEMENTED),
        ("grpc", "FAILED_PRECONDITION", Code.FAILED_PRECONDITION),
        ("grpc", "INTERNAL", Code.INTERNAL),
        ("grpc", "DEADLINE_EXCEEDED", Code.DEADLINE_EXCEEDED),
        ("grpc", "NOT_FOUND", Code.NOT_FOUND),
        ("grpc", "RESOURCE_EXHAUSTED: Received message larger than max", Code.RESOURCE_EXHAUSTED),
        ("rest", 400, Code.INVALID_ARGUMENT),
        ("rest", 401, Code.UNAUTHENTICATED),
        ("rest", 403, Code.PERMISSION_DENIED),
        ("rest", 404, Code.NOT_FOUND),
        ("rest", 413, Code.INVALID_ARGUMENT),
        ("rest", 501, Code.UNIMPLEMENTED),
        ("rest", 500, Code.INTERNAL),
        ("rest", 504, Code.DEADLINE_EXCEEDED),
        ("rest", 301, Code.UNKNOWN),
        ("rest", NOT_HTTP, Code.UNAVAILABLE),
        ("rest", http_reply(200, [1]), Code.INTERNAL),
        ("rest", http_reply(200, {"outputs": 1.0})[:-3] + b"}}}", Code.INTERNAL),
        ("rest", b"HTTP/1.0 403 No\r\n\r\n<html>no", Code.PERMISSION_DENIED),
    ],
)
def test_failures_that_stay_end_at_once(api, failure, code):
    with SERVERS[api]([failure] * 5) as (address, server):
        start = time.monotonic()
        client = Client(address, deadline=LONG)
        with client, pytest.raises(ClientError) as caught:
            client.predict({"x": [1.0]})
        assert time.monotonic() - start < LONG / 4
    assert caught.value.code == code
    assert server.calls == 1


@pytest.mark.parametrize(("api", "failure"), [("grpc", "UNAVAILABLE"), ("rest", 503)])
@pytest.mark.parametrize("retries", [0, 2])
def test_the_number_of_retries(api, failure, retries):
    with SERVERS[api]([failure] * 5) as (address, server):
        client = Client(address, deadline=LONG, retries=retries)
        with client, pytest.raises(ClientError, match="UNAVAILABLE: not now"):
            client.predict({"x": [1.0]})
    assert server.calls == retries + 1


@pytest.mark.parametrize(("api", "failure"), [("grpc", "NOT_FOUND"), ("rest", 404)])
def test_a_model_that_is_loaded_is_waited_for(api, failure):
    states = ["START", "LOADING", "AVAILABLE"]
    with (
        SERVERS[api]([failure] * 3, states) as (address, server),
        Client(address, deadline=LONG) as client,
    ):
        client.predict({"x": [1.0]})
    assert server.calls == 4
    # One that did not load is not, nor one that ends.
    for state in ("END", "UNLOADING"):
        with SERVERS[api]([failure] * 3, [state]) as (address, server):
            client = Client(address, deadline=LONG)
            with client, pytest.raises(ClientError, match="NOT_FOUND: not now"):
                client.predict({"x": [1.0]})
        assert server.calls == 1


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "reply",
    [
        "silence",
        (b"", b"H"),
        (HEAD, b"X: a\r\n"),
        (HEAD + b"X: ", b"a"),
        (HEAD + b"Content-Length: 1000000\r\n\r\n{", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (HEAD + b"\r\n{", b" "),
    ],
)
def test_who_sends_slowly_does_not_stretch_the_deadline(reply):
    with rest_server([reply] * 100) as (address, server):
        start = time.monotonic()
        client = Client(address, deadline=0.6)
        with client, pytest.raises(ClientError) as caught:
            client.predict({"x": [1.0]})
        assert 0.5 < time.monotonic() - start < 3
    assert caught.value.code == Code.DEADLINE_EXCEEDED
    assert server.calls == 1


def test_who_reads_nothing_does_not_stretch_the_deadline():
    # A listener that nobody accepts from takes connections, and bytes up to its buffer.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for scheme in ("http://", ""):
            start = time.monotonic()
            client = Client(f"{scheme}127.0.0.1:{listener.getsockname()[1]}", deadline=0.5)
            with client, pytest.raises(ClientError):
                client.predict({"x": np.zeros(2_000_000)})
            assert time.monotonic() - start < 3


@pytest.mark.parametrize(("api", "failure"), [("grpc", "UNAVAILABLE"), ("rest", 503)])
def test_attempts_end_at_the_deadline(api, failure):
    with SERVERS[api]([failure] * 1000) as (address, server):
        start = time.monotonic()
        client = Client(address, deadline=1.0)
        with client, pytest.raises(ClientError, match=r"UNAVAILABLE: not now \(tried"):
            client.predict({"x": [1.0]})
        assert 0.9 < time.monotonic() - start < 3
    assert 2 < server.calls < 20


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_no_server(scheme):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    start = time.monotonic()
    client = Client(scheme + address, deadline=1.0)
    with client, pytest.raises(ClientError, match=r"refused.* \(tried \d+ times") as caught:
        client.status()
    assert caught.value.code == Code.UNAVAILABLE
    assert 0.9 < time.monotonic() - start < 3


@pytest.mark.parametrize("api", ["grpc", "rest"])
def test_a_server_that_restarts_is_reached(models, api):
    with running(models) as server:
        ports = {"grpc_port": int(server.grpc_address.split(":")[1]), "rest_port": server.rest_port}
        address = getattr(server, f"{api}_address")
        with Client(address, deadline=LONG) as client:
            assert client.predict({"x": [1.0]})["y"].tolist() == [2.0]
            answers, enough = [], threading.Event()

            def ask():
                while not enough.is_set():
                    answers.append(client.predict({"x": [1.0]})["y"].tolist())

            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                asked = pool.submit(ask)
                eventually(lambda: answers)
                server.end()
                before = len(answers)
                time.sleep(0.5)
                with running(models, **ports):
                    eventually(lambda: asked.done() or len(answers) > before + 3)
                    enough.set()
                    asked.result(30)
    assert answers == [[2.0]] * len(answers)


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_names_without_an_address(scheme):
    start = time.monotonic()
    client = Client(f"{scheme}nothing.invalid:8500", deadline=LONG)
    with client, pytest.raises(ClientError) as caught:
        client.status()
    assert caught.value.code == Code.UNAVAILABLE
    assert time.monotonic() - start < LONG / 2


def test_a_name_that_is_looked_up_slowly_or_not_at_once(monkeypatch):
    asked = []

    def slow(*_, **__):
        asked.append(1)
        if len(asked) == 1:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        time.sleep(5)

    monkeypatch.setattr(client_rest.socket, "getaddrinfo", slow)
    start = time.monotonic()
    client = Client("http://slow.example", deadline=0.5)
    with client, pytest.raises(ClientError, match="try again"):
        client.status()
    assert time.monotonic() - start < 3
    assert len(asked) == 2


@pytest.mark.parametrize(
    "address",
    [
        *("", "localhost", "localhost:", ":8500", "localhost:0", "localhost:65536", "a b:1"),
        *("host:port", "::1:8500", "ftp://localhost:1", "http:/localhost", "http://", "http://:1"),
        *("http://localhost:port", "http://localhost:99999", "http://a b/", "https://a?b"),
        *("http://user@host", "http://host:0", "http://[::1"),
    ],
)
def test_addresses_that_are_none(address):
    with pytest.raises(InputError, match="`address` must be"):
        Client(address)


@pytest.mark.parametrize(
    "address",
    [
        *("localhost:1", "127.0.0.1:65535", "[::1]:8500", "dns:///localhost:1", "unix:/tmp/x"),
        *("http://localhost", "https://localhost:1/a/b/", "http://[::1]:8501", "HTTP://localhost"),
    ],
)
def test_addresses(address):
    Client(address).close()


def test_credentials_fit_the_address():
    channel, context = grpc.ssl_channel_credentials(), ssl.create_default_context()
    for address, options, message in (
        ("localhost:1", {"credentials": context}, "grpc.ChannelCredentials"),
        ("https://localhost", {"credentials": channel}, "ssl.SSLContext"),
        ("http://localhost", {"credentials": context}, "https://"),
        ("http://localhost", {"secure": True}, "https://"),
    ):
        with pytest.raises(InputError, match=message):
            Client(address, **options)
    with pytest.raises(InputError, match="one of them must be None"):
        Client(version=1, label="stable")


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificates")
def test_tls(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    start = time.monotonic()
    pair = [(key.read_bytes(), certificate.read_bytes())]
    with grpc_server(credentials=grpc.ssl_server_credentials(pair)) as (address, servicer):
        trusted = grpc.ssl_channel_credentials(certificate.read_bytes())
        with Client(address, credentials=trusted, deadline=LONG) as client:
            assert client.predict({"x": [1.0]}) == {}
        # Not in the clear, which looks like a server that ends; nor by the certificates that
        # everyone trusts, at once.
        for arguments in ({"retries": 0}, {"secure": True}):
            client = Client(address, deadline=LONG, **arguments)
            with client, pytest.raises(ClientError) as caught:
                client.predict({"x": [1.0]})
            assert caught.value.code == Code.UNAVAILABLE
    assert servicer.calls == 1
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with rest_server(context=context) as (address, server):
        address = address.replace("http://", "https://")
        own = ssl.create_default_context(cafile=str(certificate))
        with Client(address, credentials=own, deadline=LONG) as client:
            assert client.predict({"x": [1.0]})["y"].tolist() == [2.0]
        client = Client(address, deadline=LONG)
        with client, pytest.raises(ClientError, match="CERTIFICATE_VERIFY_FAILED"):
            client.predict({"x": [1.0]})
    assert server.calls == 1
    # No TLS at the other end, whose bytes are none of a handshake.
    with rest_server([b"HTTP/1.1 400 Bad\r\n\r\n"]) as (address, server):
        client = Client(address.replace("http://", "https://"), deadline=LONG)
        with client, pytest.raises(ClientError) as caught:
            client.status()
        assert caught.value.code == Code.UNAVAILABLE
    assert time.monotonic() - start < LONG
