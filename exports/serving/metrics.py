"""What the server counts, for Prometheus."""

import contextlib
import logging
import time
from collections.abc import Iterator

import grpc
import prometheus_client

from exports.serving.errors import ServingError, as_serving_error

_LOGGER = logging.getLogger(__name__)
_ROWS = [2**power for power in range(11)]


class Call:
    """A call in progress; its signature is known only after its request has been read."""

    signature = ""


class Metrics:
    """Requests, their times, the sizes of batches and the length of the queue of one server."""

    def __init__(self):
        self.registry = prometheus_client.CollectorRegistry()
        labels = ["api", "method", "signature"]
        self.requests = prometheus_client.Counter(
            "serving_requests",
            "Requests answered, by the status code of the answer",
            [*labels, "status"],
            registry=self.registry,
        )
        self.seconds = prometheus_client.Histogram(
            "serving_request_seconds",
            "Time from a request to its answer, waiting included",
            labels,
            registry=self.registry,
        )
        self.batch_rows = prometheus_client.Histogram(
            "serving_batch_rows",
            "Rows of each run of the model",
            ["signature"],
            buckets=_ROWS,
            registry=self.registry,
        )
        self.queue = prometheus_client.Gauge(
            "serving_queue_requests",
            "Requests that wait for a run of the model",
            registry=self.registry,
        )

    @contextlib.contextmanager
    def watch(self, api: str, method: str) -> Iterator[Call]:
        """Counts the call in the block and turns whatever it raises into a `ServingError`."""
        call = Call()
        start = time.perf_counter()
        # What is neither an answer nor an error: the client has gone.
        status = grpc.StatusCode.CANCELLED
        try:
            yield call
            status = grpc.StatusCode.OK
        except Exception as error:
            seen = as_serving_error(error)
            status = seen.code
            if status == grpc.StatusCode.INTERNAL and not isinstance(error, ServingError):
                _LOGGER.exception("%s over %s failed", method, api)
            if seen is error:
                raise
            raise seen from error
        finally:
            labels = (api, method, call.signature)
            self.requests.labels(*labels, status.name).inc()
            self.seconds.labels(*labels).observe(time.perf_counter() - start)

    def page(self) -> bytes:
        """Returns all numbers in Prometheus' text format."""
        return prometheus_client.generate_latest(self.registry)
