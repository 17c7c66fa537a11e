"""Requests that no honest client sends, from a seed."""

import base64
import json
import random
import socket
from collections.abc import Callable

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

PREDICT = "/tensorflow.serving.PredictionService/Predict"
# Seconds for an answer to one of them.
PATIENCE = 20.0


def attacks(seed: int, count: int) -> list[Callable]:
    """So many attacks; each takes the server and returns what it answered."""
    source = random.Random(seed)
    return [_attack(random.Random(source.random())) for _ in range(count)]


def _attack(source: random.Random) -> Callable:
    kind = source.random()
    if kind < 0.3:
        # Half a request has no answer; most of the others come at once.
        text, seconds = source.choice(_HTTP)(source), source.choice([0.01, 0.1])
        return lambda server: send(server, text, seconds)
    if kind < 0.65:
        body = source.choice(_BODIES)(source)
        return lambda server: post(server, body)
    message = source.choice(_MESSAGES)(source)
    return lambda server: predict(server, message)


def send(server, text: bytes, seconds: float = PATIENCE) -> bytes:
    """The beginning of the answer to bytes, or none."""
    with socket.create_connection(("127.0.0.1", server.rest_port), PATIENCE) as connection:
        try:
            connection.sendall(text)
            connection.settimeout(seconds)
            return connection.recv(4096)
        except (ConnectionError, TimeoutError):
            return b""


def post(server, body: bytes) -> int:
    """The status of the answer to a body."""
    head = f"POST {server.model}:predict HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = send(server, head.encode() + body)
    status = int(answer.split()[1])
    assert status in (200, 400, 404, 413, 503), (body[:200], answer)
    return status


def predict(server, message: bytes) -> grpc.StatusCode:
    """The code of the answer to bytes that may be a message."""
    call = server.channel.unary_unary(PREDICT)
    try:
        call(message, timeout=PATIENCE)
    except grpc.RpcError as error:
        code, details = error.code(), error.details()
    else:
        return grpc.StatusCode.OK
    faults = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
    assert code not in faults, (message[:200], code, details)
    return code


