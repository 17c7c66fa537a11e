"""What a request asks for is refused before it is allocated, read or waited for."""

import contextlib
import gzip
import json
import socket
import time
import tracemalloc
import urllib.parse

import grpc
import numpy as np
import pytest
import tensorflow as tf

from exports.serving import json_tensors
from exports.serving.errors import ServingError
from exports.serving.tensors import from_proto
from tests.exports.local_server import eventually, running

IDS = tf.TensorSpec([None, None], tf.int32)
TEXT = tf.TensorSpec([None], tf.string)


@pytest.fixture(scope="module")
def small(models):
    """A server of little memory and few connections."""
    limits = {"max_message_bytes": 100_000, "max_total_bytes": 200_000, "max_connections": 4}
    with running(models, **limits) as result:
        yield result


def declared(values, *shape, content=None):
    """A message of these values that declares a shape."""
    proto = tf.make_tensor_proto(values)
    if content is not None:
        proto.ClearField("int_val")
        proto.tensor_content = content
    del proto.tensor_shape.dim[:]
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


@pytest.mark.parametrize(
    ("proto", "spec"),
    [
        (declared(np.int32(1), 1, 64 << 20), IDS),
        (declared(np.int32(1), 1000, 1 << 19), IDS),
        (declared(np.int32([1, 2]), 1, 1 << 62), IDS),
        (declared(np.int32(1), 1 << 62, 1 << 62), IDS),
        (declared(np.int32(1), 1001, 0), IDS),
        (declared(np.int32(1), -1, 2), IDS),
        (declared(np.int32(1), 1, 1 << 20, content=b"1234"), IDS),
        (declared(np.int32(1), 1, 2, content=b"12345"), IDS),
        (declared(b"a", 1 << 20), TEXT),
        (declared(b"a", 1000, 1000), TEXT),
        (declared([b"a", b"b"], 1000, 1 << 30), TEXT),
        (declared(np.float32(0), 1, 1 << 25), tf.TensorSpec([None, None], tf.float32)),
        (declared(np.float64(0), 1, 1 << 25), tf.TensorSpec([None, None], tf.float64)),
        (declared(np.float16(0), 1, 1 << 25), tf.TensorSpec([None, None], tf.float16)),
        (declared(np.int64(0), 1, 1 << 25), tf.TensorSpec([None, None], tf.int64)),
        (declared(True, 1, 1 << 25), tf.TensorSpec([None, None], tf.bool)),
    ],
)
def test_a_message_that_declares_more_than_it_holds(proto, spec):
    tracemalloc.start()
    try:
        with pytest.raises(ServingError) as caught:
            from_proto("ids", proto, spec, 1000)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert "'ids'" in caught.value.message


@pytest.mark.parametrize(
    ("proto", "spec", "expected"),
    [
        # As TensorFlow itself writes equal values.
        (declared(np.int32(3), 2, 100), IDS, np.full((2, 100), 3)),
        (tf.make_tensor_proto(np.zeros((2, 0), np.int32)), IDS, np.zeros((2, 0))),
        (tf.make_tensor_proto(np.ones((10, 40_000), np.int32)), IDS, np.ones((10, 40_000))),
        (tf.make_tensor_proto([b"a"] * 900), TEXT, np.array([b"a"] * 900, object)),
    ],
)
def test_messages_that_hold_what_they_declare(proto, spec, expected):
    np.testing.assert_array_equal(from_proto("ids", proto, spec, 1000), expected)


def test_a_large_declaration_over_the_wire(small):
    from tests.exports.serving.test_rpc import request

    inputs = {"ids": declared(np.int32(1), 1, 16 << 20), "weight": tf.make_tensor_proto([1.0])}
    with small.stub() as stub, pytest.raises(grpc.RpcError) as caught:
        stub.Predict(request(inputs, signature="add"))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@contextlib.contextmanager
def connected(server, text=b""):
    with socket.create_connection(("127.0.0.1", server.rest_port), timeout=20) as connection:
        connection.sendall(text)
        yield connection


