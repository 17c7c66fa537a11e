import json

import pytest

from tests.exports.local_server import running


def test_status(server):
    expected = {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    for path in (server.model, f"{server.model}/versions/1"):
        status, body = server.get(path)
        assert (status, json.loads(body)) == (200, {"model_version_status": [expected]})


def test_metadata(server):
    status, body = server.get(f"{server.model}/metadata")
    reply = json.loads(body)
    assert status == 200
    assert reply["model_spec"] == {"name": "model", "signature_name": "", "version": "1"}
    definitions = reply["metadata"]["signature_def"]["signature_def"]
    ids = definitions["add"]["inputs"]["ids"]
    assert ids["dtype"] == "DT_INT32"
    assert [dim["size"] for dim in ids["tensor_shape"]["dim"]] == ["-1", "-1"]
    assert server.get(f"{server.model}/versions/1/metadata") == (200, body)


def test_rows_and_columns(server):
    assert server.predict({"instances": [1.0, 2.5]}) == (200, {"predictions": [2.0, 5.0]})
    assert server.predict({"inputs": {"x": [0.1]}}, "/versions/1") == (200, {"outputs": [0.2]})
    rows = [{"ids": [1, 2], "weight": 0.5}, {"ids": [3, 4], "weight": 1}]
    assert server.predict({"signature_name": "add", "instances": rows}) == (
        200,
        {"predictions": [{"sum": 3, "weighted": [0.5, 1.0]}, {"sum": 7, "weighted": [3.0, 4.0]}]},
    )


def test_strings_that_are_not_utf8(server):
    body = {"signature_name": "echo", "inputs": [{"b64": "/w=="}, "ä"]}
    assert server.predict(body) == (
        200,
        {
            "outputs": {
                "text": [{"b64": "/w=="}, "ä"],
                "raw_bytes": [{"b64": "/w=="}, {"b64": "w6Q="}],
            }
        },
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "not JSON"),
        ({"instances": ["a"]}, "must be float32"),
        ({"instances": [[1]]}, "must have the shape (None,). Received: (1, 1)"),
        ({"instances": [-1]}, "below zero"),
        ({"instances": [1], "signature_name": "none"}, "no signature 'none'"),
        ({"instances": [1, 2], "signature_name": "total"}, "ask by 'inputs'"),
        ({"inputs": [1.0] * 1025}, "at most 1024 rows. Received: 1025"),
    ],
)
def test_bad_requests(server, body, message):
    status, reply = server.predict(body)
    assert status == 400
    assert list(reply) == ["error"]
    assert message in reply["error"]


def test_unknown_models_and_versions(server):
    body = b'{"instances": [1]}'
    expected = {"error": "Servable not found for request: Specific(model, 2)"}
    assert server.predict(body, "/versions/2") == (404, expected)
    expected = {"error": "Servable not found for request: Latest(model2)"}
    assert server.predict(body, "2") == (404, expected)
    for path in ("2", "2/metadata", "/versions/2", "/versions/2/metadata"):
        status, reply = server.get(server.model + path)
        assert status == 404
        assert list(json.loads(reply)) == ["error"]


def test_paths_that_are_not_there(server):
    for path, status in (("/", 404), ("/v1/models", 400), (f"{server.model}:predict", 400)):
        received, reply = server.get(path)
        assert received == status
        assert json.loads(reply) == {"error": f"Malformed request: GET {path}"}
    assert server.predict({"examples": []}, "/versions/1:classify?")[0] == 501


def test_a_long_body_is_refused(models):
    with running(models, max_message_bytes=100) as server:
        status, reply = server.predict({"inputs": [1.0] * 100})
        assert status == 413
        assert "100" in reply["error"]
        assert server.predict({"inputs": [1.0]})[0] == 200


def test_metrics(models):
    with running(models) as server:
        server.predict({"inputs": [1.0, 2.0]})
        server.predict({"inputs": [-1.0]})
        server.predict({"inputs": [1.0], "signature_name": "none"})
        server.get(f"{server.model}/metadata")
        predict = {"api": "rest", "method": "Predict"}
        count = "serving_requests_total"
        assert server.metric(count, **predict, signature="serving_default", status="OK") == 1
        assert server.metric(count, **predict, status="INVALID_ARGUMENT") == 1
        # Names of users are no labels, or they would fill the memory.
        assert server.metric(count, **predict, signature="", status="FAILED_PRECONDITION") == 1
        assert server.metric(count, method="GetModelMetadata", status="OK") == 1
        assert server.metric("serving_request_seconds_count", **predict) == 3
        assert server.metric("serving_batch_rows_sum", signature="serving_default") == 3
        assert server.metric("serving_queue_requests") == 0


def test_numbers_that_are_not_finite(server):
    status, body = server.predict(b'{"inputs": [Infinity, NaN, 1]}')
    # NaN is not at least zero, either.
    assert status == 400
    body = b'{"signature_name": "total", "inputs": [Infinity, NaN, 1]}'
    assert server.predict(body) == (200, {"outputs": {"total": None, "x": [None, None, 1.0]}})
