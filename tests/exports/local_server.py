"""A small SavedModel, and the local server around it in a thread of the test."""

import asyncio
import concurrent.futures
import contextlib
import json
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import prediction_service_pb2_grpc

from exports.options import ServeOptions
from exports.serving.server import Server

# Seconds that something is waited for which takes one.
LONGEST = 120.0


def _spec(name, dtype, rank=1):
    return tf.TensorSpec([None] * rank, dtype, name=name)


class Module(tf.Module):
    """Signatures that differ in what a server has to know about them."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = tf.Variable(factor)

    @tf.function(input_signature=[_spec("x", tf.float32)])
    def multiply(self, x):
        with tf.control_dependencies([tf.debugging.assert_non_negative(x, message="below zero")]):
            return {"y": self.factor * x}

    @tf.function(input_signature=[_spec("ids", tf.int32, rank=2), _spec("weight", tf.float32)])
    def add(self, ids, weight):
        return {
            "sum": tf.reduce_sum(ids, axis=1),
            "weighted": tf.cast(ids, tf.float32) * weight[:, tf.newaxis],
        }

    @tf.function(input_signature=[_spec("text", tf.string)])
    def echo(self, text):
        return {"text": text, "raw_bytes": text}

    @tf.function(input_signature=[_spec("text", tf.string)])
    def split(self, text):
        return {"word": tf.strings.split(text).flat_values}

    @tf.function(input_signature=[_spec("x", tf.float32)])
    def total(self, x):
        return {"total": tf.reduce_sum(x), "x": x}

    @tf.function(input_signature=[_spec("x", tf.float32)])
    def drop_large(self, x):
        return {"small": tf.boolean_mask(x, x < 10)}

    @tf.function(input_signature=[_spec("seconds", tf.float64)])
    def wait(self, seconds):
        end = tf.timestamp() + tf.reduce_max(seconds)
        while tf.timestamp() < end:
            pass
        return {"seconds": tf.identity(seconds)}


def save_version(directory: Path, number: int, factor: float = 2.0) -> None:
    """Writes a version that appears at once, as exports do."""
    module = Module(factor)
    names = ("add", "echo", "split", "total", "drop_large", "wait")
    signatures = {name: getattr(module, name) for name in names}
    temporary = directory / f"incomplete-{number}"
    tf.saved_model.save(
        module, str(temporary), signatures={"serving_default": module.multiply, **signatures}
    )
    temporary.rename(directory / str(number))


class Running:
    """A server that runs: where it listens and what it answers; `end` ends it."""

    def __init__(self, server: Server, name: str, end: Callable[[], None]):
        self.end = end
        self.grpc_address = f"127.0.0.1:{server.grpc_port}"
        self.rest_port = server.rest_port
        self.rest_address = f"http://127.0.0.1:{server.rest_port}"
        self.model = f"/v1/models/{name}"

    @contextlib.contextmanager
    def stub(self) -> Iterator[prediction_service_pb2_grpc.PredictionServiceStub]:
        with grpc.insecure_channel(self.grpc_address) as channel:
            yield prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def get(self, path: str) -> tuple[int, bytes]:
        return call(self.rest_port, path)

    def predict(self, body: Any, version: str = "") -> tuple[int, Any]:
        """The status and the JSON for a body, which is JSON unless it is bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, reply = call(self.rest_port, f"{self.model}{version}:predict", data)
        return status, strict_json(reply)

    def metric(self, name: str, **labels: str) -> float:
        """The sum over all lines of a metric that have these labels."""
        total = 0.0
        for line in self.get("/monitoring/prometheus/metrics")[1].decode().splitlines():
            found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if found and found[1] == name:
                values = dict(re.findall(r'(\w+)="(.*?)"', found[2] or ""))
                total += float(found[3]) if labels.items() <= values.items() else 0.0
        return total


def call(port: int, path: str, data: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data, timeout=30) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def strict_json(text: bytes) -> Any:
    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text.decode(), parse_constant=refuse)


@contextlib.contextmanager
def running(directory: Path, **options: Any) -> Iterator[Running]:
    """Serves a directory in a thread, on free ports."""
    options = {"rest_port": 0, "grpc_port": 0, "poll_interval": 0.05, **options}
    started = concurrent.futures.Future()

    async def serve() -> None:
        try:
            server = Server(ServeOptions(str(directory), **options))
            await server.start()
        except BaseException as error:
            started.set_exception(error)
            return
        end = asyncio.Event()
        started.set_result((server, asyncio.get_running_loop(), end))
        await end.wait()
        await server.stop()

    # A daemon: a server that does not end fails its test, and not the end of all tests.
    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        server, loop, end = started.result(LONGEST)

        def stop() -> None:
            if thread.is_alive():
                loop.call_soon_threadsafe(end.set)
            joined(thread)

        try:
            yield Running(server, options.get("name", "model"), stop)
        finally:
            stop()
    finally:
        joined(thread)


def joined(thread: threading.Thread) -> None:
    """Waits for the end of a thread, not for ever."""
    thread.join(LONGEST)
    assert not thread.is_alive(), "it did not end"


def line_of(process: subprocess.Popen) -> str:
    """The next line that a process prints, without its end; not waited for for ever."""
    lines = []
    thread = threading.Thread(target=lambda: lines.append(process.stdout.readline()), daemon=True)
    thread.start()
    joined(thread)
    assert lines[0], "the process has ended"
    return lines[0].rstrip("\n")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Lets SIGINT reach this process and those that it starts.

    Where it is ignored, as by `nohup` in a script, processes that are started ignore it too; what
    is handled is handled by default in them.
    """
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Makes calls at the same time; returns their results in order."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(LONGEST) for future in [pool.submit(each) for each in calls]]


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
