import json

import numpy as np
import pytest
import tensorflow as tf

from exports.serving import json_tensors
from exports.serving.errors import ServingError
from tests.exports.local_server import strict_json

SPECS = {
    "text": tf.TensorSpec([None], tf.string),
    "ids": tf.TensorSpec([None, None], tf.int32),
}


def read(document, specs):
    return json_tensors.read(json_tensors.parse(json.dumps(document).encode()), specs)


def write(outputs, key="inputs"):
    return strict_json(json_tensors.write(outputs, {key: None}).encode())


def test_rows_and_columns_are_the_same():
    rows = [{"text": "a", "ids": [1, 2]}, {"text": {"b64": "/w=="}, "ids": [3, 4]}]
    columns = {"text": ["a", {"b64": "/w=="}], "ids": [[1, 2], [3, 4]]}
    for document in ({"instances": rows}, {"inputs": columns}):
        arrays = read(document, SPECS)
        assert arrays["text"].tolist() == [b"a", b"\xff"]
        assert arrays["ids"].tolist() == [[1, 2], [3, 4]]
        assert arrays["ids"].dtype == np.int32


def test_a_single_input_needs_no_name():
    specs = {"text": SPECS["text"]}
    for value in (["a", {"b64": "AGI="}], {"text": ["a", {"b64": "AGI="}]}):
        assert read({"inputs": value}, specs)["text"].tolist() == [b"a", b"\x00b"]
    for value in (["a", {"b64": "AGI="}], [{"text": "a"}, {"text": {"b64": "AGI="}}]):
        assert read({"instances": value}, specs)["text"].tolist() == [b"a", b"\x00b"]
    assert read({"inputs": {"b64": "AGI="}}, specs)["text"].item() == b"\x00b"


def test_empty_tensors():
    assert read({"inputs": []}, {"text": SPECS["text"]})["text"].shape == (0,)
    assert read({"inputs": [[], []]}, {"ids": SPECS["ids"]})["ids"].shape == (2, 0)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64, tf.float16, tf.bfloat16])
def test_floats(dtype):
    array = read({"inputs": [1, -0.5]}, {"x": tf.TensorSpec([None], dtype)})["x"]
    assert array.dtype == dtype.as_numpy_dtype
    assert write({"x": array}) == {"outputs": [1.0, -0.5]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "a JSON object"),
        (b'{"signature_name": 1, "inputs": []}', "'signature_name' must be a string"),
        (b"{}", "either 'instances' or 'inputs'"),
        (b'{"inputs": [], "instances": []}', "either 'instances' or 'inputs'"),
    ],
)
def test_wrong_bodies(body, message):
    with pytest.raises(ServingError, match=message):
        json_tensors.parse(body)


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        ([1, [2]], "float32", "received"),
        ([[1], 2], "float32", "different lengths"),
        ([[1], [2, 3]], "int32", "different lengths"),
        ([1.5], "int32", "received 1.5"),
        ([True], "int32", "received true"),
        ([None], "float32", "received null"),
        ([1], "bool", "received 1"),
        ([1], "string", "received 1"),
        (["1"], "float32", 'received "1"'),
        ([2**31], "int32", "int32"),
        ([-1], "uint8", "uint8"),
        ([1e39], "float32", "too large"),
        (["\ud800"], "string", "surrogates"),
        ([{"b64": "!"}], "string", "base64"),
        ([{"b64": "YQ==", "other": 1}], "string", "received"),
        ([1], "complex64", "complex64"),
    ],
)
def test_wrong_values(value, dtype, message):
    document = {"inputs": {"x": value}}
    with pytest.raises(ServingError, match=message) as caught:
        read(document, {"x": tf.TensorSpec(None, tf.dtypes.as_dtype(dtype))})
    assert caught.value.code.name == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"instances": []}, "at least one row"),
        ({"instances": "a"}, "at least one row"),
        ({"instances": ["a"]}, "several inputs"),
        ({"inputs": ["a"]}, "several inputs"),
        ({"inputs": {"text": ["a"]}}, "'ids' is missing"),
        ({"instances": [{"text": "a"}]}, "row 0"),
        ({"instances": [{"text": "a", "ids": [1]}, "b"]}, "row 1"),
        ({"instances": [{"text": "a", "ids": [1], "more": 1}]}, "row 0"),
    ],
)
def test_wrong_documents(document, message):
    with pytest.raises(ServingError, match=message):
        read(document, SPECS)


def test_replies():
    x = np.array([0.2, 3], np.float32)
    assert write({"x": x}) == {"outputs": [0.2, 3.0]}
    assert write({"x": x}, "instances") == {"predictions": [0.2, 3.0]}
    both = {"x": x, "n": np.array([[1], [2]])}
    assert write(both) == {"outputs": {"x": [0.2, 3.0], "n": [[1], [2]]}}
    rows = [{"x": 0.2, "n": [1]}, {"x": 3.0, "n": [2]}]
    assert write(both, "instances") == {"predictions": rows}
    assert write({"x": np.array(True)}) == {"outputs": True}


def test_what_json_cannot_hold():
    numbers = np.array([np.nan, np.inf, -np.inf, 1], np.float32)
    assert write({"x": numbers}) == {"outputs": [None, None, None, 1.0]}
    strings = np.array([b"\xff", "é\0".encode()], object)
    assert write({"x": strings}) == {"outputs": [{"b64": "/w=="}, "é\0"]}
    assert write({"x_bytes": strings}) == {"outputs": [{"b64": "/w=="}, {"b64": "w6kA"}]}


@pytest.mark.parametrize("other", [np.array(1), np.array([1, 2, 3])])
def test_outputs_that_are_no_rows(other):
    outputs = {"x": np.array([1, 2]), "other": other}
    with pytest.raises(ServingError, match="ask by 'inputs'"):
        write(outputs, "instances")
    assert write(outputs) == {"outputs": {"x": [1, 2], "other": other.tolist()}}
