import subprocess
import sys

import grpc
import numpy as np
import pytest

from exports.client import Client, ClientError
from keras_bert.errors import InputError
from tests.exports.local_server import running

ADDRESSES = ("grpc_address", "rest_address")


@pytest.fixture(scope="module", params=ADDRESSES)
def client(server, request):
    with Client(getattr(server, request.param)) as result:
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


@pytest.mark.parametrize("address", ADDRESSES)
def test_big_inputs_are_cut_and_joined(models, address):
    values = np.arange(25, dtype=np.float32)
    ids = np.arange(50).reshape(25, 2)
    with running(models, max_rows=10) as server:
        with Client(getattr(server, address), batch_size=10) as client:
            np.testing.assert_array_equal(client.predict({"x": values})["y"], 2 * values)
            reply = client.predict({"ids": ids, "weight": values}, signature="add")
            np.testing.assert_array_equal(reply["sum"], ids.sum(axis=1))
            assert reply["weighted"].shape == (25, 2)
            count = {"api": address.split("_")[0], "method": "Predict"}
            assert server.metric("serving_requests_total", **count, status="OK") == 6
            for signature in ("total", "drop_large"):
                with pytest.raises(InputError, match="`batch_size` must be None"):
                    client.predict({"x": values}, signature=signature)
        whole = Client(getattr(server, address), batch_size=None)
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
    for address in (server.grpc_address, server.rest_address):
        with Client(address, version=1) as chosen:
            assert chosen.predict({"x": [1.0]})["y"] == [2.0]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    ("options", "call", "code", "message"),
    [
        ({}, {"inputs": {"x": [-1.0]}}, "INVALID_ARGUMENT", "below zero"),
        ({}, {"inputs": {"z": [1.0]}}, "INVALID_ARGUMENT", "input.* x|'x'"),
        ({}, {"inputs": {"x": 1.0}}, "INVALID_ARGUMENT", "must have the shape"),
        ({}, {"inputs": {}, "signature": "z"}, "FAILED_PRECONDITION", "no signature 'z'"),
        ({"model": "other"}, {"inputs": {"x": [1.0]}}, "NOT_FOUND", r"Latest\(other\)"),
        ({"version": 5}, {"inputs": {"x": [1.0]}}, "NOT_FOUND", r"Specific\(model, 5\)"),
    ],
)
def test_errors_have_a_code(server, address, options, call, code, message):
    client = Client(getattr(server, address), deadline=60, **options)
    with client, pytest.raises(ClientError, match=message) as caught:
        client.predict(**call)
    if "rest" in address and code == "FAILED_PRECONDITION":
        # 400 is all that HTTP says of both.
        code = "INVALID_ARGUMENT"
    assert caught.value.code == grpc.StatusCode[code]
    assert str(caught.value) == f"{code}: {caught.value.message}"


@pytest.mark.parametrize(
    ("name", "value"),
    [("deadline", 0), ("deadline", float("inf")), ("retries", -1), ("batch_size", 0)],
)
def test_wrong_arguments(name, value):
    with pytest.raises(InputError, match=f"Received: {name}={value}"):
        Client(**{name: value})


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
    own = [name for name in eval(result.stdout) if not name.startswith("exports.client")]
    assert own == ["keras_bert", "keras_bert.errors"]
