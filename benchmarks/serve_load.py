"""The local server under load: calls over gRPC from a second process, with and without batching.

    pip install psutil
    python benchmarks/serve_load.py --export WORK/base/ours-sst-2-bfloat16 \
        --inputs WORK/base/inputs.json [--minutes 10]

`python -m exports serve` runs the export of a classifier of `serve.py` in its own process. Callers
ask for one sentence of SST-2 each, the next one as soon as the last is answered; latency is a
caller's. Requests are built beforehand, so that the second process takes little from the server. At
last 16 callers ask for `--minutes`, and the server's memory is read each half minute. Results are
printed and written to `benchmarks/results/serve_load.json`.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc
import machine
import numpy as np
import psutil
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

RESULTS = Path(__file__).parent / "results" / "serve_load.json"
PREDICT = "/tensorflow.serving.PredictionService/Predict"
CALLERS = (1, 8, 32)
PORT = 18500
WARM_UP_SECONDS = 5


def requests_of(sentences: list[str]) -> list[bytes]:
    requests = []
    for sentence in sentences:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "model"
        request.model_spec.signature_name = "serving_default"
        request.inputs["text"].CopyFrom(tf.make_tensor_proto([sentence]))
        requests.append(request.SerializeToString())
    return requests


class Load:
    """Callers that ask one after the other.

    Args:
        requests: list of bytes.
    """

    def __init__(self, requests: list[bytes]):
        self._requests = requests
        self.milliseconds: list[float] = []
        self.errors: Counter = Counter()

    async def run(self, callers: int, seconds: float) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{PORT}") as channel:
            predict = channel.unary_unary(PREDICT)
            end = time.monotonic() + seconds
            await asyncio.gather(*(self._call(predict, n, end) for n in range(callers)))

    async def _call(self, predict, number: int, end: float) -> None:
        place = number * 37
        while time.monotonic() < end:
            started = time.perf_counter()
            try:
                await predict(self._requests[place % len(self._requests)])
                self.milliseconds.append(1000 * (time.perf_counter() - started))
            except grpc.aio.AioRpcError as error:
                self.errors[error.code().name] += 1
            place += 1


class Server:
    """`python -m exports serve` as a process of its own."""

    def __init__(self, export: Path, max_batch_size: int):
        command = [sys.executable, "-m", "exports", "serve", str(export)]
        command += ["--grpc-port", str(PORT), "--rest-port", "0"]
        command += ["--max-batch-size", str(max_batch_size)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self._information = psutil.Process(self._process.pid)

    def __enter__(self) -> "Server":
        channel = grpc.insecure_channel(f"127.0.0.1:{PORT}")
        grpc.channel_ready_future(channel).result(timeout=120)
        channel.close()
        return self

    def __exit__(self, *exception) -> None:
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait(60) != 0:
            raise SystemExit(f"the server ended with {self._process.returncode}")

    def megabytes(self) -> float:
        return round(self._information.memory_info().rss / 2**20, 1)


def summary(load: Load, seconds: float) -> dict[str, object]:
    times = load.milliseconds
    percentiles = {f"p{share}": round(np.percentile(times, share), 1) for share in (50, 95, 99)}
    return {
        "requests/s": round(len(times) / seconds, 1),
        **percentiles,
        "slowest": round(max(times), 1),
        "errors": dict(load.errors),
    }


async def with_memory(load: Load, server: Server, minutes: float) -> list[float]:
    """The server's megabytes each half minute under the load of 16 callers."""
    running = asyncio.create_task(load.run(16, 60 * minutes))
    readings = []
    while not running.done():
        readings.append(server.megabytes())
        await asyncio.wait([running], timeout=30)
    await running
    return readings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--export", type=Path, required=True, help="an export of `serve.py`")
    parser.add_argument("--inputs", type=Path, required=True, help="inputs.json of `serve.py`")
    parser.add_argument("--seconds", type=float, default=30, help="of each load")
    parser.add_argument("--minutes", type=float, default=10, help="of the load for memory")
    arguments = parser.parse_args()
    requests = requests_of(json.loads(arguments.inputs.read_text())["sst-2"][0])
    result: dict[str, object] = {"machine": machine.line()}
    for max_batch_size in (1, 32):
        told = "batches of up to 32" if max_batch_size > 1 else "without batching"
        with Server(arguments.export, max_batch_size) as server:
            for callers in CALLERS:
                asyncio.run(Load(requests).run(callers, WARM_UP_SECONDS))
                load = Load(requests)
                asyncio.run(load.run(callers, arguments.seconds))
                result[f"{told}, {callers} callers"] = found = summary(load, arguments.seconds)
                print(f"{told}, {callers} callers: {json.dumps(found)}", flush=True)
            if max_batch_size > 1:
                load = Load(requests)
                readings = asyncio.run(with_memory(load, server, arguments.minutes))
                found = summary(load, 60 * arguments.minutes)
                result[f"{told}, 16 callers, {arguments.minutes:g} minutes"] = found
                result["megabytes each half minute"] = readings
                print(json.dumps(found), json.dumps(readings), flush=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
