"""Rows of several requests in one run of the model."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np

from exports.serving.errors import ServingError
from exports.serving.metrics import Metrics
from exports.serving.model import Signature

Arrays = Mapping[str, np.ndarray]


class _Request:
    def __init__(self, inputs: Arrays, rows: int):
        self.inputs = inputs
        self.rows = rows
        self.reply = asyncio.get_running_loop().create_future()


class _Batch:
    def __init__(self, signature: Signature, key: tuple):
        self.signature = signature
        self.key = key
        self.requests: list[_Request] = []
        self.rows = 0
        self.timer: asyncio.TimerHandle | None = None
        self.started = False


class Batcher:
    """Runs signatures in a pool of threads, and joins requests that may share a run.

    Requests of one signature are joined along axis 0 if all other axes agree. A batch starts when
    it is full or its first request has waited long enough, and takes more requests until a thread
    is free. If a batch fails, each of its requests runs alone, and only those fail that must.

    Args:
        max_batch_size: int. Rows up to which requests are joined; with 1 each runs alone.
        timeout: float. Seconds that a request waits for others.
        max_queue: int. Requests that may wait; more are refused.
        metrics: `Metrics`.
    """

    def __init__(self, *, max_batch_size: int, timeout: float, max_queue: int, metrics: Metrics):
        self._max_batch_size = max_batch_size
        self._timeout = timeout
        self._max_queue = max_queue
        self._metrics = metrics
        threads = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="model")
        self._free_threads = asyncio.Semaphore(threads)
        self._waiting: set[_Request] = set()
        self._open: dict[tuple, _Batch] = {}
        self._tasks: set[asyncio.Task] = set()
        metrics.queue.set_function(lambda: len(self._waiting))

    async def run(self, signature: Signature, inputs: Arrays) -> Arrays:
        """Returns the outputs for inputs of the signature's names and shapes.

        Raises:
            ServingError: RESOURCE_EXHAUSTED, if too many requests wait already.
            Exception: Whatever the model raises.
        """
        if len(self._waiting) >= self._max_queue:
            raise ServingError(
                grpc.StatusCode.RESOURCE_EXHAUSTED, f"{len(self._waiting)} requests wait already"
            )
        request = _Request(inputs, _rows(inputs))
        self._waiting.add(request)
        self._place(signature, request)
        try:
            # A caller that goes away cancels the reply, and the request is left out of its batch.
            return await request.reply
        finally:
            self._waiting.discard(request)

    def start_all(self) -> None:
        """Starts batches that still wait for more requests."""
        for batch in list(self._open.values()):
            self._start(batch)

    async def finish(self, seconds: float) -> None:
        """Finishes what has been asked, or as much of it as there is time for."""
        self.start_all()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def close(self) -> None:
        """Finishes what has been asked, and takes no more."""
        self.start_all()
        await asyncio.gather(*self._tasks)
        self._pool.shutdown()

    def _place(self, signature: Signature, request: _Request) -> None:
        key = (signature, *(request.inputs[name].shape[1:] for name in signature.inputs))
        joins = signature.joins and 0 < request.rows < self._max_batch_size
        batch = self._open.get(key) if joins else None
        if batch and batch.rows + request.rows > self._max_batch_size:
            self._seal(batch)
            batch = None
        if batch is None:
            batch = _Batch(signature, key)
            if joins:
                self._open[key] = batch
                loop = asyncio.get_running_loop()
                batch.timer = loop.call_later(self._timeout, self._start, batch)
        batch.requests.append(request)
        batch.rows += request.rows
        if not joins or batch.rows == self._max_batch_size:
            self._seal(batch)

    def _seal(self, batch: _Batch) -> None:
        """Starts a batch that takes no more requests."""
        if self._open.get(batch.key) is batch:
            del self._open[batch.key]
        self._start(batch)

    def _start(self, batch: _Batch) -> None:
        if batch.started:
            return
        batch.started = True
        if batch.timer:
            batch.timer.cancel()
        task = asyncio.create_task(self._execute(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _execute(self, batch: _Batch) -> None:
        async with self._free_threads:
            self._seal(batch)
            requests = [request for request in batch.requests if not request.reply.done()]
            self._waiting.difference_update(requests)
            if len(requests) > 1 and await self._run_joined(batch.signature, requests):
                return
            for request in requests:
                if not request.reply.done():
                    await self._run_alone(batch.signature, request)

    async def _run_joined(self, signature: Signature, requests: Sequence[_Request]) -> bool:
        """Answers all requests by one run, or none of them."""
        rows = sum(request.rows for request in requests)
        try:
            outputs = await self._in_thread(signature, rows, lambda: _join(signature, requests))
        except Exception:
            # One of them is to blame. Alone, it gets the error and the others their answers.
            return False
        if _other_rows(outputs, rows):
            signature.joins = False
            return False
        start = 0
        for request in requests:
            end = start + request.rows
            if not request.reply.done():
                request.reply.set_result({name: a[start:end] for name, a in outputs.items()})
            start = end
        return True

    async def _run_alone(self, signature: Signature, request: _Request) -> None:
        try:
            outputs = await self._in_thread(
                signature, request.rows, lambda: signature.run(request.inputs)
            )
        except Exception as error:
            if not request.reply.done():
                request.reply.set_exception(error)
            return
        if request.rows and _other_rows(outputs, request.rows):
            signature.joins = False
        if not request.reply.done():
            request.reply.set_result(outputs)

    async def _in_thread(
        self, signature: Signature, rows: int, run: Callable[[], Arrays]
    ) -> Arrays:
        self._metrics.batch_rows.labels(signature.name).observe(rows)
        return await asyncio.get_running_loop().run_in_executor(self._pool, run)


def _join(signature: Signature, requests: Sequence[_Request]) -> Arrays:
    return signature.run(
        {
            name: np.concatenate([request.inputs[name] for request in requests])
            for name in signature.inputs
        }
    )


def _rows(inputs: Arrays) -> int:
    """The size of the first axis, or 0 where inputs have none or differ in it."""
    sizes = {array.shape[:1] for array in inputs.values()}
    (size,) = sizes.pop() if len(sizes) == 1 and () not in sizes else (0,)
    return size


def _other_rows(outputs: Arrays, rows: int) -> bool:
    return any(array.shape[:1] != (rows,) for array in outputs.values())
