"""Versions by their labels, over both APIs."""

import json

import grpc
import pytest
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from exports.client import Client, ClientError
from exports.serving.labels import read_labels
from keras_bert.errors import InputError
from tests.exports.local_server import eventually, running, save_version
from tests.exports.serving.test_rpc import floats, request


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """Versions 1 to 3, which multiply by 2, 3 and 4."""
    directory = tmp_path_factory.mktemp("versions")
    for number in (1, 2, 3):
        save_version(directory, number, factor=number + 1.0)
    return directory


@pytest.fixture(scope="module")
def labelled(versions):
    with running(versions, version_label=("stable=1", "canary=3", "old=1")) as result:
        yield result


def outputs(server, version=""):
    status, reply = server.predict({"inputs": [1.0]}, version)
    return reply["outputs"][0] if status == 200 else (status, reply["error"])


def test_labels_over_rest(labelled):
    for version, expected in (
        ("", 4.0),
        ("/labels/stable", 2.0),
        ("/labels/old", 2.0),
        ("/labels/canary", 4.0),
        ("/versions/1", 2.0),
    ):
        assert outputs(labelled, version) == expected
    # Without a label, a version beside the highest is not loaded.
    assert outputs(labelled, "/versions/2")[0] == 404
    status, body = labelled.get(f"{labelled.model}/labels/stable")
    (version,) = json.loads(body)["model_version_status"]
    assert (status, version["version"], version["state"]) == (200, "1", "AVAILABLE")
    status, body = labelled.get(f"{labelled.model}/labels/stable/metadata")
    assert json.loads(body)["model_spec"]["version"] == "1"
    statuses = json.loads(labelled.get(labelled.model)[1])["model_version_status"]
    assert [each["version"] for each in statuses] == ["3", "1"]


def test_unknown_labels(labelled, server):
    message = "Unrecognized servable version label: no"
    for each in (labelled, server):
        assert outputs(each, "/labels/no") == (400, message)
        for path in ("/labels/no", "/labels/no/metadata"):
            status, body = each.get(each.model + path)
            assert (status, json.loads(body)) == (400, {"error": message})
        with each.stub() as stub:
            asked = request({"x": floats(1)})
            asked.model_spec.version_label = "no"
            with pytest.raises(grpc.RpcError, match=message) as caught:
                stub.Predict(asked)
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_labels_over_grpc(labelled):
    with labelled.stub() as stub:
        asked = request({"x": floats(1)})
        asked.model_spec.version_label = "stable"
        reply = stub.Predict(asked)
        assert reply.model_spec.version.value == 1
    with grpc.insecure_channel(labelled.grpc_address) as channel:
        asked = get_model_status_pb2.GetModelStatusRequest()
        asked.model_spec.name = "model"
        asked.model_spec.version_label = "canary"
        (status,) = (
            model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(asked)
        ).model_version_status
        assert status.version == 3


def test_the_client_asks_by_label(labelled):
    for address in (labelled.grpc_address, labelled.rest_address):
        with Client(address, label="stable") as client:
            assert client.predict({"x": [1.0]})["y"].tolist() == [2.0]
            assert list(client.status()) == [1]
        client = Client(address, label="no", deadline=30)
        with client, pytest.raises(ClientError, match="INVALID_ARGUMENT: Unrecognized"):
            client.predict({"x": [1.0]})


def test_a_version_with_a_label_stays_when_another_takes_over(versions, tmp_path):
    for number in ("1", "2"):
        (tmp_path / number).symlink_to(versions / number)
    with running(tmp_path, version_label=("stable=2",)) as server:
        (tmp_path / "3").symlink_to(versions / "3")
        eventually(lambda: outputs(server) == 4.0)
        assert outputs(server, "/labels/stable") == 3.0
        assert outputs(server, "/versions/2") == 3.0
        (tmp_path / "3").unlink()
        # Back to the one that is loaded, and 3 goes.
        eventually(lambda: outputs(server) == 3.0)
        eventually(lambda: outputs(server, "/versions/3")[0] == 404)


@pytest.mark.parametrize("pair", ["stable", "=1", "a=", "a=b", "a=-1", "a/b=1", "a:b=1", "a=1=2"])
def test_labels_that_are_none(pair):
    with pytest.raises(InputError, match="must be NAME=VERSION") as caught:
        read_labels([pair])
    assert repr(pair) in str(caught.value)


def test_a_label_that_is_given_twice():
    with pytest.raises(InputError, match=r"once\. Received: 'a'"):
        read_labels(["a=1", "a=2"])
