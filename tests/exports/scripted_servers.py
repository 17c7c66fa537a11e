"""Servers of both APIs that fail as they are told, and then answer."""

import concurrent.futures
import contextlib
import json
import re
import socket
import threading
from types import SimpleNamespace

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

Code = grpc.StatusCode


class Scripted(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """Fails with the given codes, one a call, and then answers. What has a message is a pair."""

    def __init__(self, codes, states):
        self.codes = list(codes)
        self.states = list(states)
        self.calls = 0

    def GetModelMetadata(self, request, context):  # noqa: N802 - the protocol's name
        reply = get_model_metadata_pb2.GetModelMetadataResponse()
        reply.metadata["signature_def"].Pack(get_model_metadata_pb2.SignatureDefMap())
        return reply

    def GetModelStatus(self, request, context):  # noqa: N802
        if not self.states:
            context.abort(Code.NOT_FOUND, "no such model")
        reply = get_model_status_pb2.GetModelStatusResponse()
        state = get_model_status_pb2.ModelVersionStatus.State.Value(self.states.pop(0))
        reply.model_version_status.add(version=1, state=state)
        return reply

    def Predict(self, request, context):  # noqa: N802
        self.calls += 1
        if self.codes:
            code, _, message = self.codes.pop(0).partition(": ")
            context.abort(Code[code], message or "not now")
        return predict_pb2.PredictResponse()


@contextlib.contextmanager
def grpc_server(codes=(), states=(), credentials=None, address="127.0.0.1:0"):
    servicer = Scripted(codes, states)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(servicer, server)
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


# As the real things answer: a body, or the status of an error.
METADATA = {"metadata": {"signature_def": {"signature_def": {}}}}
OUTPUTS = {"outputs": {"y": [2.0], "z": [1.0]}}


def http_reply(status, value, *headers):
    body = json.dumps(value).encode()
    head = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


@contextlib.contextmanager
def rest_server(replies=(), states=(), context=None):
    """Sends the given bytes for each prediction, one a call, and then answers.

    A number in their place is the status of an error; "reset", "close" and "silence" are what
    servers do that end, and "dribble" never ends.
    """
    found = SimpleNamespace(calls=0, replies=list(replies), states=list(states))
    ended = threading.Event()

    def whole_request(connection):
        request = connection.recv(65536)
        length = re.search(rb"Content-Length: (\d+)", request)
        wanted = request.find(b"\r\n\r\n") + 4 + int(length[1] if length else 0)
        while len(request) < wanted:
            request += connection.recv(1 << 20)
        return request

    def answer(request):
        if b"/metadata" in request:
            return http_reply(200, METADATA)
        if request.startswith(b"GET"):
            if not found.states:
                return http_reply(404, {"error": "no such model"})
            status = {"version": "1", "state": found.states.pop(0)}
            return http_reply(200, {"model_version_status": [status]})
        found.calls += 1
        reply = found.replies.pop(0) if found.replies else http_reply(200, OUTPUTS)
        return http_reply(reply, {"error": "not now"}) if isinstance(reply, int) else reply

    def talk(connection):
        with connection:
            reply = answer(whole_request(connection))
            if reply == "reset":
                linger = b"\1\0\0\0\0\0\0\0"
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            elif reply == "silence":
                ended.wait(30)
            elif isinstance(reply, tuple):
                head, drop = reply
                connection.sendall(head)
                while not ended.wait(0.05):
                    connection.sendall(drop)
            elif reply != "close":
                connection.sendall(reply)

    def serve():
        while not ended.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                if context:
                    connection = context.wrap_socket(connection, server_side=True)
                threading.Thread(target=quietly, args=(connection,), daemon=True).start()

    def quietly(connection):
        with contextlib.suppress(OSError):
            talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", found
        finally:
            ended.set()
            thread.join(30)