def _lines(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _path(source: random.Random) -> bytes:
    return source.choice(
        [b"/v1/models/model:predict", b"/v1/models/model", b"/", b"/v1/models/%00"]
    )


def _bytes(source: random.Random, most: int) -> bytes:
    return source.randbytes(source.randrange(most))


def _head(source: random.Random, *lines: bytes, body: bytes = b"") -> bytes:
    return _lines(b"POST " + _path(source) + b" HTTP/1.1", b"Host: a", *lines, body=body)


def _request_line(source: random.Random) -> bytes:
    return source.choice(
        [
            *(b"GET", b"GET /", b"GET / HTTP/9.9", b"\0\0\0", b"get / http/1.1", b" / HTTP/1.1"),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\0\x01\0",
            b"GET " + b"/a" * source.randrange(20_000) + b" HTTP/1.1\r\n\r\n",
            b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET http://other/v1/models/model HTTP/1.1\r\n\r\n",
            b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
            b"X" * source.randrange(1, 9000) + b" / HTTP/1.1\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        ]
    )


def _header_flood(source: random.Random) -> bytes:
    count = source.randrange(2000)
    return _head(source, *(b"X-%d: %s" % (i, b"a" * source.randrange(50)) for i in range(count)))


def _odd_headers(source: random.Random) -> bytes:
    lines = [
        *(b"A" * 9000 + b": b", b": b", b"A b: c", b"A", b" folded: a", b"A: \0", b"A: \xff\xfe"),
        *(b"Host: b", b"Connection: upgrade", b"Upgrade: websocket", b"Expect: 200-ok"),
        *(b"Content-Encoding: gzip", b"Content-Encoding: br", b"Content-Type: a;b=\xff"),
    ]
    body = _bytes(source, 100)
    length = b"Content-Length: %d" % len(body)
    return _head(source, *source.sample(lines, source.randrange(4)), length, body=body)


def _content_length(source: random.Random) -> bytes:
    values = [
        b"-1",
        b"1e3",
        b"0x10",
        b"+5",
        b" ",
        b"1,1",
        b"9" * 400,
        b"99999999999",
        b"3",
        b"\xb2",
    ]
    lines = [b"Content-Length: " + each for each in source.sample(values, source.choice([1, 1, 2]))]
    if source.random() < 0.3:
        lines.append(b"Transfer-Encoding: chunked")
    return _head(source, *lines, body=_bytes(source, 50))


def _chunks(source: random.Random) -> bytes:
    sizes = [
        b"-1",
        b"g",
        b"FFFFFFFFFFFFFFFFFF",
        b"5;" + b"a" * 9000,
        b"",
        b"0x5",
        b"5",
        b"0",
        b"1 ",
    ]
    chunks = [
        source.choice(sizes) + b"\r\n" + _bytes(source, 20) + b"\r\n"
        for _ in range(source.randrange(50))
    ]
    end = source.choice([b"", b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n"])
    coding = source.choice([b"chunked", b"chunked, chunked", b"gzip", b"xchunked", b"identity"])
    return _head(source, b"Transfer-Encoding: " + coding, body=b"".join(chunks) + end)


def _expect(source: random.Random) -> bytes:
    length = b"Content-Length: %d" % source.choice([0, 5, 10**9])
    return _head(source, b"Expect: 100-continue", length, body=_bytes(source, 10))


def _pipeline(source: random.Random) -> bytes:
    body = b'{"inputs": [1.0]}'
    length = b"Content-Length: %d" % (len(body) - source.choice([0, 0, 1, 5]))
    return b"".join(_head(source, length, body=body) for _ in range(source.randrange(1, 40)))


_HTTP = (
    *(_request_line, _header_flood, _odd_headers, _content_length, _chunks, _expect, _pipeline),
    lambda source: _bytes(source, 5000),
)


def _json(source: random.Random, depth: int = 3):
    leaves = [
        *(None, True, 0, -1, 1e308, 10**400, -(10**30), 0.1, "", "a", "\0", "\ud800", "ä" * 50),
        *({"b64": "a"}, {"b64": "!!!"}, {"b64": 5}, {"b64": ""}, {"b64": "YQ==", "a": 1}),
        *([], {}, [[]], float("nan"), float("inf")),
    ]
    kind = source.random() if depth else 0
    if kind < 0.5:
        return source.choice(leaves)
    values = [_json(source, depth - 1) for _ in range(source.randrange(4))]
    names = ["x", "ids", "weight", "text", "inputs", "", "b64"]
    return values if kind < 0.75 else {source.choice(names): each for each in values}


def _document(source: random.Random) -> bytes:
    document = {source.choice(["inputs", "instances", "examples"]): _json(source)}
    if source.random() < 0.7:
        names = ["echo", "add", "split", "total", "none", "", "\ud800", 5, "x" * 5000]
        document["signature_name"] = source.choice(names)
    return json.dumps(document, ensure_ascii=source.random() < 0.5).encode(errors="surrogatepass")


def _damaged(source: random.Random) -> bytes:
    body = bytearray(_document(source))
    for _ in range(source.randrange(1, 4)):
        place = source.randrange(len(body))
        if source.random() < 0.5:
            del body[place:]
            body += b"{"
        else:
            body[place] = source.randrange(256)
    return bytes(body)


def _deep(source: random.Random) -> bytes:
    depth = source.choice([30, 33, 100, 990, 1000, 5000, 100_000])
    opening, closing = source.choice([(b"[", b"]"), (b'{"a":', b"}")])
    return b'{"inputs": ' + opening * depth + b"1" + closing * source.choice([0, depth]) + b"}"


def _many(source: random.Random) -> bytes:
    count = source.choice([0, 1, 1024, 1025, 100_000])
    item = source.choice([b'"a"', b'""', b"1", b"[]", b"{}", b"[1]", b'{"b64": "YQ=="}', b"1e999"])
    name = source.choice([b"inputs", b"instances"])
    rows = b",".join([item] * count)
    signature = source.choice([b"echo", b"add", b"serving_default"])
    return b'{"signature_name": "%s", "%s": [%s]}' % (signature, name, rows)


def _large(source: random.Random) -> bytes:
    text = source.choice([b"a", b" ", b"\\u0041", b"\xff", "ä".encode(), b"\\ud800"])
    text *= source.choice([1000, 100_000, 300_000])
    return b'{"signature_name": "echo", "inputs": ["%s"]}' % text


def _odd_json(source: random.Random) -> bytes:
    return source.choice(
        [
            *(b"", b"null", b"[]", b"1", b'"', b"{", b"\xef\xbb\xbf{}", b"NaN", b"\0", b"{}" * 50),
            b'{"inputs": [1], "inputs": [2], "inputs": "a"}',
            b'{"inputs": [1], "instances": [1]}',
            b'{"inputs": [' + b"9" * 5000 + b"]}",
            b'{"inputs": [1e' + b"9" * 500 + b"]}",
            b'{"inputs": [-' + b"0" * 5000 + b"]}",
            '{"inputs": [1.0]}'.encode("utf-16"),
            '{"inputs": [1.0]}'.encode("utf-32"),
            base64.b64encode(_bytes(source, 500)),
        ]
    )


_BODIES = (_document, _document, _damaged, _deep, _many, _large, _odd_json)
_VALUES = ("string_val", "float_val", "double_val", "int_val", "int64_val", "bool_val", "half_val")


_SMALL = tf.make_tensor_proto(np.float32([1, 2]))


def _tensor(source: random.Random):
    values = source.choice(
        [
            *(np.float32([1, 2]), np.int32([[1, 2]]), np.array([b"a", b"\0\xff"], object)),
            *(
                np.float64([0.0]),
                np.zeros((0,), np.float32),
                np.zeros((0, 0), np.int32),
                np.float32(1),
            ),
            *(np.float16([1]), np.array([True]), np.complex64([1]), np.ones(1500, np.float32)),
            np.array([b"a"] * source.choice([3, 100_000]), object),
        ]
    )
    proto = tf.make_tensor_proto(values)
    for _ in range(source.choice([0, 1, 1, 2])):
        change = source.randrange(6)
        if change == 0:
            del proto.tensor_shape.dim[:]
            sizes = [0, 1, 2, 3, -1, -(1 << 62), 1 << 20, 1 << 31, 1 << 40, 1 << 62, (1 << 63) - 1]
            for _ in range(source.choice([0, 1, 1, 2, 2, 3, 300])):
                proto.tensor_shape.dim.add(size=source.choice(sizes))
        elif change == 1:
            proto.dtype = source.choice([*range(27), 101, 120, 10_000, 2**31 - 1])
        elif change == 2:
            proto.tensor_content = _bytes(source, 20)
        elif change == 3:
            field = source.choice(_VALUES)
            proto.ClearField(field)
            getattr(proto, field).extend([b"a"] if field == "string_val" else [1])
        elif change == 4:
            proto.tensor_shape.unknown_rank = True
        else:
            proto.ClearField(source.choice(["dtype", "tensor_shape", "tensor_content", *_VALUES]))
    return proto


def _message(source: random.Random):
    message = predict_pb2.PredictRequest()
    message.model_spec.name = source.choice(["model"] * 9 + ["", "other", "a" * 5000])
    signatures = ["", "", "add", "echo", "split", "total", "none", "\0", "a" * 5000]
    message.model_spec.signature_name = source.choice(signatures)
    if source.random() < 0.1:
        message.model_spec.version.value = source.choice([1, 0, -1, 2**62])
    elif source.random() < 0.1:
        message.model_spec.version_label = source.choice(["", "stable", "a" * 5000])
    if source.random() < 0.1:
        message.output_filter.extend(source.choices(["y", "text", "none", ""], k=3))
    names = source.choice([["x"], ["text"], ["ids", "weight"], [""], ["x", "z"]])
    if source.random() < 0.03:
        names = [f"input {index}" for index in range(5000)]
    for name in names:
        # Of many inputs small ones: the test must hold them too.
        message.inputs[name].CopyFrom(_SMALL if len(names) > 9 else _tensor(source))
    return message


def _cut(source: random.Random) -> bytes:
    message = bytearray(_message(source).SerializeToString()[:100_000])
    for _ in range(source.randrange(1, 5)):
        if message:
            message[source.randrange(len(message))] = source.randrange(256)
    return bytes(message[: source.choice([len(message), source.randrange(len(message) + 1)])])


_MESSAGES = (
    *[lambda source: _message(source).SerializeToString()] * 4,
    *(_cut, _cut, lambda source: _bytes(source, 2000)),
    # A field of a length that is not there, groups in groups, a number without end.
    lambda source: source.choice([b"\x0a\xff\xff\xff\x7f", b"\x0b" * 10_000, b"\xff" * 100]),
)
