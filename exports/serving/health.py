"""gRPC's health checks, which probes and load balancers ask.

References:
    - https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

import asyncio
from collections.abc import Callable

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_Status = health_pb2.HealthCheckResponse
# The server as a whole, and its services, by their names and by those of TensorFlow Serving.
_SERVICES = (
    "",
    *("tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"),
    *("PredictionService", "ModelService"),
)
# Each watcher takes the place of a call; more than these would take those of predictions.
_MOST_WATCHERS = 100


class Health(health_pb2_grpc.HealthServicer):
    """Tells whether the server answers.

    Not the servicer of `grpc_health`, whose watchers go on while the server waits for them to end.

    Args:
        answers: Tells whether a version answers now.
    """

    def __init__(self, answers: Callable[[], bool]):
        self._answers = answers
        self._watchers: set[asyncio.Event] = set()
        self._ended = False

    async def Check(  # noqa: N802 - the protocol's name
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        if request.service not in _SERVICES:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"there is no service {request.service[:100]!r}"
            )
        return _Status(status=self._status(request.service))

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext
    ) -> None:
        if len(self._watchers) >= _MOST_WATCHERS:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED, f"{_MOST_WATCHERS} watch already"
            )
        # A version that answers is only followed by another, so that the end is all that comes.
        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            status = self._status(request.service)
            await context.write(_Status(status=status))
            if not self._ended:
                await changed.wait()
            if self._status(request.service) != status:
                await context.write(_Status(status=self._status(request.service)))
        finally:
            self._watchers.discard(changed)

    def end(self) -> None:
        """Says for good that nothing is served, and lets those go who watch."""
        self._ended = True
        for changed in self._watchers:
            changed.set()

    def _status(self, service: str) -> int:
        if service not in _SERVICES:
            return _Status.SERVICE_UNKNOWN
        return _Status.SERVING if self._answers() and not self._ended else _Status.NOT_SERVING