def post(server, *headers, body=b""):
    lines = [f"POST {server.model}:predict HTTP/1.1", "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_values_are_counted_before_they_are_parsed(small):
    # Within the bytes of a request, as objects in memory far beyond those of all requests.
    for body in (b'{"inputs": [' + b"[]," * 9000, b'{"inputs": [' + b"{}," * 9000, b"1," * 40_000):
        status, reply = small.predict(body)
        assert status == 503
        assert "--max-total-bytes" in reply["error"]
    assert small.predict({"inputs": [1.0]})[0] == 200


def test_requests_share_the_memory(small):
    # Each has sent half of what it declares, and none is given up yet.
    headers = ["Content-Length: 99000"]
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(connected(small, post(small, *headers, body=b" " * 90_000)))
        connection = stack.enter_context(connected(small, post(small, *headers)))
        connection.sendall(b" " * 90_000)
        assert connection.recv(100).startswith(b"HTTP/1.1 503")
    # They have gone, and with them what they held.
    eventually(lambda: small.predict(json.dumps({"inputs": [1.0] * 500}).encode())[0] == 200)


def test_a_body_is_refused_by_its_declared_size(small):
    with connected(small, post(small, "Content-Length: 99999999999")) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    # A body in chunks does not say how long it is.
    with connected(small, post(small, "Transfer-Encoding: chunked", body=chunk * 4)) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_is_short_because_it_is_compressed(small):
    body = gzip.compress(b" " * 50_000_000)
    assert len(body) < 100_000
    text = post(small, "Content-Encoding: gzip", f"Content-Length: {len(body)}", body=body)
    with connected(small, text) as connection:
        assert connection.recv(100).split()[1] in (b"413", b"400")
    assert small.predict({"inputs": [1.0]})[0] == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_body_that_is_no_compression(small, encoding):
    text = post(small, f"Content-Encoding: {encoding}", "Content-Length: 5", body=b"\1\2\3\4\5")
    with connected(small, text) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_of_too_many_connections_the_silent_ones_give_way(small):
    with contextlib.ExitStack() as stack:
        # Nothing, half a head and half a body.
        texts = [b"", b"", b"POST /v1/mod", post(small, "Content-Length: 9", body=b"{")]
        connections = [stack.enter_context(connected(small, text)) for text in texts]
        for oldest in connections:
            connection = stack.enter_context(connected(small))
            connection.sendall(f"GET {small.model} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
            # The one that was waited for longest, and no other.
            with contextlib.suppress(ConnectionResetError):
                assert oldest.recv(100) == b""


def test_who_asks_again_and_again_stays(small):
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(connected(small))
        body = b'{"inputs": [1.0]}'
        for _ in range(8):
            connection.sendall(post(small, f"Content-Length: {len(body)}", body=body))
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
            stack.enter_context(connected(small))


def test_work_leaves_connections_to_ask_how_the_server_is(models):
    with running(models, max_connections=4) as server, contextlib.ExitStack() as stack:
        body = b'{"signature_name": "wait", "inputs": [2.0]}'
        text = post(server, f"Content-Length: {len(body)}", body=body)
        busy = [stack.enter_context(connected(server, text)) for _ in range(3)]
        eventually(lambda: server.metric("serving_batch_rows_count", signature="wait") > 0)
        eventually(lambda: server.predict({"inputs": [1.0]})[0] == 503)
        for _ in range(5):
            assert server.get(server.model)[0] == 200
        for connection in busy:
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        assert server.predict({"inputs": [1.0]})[0] == 200


def test_grpc_connections_are_bounded(models):
    with running(models, max_connections=4) as server, contextlib.ExitStack() as stack:
        host, port = server.grpc_address.split(":")
        for _ in range(20):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=20))
        assert server.get(server.model)[0] == 200


def test_slow_senders_are_given_up(models):
    with running(models, deadline=1.0) as server:
        body, beginning, nothing = (
            post(server, "Content-Length: 100", body=b"{"),
            b"POST /v1/mod",
            b"",
        )
        with connected(server, body) as connection:
            assert connection.recv(100).startswith(b"HTTP/1.1 408")
        for text in (beginning, nothing):
            with connected(server, text) as connection:
                assert connection.recv(100) == b""


def test_a_body_that_is_half_there_does_not_hold_up_the_end(models):
    with running(models, deadline=60) as server:
        half = post(server, "Content-Length: 100", body=b"{")
        with connected(server, half) as connection:
            time.sleep(0.2)
            started = time.monotonic()
            server.end()
            assert connection.recv(100).startswith(b"HTTP/1.1 503")
            assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (json.loads("[" * 40 + "1" + "]" * 40), tf.int32),
        (json.loads("[" * 300 + "]" * 300), tf.string),
        ([{"b64": "=" * 10_000}], tf.string),
        ([{"b64": "=" * 10_000}], tf.int32),
        ([{"a" * 10_000: [[["b"]]]}], tf.string),
        ([{"a" * 10_000: [[["b"]]]}], tf.float32),
        ([["x" * 10_000]], tf.int32),
        ([10**4000], tf.int32),
    ],
)
def test_odd_values_have_a_short_answer(value, dtype):
    with pytest.raises(ServingError, match="input 'x'") as caught:
        json_tensors.read({"inputs": {"x": value}}, {"x": tf.TensorSpec([None], dtype)})
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..", "<script>", "model\r\nX-Evil: 1", "%", "a" * 5000, "мо"]
)
def test_names_lead_nowhere(small, name):
    path = f"/v1/models/{urllib.parse.quote(name, safe='')}"
    for request in (f"GET {path} HTTP/1.1", f"GET {path}/versions/1/metadata HTTP/1.1"):
        with connected(
            small, f"{request}\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
        ) as found:
            reply = b"".join(iter(lambda: found.recv(65536), b""))
        head, _, body = reply.partition(b"\r\n\r\n")
        assert head.split()[1] in (b"400", b"404")
        assert b"X-Evil" not in head
        assert b"nosniff" in head
        assert set(json.loads(body)) == {"error"}
