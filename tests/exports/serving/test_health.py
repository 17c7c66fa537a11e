"""gRPC's health checks."""

import threading
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.exports.local_server import eventually, joined, running

Status = health_pb2.HealthCheckResponse
SERVICES = ("", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")


def asked(service=""):
    return health_pb2.HealthCheckRequest(service=service)


@pytest.fixture
def stub(server):
    with grpc.insecure_channel(server.grpc_address) as channel:
        yield health_pb2_grpc.HealthStub(channel)


def test_check(stub):
    for service in (*SERVICES, "PredictionService", "ModelService"):
        assert stub.Check(asked(service), timeout=20).status == Status.SERVING
    with pytest.raises(grpc.RpcError, match="no service 'other'") as caught:
        stub.Check(asked("other"), timeout=20)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_watchers_are_told_of_the_end_and_do_not_delay_it(models):
    with (
        running(models, deadline=30) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        watched = {name: stub.Watch(asked(name), timeout=60) for name in (*SERVICES, "other")}
        for name, replies in watched.items():
            expected = Status.SERVICE_UNKNOWN if name == "other" else Status.SERVING
            assert next(replies).status == expected
        start = time.monotonic()
        server.end()
        assert time.monotonic() - start < 10
        for name, replies in watched.items():
            expected = [] if name == "other" else [Status.NOT_SERVING]
            assert [each.status for each in replies] == expected


def test_it_serves_no_more_while_it_finishes(models):
    replies = []
    with running(models) as server, grpc.insecure_channel(server.grpc_address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        assert stub.Check(asked(), timeout=20).status == Status.SERVING
        slow = {"signature_name": "wait", "inputs": [3.0]}
        thread = threading.Thread(target=lambda: replies.append(server.predict(slow)), daemon=True)
        thread.start()
        eventually(lambda: server.metric("serving_batch_rows_count", signature="wait") == 1)
        ending = threading.Thread(target=server.end, daemon=True)
        ending.start()
        eventually(lambda: stub.Check(asked(), timeout=20).status == Status.NOT_SERVING)
        assert not replies
        joined(thread)
        joined(ending)
    assert replies == [(200, {"outputs": [3.0]})]


def test_watchers_leave_room_for_calls(server, stub):
    many = [stub.Watch(asked(), timeout=60) for _ in range(100)]
    for replies in many:
        next(replies)
    with pytest.raises(grpc.RpcError) as caught:
        next(stub.Watch(asked(), timeout=20))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    for replies in many:
        replies.cancel()
    eventually(lambda: next(stub.Watch(asked(), timeout=20)).status == Status.SERVING)
