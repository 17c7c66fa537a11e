import concurrent.futures
import contextlib
import shutil
import subprocess
import sys
import time

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from exports.client import Client, ClientError
from keras_bert.errors import InputError
from tests.exports.local_server import running


@pytest.fixture(scope="module")
def client(server):
    with Client(server.grpc_address) as result:
        yield result


def test_predict(client):
    reply = client.predict({"x": [1, 2.5]})
    np.testing.assert_array_equal(reply["y"], np.array([2, 5], np.float32), strict=True)
    reply = client.predict({"x": np.array([1.0, 2.0])}, signature="total", outputs=["total"])
    assert {name: array.tolist() for name, array in reply.items()} == {"total": 3.0}


def test_strings(client):
    for text in (["a", "ä", b"\xff\0"], np.array(["a", "ä"]), np.array([b"a"], object), []):
        expected = [item if isinstance(item, bytes) else item.encode() for item in text]
        assert client.predict({"text": text}, signature="echo")["text"].tolist() == expected


def test_numbers_become_the_signatures_type(client):
    for ids in ([[1, 2]], np.array([[1, 2]], np.int64), np.array([[1, 2]], np.uint8)):
        reply = client.predict({"ids": ids, "weight": np.ones(1)}, signature="add")
        assert reply["sum"].tolist() == [3]
        assert reply["weighted"].dtype == np.float32


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[1.5]], "must be int32. Received: float64"),
        ([[2**31]], "has a number that int32 does not hold"),
        ([[1], [1, 2]], "no tensor"),
        ([["a"]], "no tensor"),
    ],
)
def test_numbers_of_another_type(client, ids, message):
    with pytest.raises(InputError, match=f"input 'ids' .*{message}"):
        client.predict({"ids": ids, "weight": [1.0]}, signature="add")


@pytest.mark.parametrize("text", [["a", 1], [["a", "b"], ["c"]], [None]])
def test_strings_that_are_none(client, text):
    with pytest.raises(InputError, match="not all of it is strings"):
        client.predict({"text": text}, signature="echo")


def test_big_inputs_are_cut_and_joined(models):
    values = np.arange(25, dtype=np.float32)
    ids = np.arange(50).reshape(25, 2)
    with running(models, max_rows=10) as server:
        with Client(server.grpc_address, batch_size=10) as client:
            np.testing.assert_array_equal(client.predict({"x": values})["y"], 2 * values)
            reply = client.predict({"ids": ids, "weight": values}, signature="add")
            np.testing.assert_array_equal(reply["sum"], ids.sum(axis=1))
            assert reply["weighted"].shape == (25, 2)
            count = {"api": "grpc", "method": "Predict"}
            assert server.metric("serving_requests_total", **count, status="OK") == 6
            for signature in ("total", "drop_large"):
                with pytest.raises(InputError, match="`batch_size` must be None"):
                    client.predict({"x": values}, signature=signature)
        whole = Client(server.grpc_address, batch_size=None)
        with whole, pytest.raises(ClientError, match=r"at most 10 rows\. Received: 25"):
            whole.predict({"x": values})


def test_signatures(client):
    signatures = client.signatures()
    assert set(signatures) == {
        *("serving_default", "add", "echo", "split", "total", "drop_large", "wait"),
    }
    assert signatures["add"].inputs == {
        "ids": ("int32", (None, None)),
        "weight": ("float32", (None,)),
    }
    assert signatures["echo"].outputs["raw_bytes"].dtype == "string"
    assert signatures["total"].outputs["total"].shape == ()


def test_status(client, server):
    assert client.status() == {1: ("AVAILABLE", "")}
    with Client(server.grpc_address, version=1) as chosen:
        assert chosen.predict({"x": [1.0]})["y"] == [2.0]


@pytest.mark.parametrize(
    ("options", "call", "code", "message"),
    [
        ({}, {"inputs": {"x": [-1.0]}}, "INVALID_ARGUMENT", "below zero"),
        ({}, {"inputs": {"z": [1.0]}}, "INVALID_ARGUMENT", "takes the inputs x"),
        ({}, {"inputs": {"x": 1.0}}, "INVALID_ARGUMENT", "must have the shape"),
        ({}, {"inputs": {}, "signature": "z"}, "FAILED_PRECONDITION", "no signature 'z'"),
        ({"model": "other"}, {"inputs": {"x": [1.0]}}, "NOT_FOUND", r"Latest\(other\)"),
        ({"version": 5}, {"inputs": {"x": [1.0]}}, "NOT_FOUND", r"Specific\(model, 5\)"),
    ],
)
def test_errors_have_a_code(server, options, call, code, message):
    client = Client(server.grpc_address, **options)
    with client, pytest.raises(ClientError, match=message) as caught:
        client.predict(**call)
    assert caught.value.code == grpc.StatusCode[code]
    assert str(caught.value) == f"{code}: {caught.value.message}"


