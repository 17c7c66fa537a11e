"""The server: both APIs of one model, from start to end."""

import asyncio
import gc
import logging
import resource
import signal
from pathlib import Path

from aiohttp import web

from exports.options import ServeOptions
from exports.serving import rest, rpc
from exports.serving.batching import Batcher
from exports.serving.health import Health
from exports.serving.labels import read_labels
from exports.serving.metrics import Metrics
from exports.serving.service import Service
from exports.serving.versions import Versions
from keras_bert.errors import InputError

# Connections that have come but were not looked at yet. Of more than those a system lets come, it
# forgets some, and their clients try again after a second.
_BACKLOG = 1024
# Beside connections of both APIs: libraries, the model, threads.
_OTHER_FILES = 512


class Server:
    """Serves a directory of versions in the running event loop.

    Args:
        options: `ServeOptions`.

    Attributes:
        rest_port, grpc_port: int. The ports in use, after `start`.

    Example:

    ```python
    server = Server(ServeOptions(directory="exported", rest_port=0, grpc_port=0))
    await server.start()
    ...
    await server.stop()
    ```
    """

    def __init__(self, options: ServeOptions):
        self._options = options
        metrics = Metrics()
        self._labels = read_labels(options.version_label)
        self._versions = Versions(Path(options.directory), self._labels.values())
        self._batcher = Batcher(
            max_batch_size=options.max_batch_size,
            timeout=options.batch_timeout / 1000,
            max_queue=options.max_queue,
            metrics=metrics,
        )
        self._service = Service(options, self._versions, self._batcher, metrics, self._labels)
        self._health = Health(self._versions.has)
        self._grpc = rpc.server(self._service, self._health)
        self._rest = web.AppRunner(
            rest.application(self._service),
            access_log=None,
            # A client that goes away leaves the queue.
            handler_cancellation=True,
            shutdown_timeout=options.deadline,
            # Also of a connection whose first request never comes, or only its beginning.
            keepalive_timeout=options.deadline,
        )
        self._listener: asyncio.Server | None = None
        self._watcher: asyncio.Task | None = None

    async def start(self) -> None:
        """Loads the highest version that loads and those with a label, and listens.

        Raises:
            InputError: If no version loads, one with a label does not, or a port is taken.
        """
        await self._versions.refresh()
        if not self._versions.has():
            raise InputError(self._why_nothing_loads())
        for label, number in self._labels.items():
            if not self._versions.has(number):
                status = self._versions.statuses.get(number)
                reason = status.error if status else "no such version"
                raise InputError(
                    "`--version-label` must name a version that loads. Received: "
                    f"{label}={number}; {self._options.directory}/{number}: {reason}"
                )
        host = self._options.host
        try:
            self.grpc_port = self._grpc.add_insecure_port(f"{host}:{self._options.grpc_port}")
        except RuntimeError as error:
            raise InputError(
                f"cannot listen on `--host`, `--grpc-port`. "
                f"Received: {host}:{self._options.grpc_port}"
            ) from error
        await self._grpc.start()
        await self._rest.setup()
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._connection, host, self._options.rest_port, backlog=_BACKLOG
            )
        except OSError as error:
            await self.stop()
            raise InputError(
                f"cannot listen on `--host`, `--rest-port`: {error.strerror}. "
                f"Received: {host}:{self._options.rest_port}"
            ) from error
        self.rest_port = self._listener.sockets[0].getsockname()[1]
        self._watcher = asyncio.create_task(self._versions.watch(self._options.poll_interval))

    async def stop(self) -> None:
        """Takes no more calls, finishes those that run and returns."""
        self._service.closing.set()
        self._health.end()
        if self._watcher:
            self._watcher.cancel()
        if self._listener:
            self._listener.close()
        # While calls are finished, gRPC still tells who asks for its health that it ends.
        seconds = self._options.deadline
        await asyncio.gather(self._rest.cleanup(), self._batcher.finish(seconds))
        await self._grpc.stop(seconds)
        await self._batcher.close()

    def _connection(self) -> asyncio.Protocol:
        return self._service.connections.protocol(self._rest.server)

    def _why_nothing_loads(self) -> str:
        directory = self._options.directory
        failures = [
            f"{directory}/{number}: {status.error}"
            for number, status in self._versions.statuses.items()
        ]
        reasons = "; ".join(failures) or "a version is a numbered directory such as 1"
        return f"{directory}: no version to serve. {reasons}"


def _allow_files(count: int) -> None:
    """Lets the process open more files, if the system does: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        most = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def run(options: ServeOptions) -> None:
    """Serves until SIGINT or SIGTERM.

    Raises:
        InputError: As `Server.start`.
    """
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("exports").setLevel(logging.INFO)
    # It would write a page about each request that is none; faults of this server are told above.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    # What is imported stays. Looking through it for what is unused would hold up all calls for
    # half a second, whenever one brings many values.
    gc.freeze()
    _allow_files(2 * options.max_connections + _OTHER_FILES)
    server = Server(options)
    await server.start()
    print(f"REST: http://{options.host}:{server.rest_port}/v1/models/{options.name}")
    print(f"gRPC: {options.host}:{server.grpc_port}")
    print("This server is for development and tests; for production there is TensorFlow Serving.")
    # Whoever started it reads where it listens, through a pipe too.
    print("Ready.", flush=True)
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, end.set)
    await end.wait()
    # The next signal does not wait.
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(name)
    await server.stop()
