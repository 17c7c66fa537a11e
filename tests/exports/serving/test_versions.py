import json
import shutil
import threading

import pytest

from tests.exports.local_server import eventually, joined, running, save_version


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """Version 2, which multiplies by 3 instead of 2."""
    directory = tmp_path_factory.mktemp("second")
    save_version(directory, 2, factor=3.0)
    return directory / "2"


@pytest.fixture
def directory(models, tmp_path):
    shutil.copytree(models / "1", tmp_path / "1")
    return tmp_path


def add(source, directory, number):
    """Lets a version appear at once."""
    shutil.copytree(source, directory / "incomplete")
    (directory / "incomplete").rename(directory / str(number))


def states(server):
    statuses = json.loads(server.get(server.model)[1])["model_version_status"]
    return {int(each["version"]): each["state"] for each in statuses}


def answer(server, version=""):
    status, reply = server.predict({"inputs": [1.0]}, version)
    return reply["outputs"][0] if status == 200 else status


def test_a_new_version_takes_over(directory, second):
    with running(directory) as server:
        replies = []
        slow = {"signature_name": "wait", "inputs": [2.0]}
        thread = threading.Thread(target=lambda: replies.append(server.predict(slow)))
        thread.start()
        eventually(lambda: server.metric("serving_batch_rows_count", signature="wait") == 1)
        add(second, directory, 2)
        eventually(lambda: answer(server) == 3.0)
        # The slow request still runs on the version that it began with.
        assert not replies
        assert states(server) == {1: "UNLOADING", 2: "AVAILABLE"}
        assert answer(server, "/versions/1") == 404
        assert answer(server, "/versions/2") == 3.0
        joined(thread)
        assert replies == [(200, {"outputs": [2.0]})]
        eventually(lambda: states(server) == {1: "END", 2: "AVAILABLE"})


def test_no_request_fails_during_the_change(directory, second):
    with running(directory) as server:
        answers = []

        def ask():
            while answers[-1:] != [3.0]:
                answers.append(answer(server))

        thread = threading.Thread(target=ask)
        thread.start()
        add(second, directory, 2)
        thread.join(30)
    assert set(answers) == {2.0, 3.0}


def test_a_version_that_does_not_load(directory, second):
    with running(directory) as server:
        add(second, directory, 2)
        broken = directory / "3"
        shutil.copytree(second, broken)
        data = broken / "variables" / "variables.data-00000-of-00001"
        whole = data.read_bytes()
        data.write_bytes(whole[:1])
        eventually(lambda: states(server).get(3) == "END")
        eventually(lambda: states(server).get(2) == "AVAILABLE")
        assert answer(server) == 3.0
        (status,) = json.loads(server.get(f"{server.model}/versions/3")[1])["model_version_status"]
        assert status["status"]["error_code"] == "UNKNOWN"
        assert status["status"]["error_message"]
        # It is tried again when its files are others.
        data.write_bytes(whole)
        eventually(lambda: states(server)[3] == "AVAILABLE")
        eventually(lambda: states(server)[2] == "END")


def test_the_highest_that_loads_answers_at_the_start(directory):
    (directory / "2").mkdir()
    (directory / "2" / "saved_model.pb").write_bytes(b"no graph")
    (directory / "3").mkdir()
    (directory / "notes").mkdir()
    with running(directory) as server:
        assert answer(server) == 2.0
        assert states(server) == {1: "AVAILABLE", 2: "END"}


def test_an_earlier_version_returns_when_the_highest_is_removed(directory, second):
    add(second, directory, 2)
    with running(directory) as server:
        assert answer(server) == 3.0
        assert states(server) == {2: "AVAILABLE"}
        (directory / "2").rename(directory / "withdrawn")
        eventually(lambda: answer(server) == 2.0)
        (directory / "1").rename(directory / "withdrawn-too")
        # The last one stays: there is nothing better to answer.
        eventually(lambda: states(server) == {1: "AVAILABLE", 2: "END"})
        assert answer(server) == 2.0