@pytest.mark.parametrize(
    ("name", "value"), [("deadline", 0), ("retries", 5), ("retries", -1), ("batch_size", 0)]
)
def test_wrong_arguments(name, value):
    with pytest.raises(InputError, match=f"Received: {name}={value}"):
        Client(**{name: value})


class Failing(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Fails with the given codes, one a call, and then answers."""

    def __init__(self, codes):
        self.codes = list(codes)
        self.calls = []

    def GetModelMetadata(self, request, context):  # noqa: N802 - the protocol's name
        reply = get_model_metadata_pb2.GetModelMetadataResponse()
        reply.metadata["signature_def"].Pack(get_model_metadata_pb2.SignatureDefMap())
        return reply

    def Predict(self, request, context):  # noqa: N802
        self.calls.append(time.monotonic())
        if self.codes:
            context.abort(grpc.StatusCode[self.codes.pop(0)], "not now")
        return predict_pb2.PredictResponse()


@contextlib.contextmanager
def failing(*codes, address="127.0.0.1:0", credentials=None):
    """A server's address, and the server, which fails."""
    servicer = Failing(codes)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
    port = (
        server.add_secure_port(address, credentials)
        if credentials
        else server.add_insecure_port(address)
    )
    server.start()
    try:
        yield f"127.0.0.1:{port}", servicer
    finally:
        server.stop(None).wait(30)


def test_failures_that_pass_are_retried():
    # Too large for gRPC to keep it for a repetition, unless it is told to.
    large = {"x": np.zeros(300_000)}
    with failing("UNAVAILABLE", "RESOURCE_EXHAUSTED", "UNAVAILABLE") as (address, servicer):
        client = Client(address, deadline=20, retries=3, batch_size=None)
        with client:
            assert client.predict(large) == {}
    assert len(servicer.calls) == 4


@pytest.mark.parametrize(
    ("retries", "code", "calls"),
    [(2, "UNAVAILABLE", 3), (0, "UNAVAILABLE", 1), (3, "INVALID_ARGUMENT", 1), (3, "INTERNAL", 1)],
)
def test_failures_that_stay(retries, code, calls):
    with failing(*[code] * 5) as (address, servicer):
        client = Client(address, deadline=20, retries=retries)
        with client, pytest.raises(ClientError, match=f"{code}: not now"):
            client.predict({"x": [1.0]})
    assert len(servicer.calls) == calls


def test_retries_end_at_the_deadline():
    with failing(*["UNAVAILABLE"] * 5) as (address, servicer):
        client = Client(address, deadline=0.3, retries=4)
        with client, pytest.raises(ClientError):
            client.predict({"x": [1.0]})
    # All five would take 1.5 seconds of pauses, or a little less.
    assert len(servicer.calls) < 5


def test_a_server_that_starts_late_is_reached():
    with failing() as (address, _):
        pass
    with concurrent.futures.ThreadPoolExecutor(1) as pool, Client(address, retries=4) as client:
        reply = pool.submit(client.predict, {"x": [1.0]})
        time.sleep(0.1)
        with failing(address=address):
            assert reply.result(30) == {}


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
    pair = [(key.read_bytes(), certificate.read_bytes())]
    with failing(credentials=grpc.ssl_server_credentials(pair)) as (address, servicer):
        trusted = grpc.ssl_channel_credentials(certificate.read_bytes())
        with Client(address, credentials=trusted, deadline=20) as client:
            assert client.predict({"x": [1.0]}) == {}
        # Neither in the clear, nor by the certificates that everyone trusts.
        for arguments in ({}, {"secure": True}):
            client = Client(address, retries=0, deadline=20, **arguments)
            with client, pytest.raises(ClientError) as caught:
                client.predict({"x": [1.0]})
            assert caught.value.code == grpc.StatusCode.UNAVAILABLE
    assert len(servicer.calls) == 1


def test_no_server():
    with failing() as (address, _):
        pass
    with Client(address, retries=1) as client, pytest.raises(ClientError) as caught:
        client.status()
    assert caught.value.code == grpc.StatusCode.UNAVAILABLE


def test_the_client_loads_no_model_code():
    # TensorFlow comes with the protocol. Here something else stands for it, which is quicker.
    code = (
        "import sys; from unittest.mock import MagicMock\n"
        "for name in ('tensorflow', 'tensorflow_serving', 'tensorflow_serving.apis'):\n"
        "    sys.modules[name] = MagicMock()\n"
        "import exports.client\n"
        "names = ('keras', 'keras_bert.', 'aiohttp', 'tensorflow_text', 'exports.')\n"
        "print(sorted(name for name in sys.modules if name.startswith(names)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert result.stdout.strip() == "['exports.client', 'keras_bert', 'keras_bert.errors']"
