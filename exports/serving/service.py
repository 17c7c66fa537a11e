"""What the server answers, whichever way it is asked."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import grpc
import numpy as np
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from exports.options import ServeOptions
from exports.serving.batching import Batcher
from exports.serving.budget import MemoryBudget
from exports.serving.connections import Connections
from exports.serving.errors import ServingError, invalid
from exports.serving.metrics import Metrics
from exports.serving.model import LoadedVersion, Signature
from exports.serving.tensors import check_rows
from exports.serving.versions import Versions

SIGNATURE_DEFINITIONS = "signature_def"
# Bytes that are read or written in less time than another thread takes to begin.
_LITTLE = 1 << 14


class Wanted(NamedTuple):
    """What a call is about: a model, and its version by number or label; by neither the highest."""

    name: str
    number: int | None = None
    label: str | None = None


class Service:
    """Answers calls about one model.

    Args:
        options: `ServeOptions`.
        versions: `Versions`.
        batcher: `Batcher`.
        metrics: `Metrics`.
        labels: dict from labels to numbers of versions.

    Attributes:
        budget: `MemoryBudget` of all requests.
        connections: `Connections` of the REST API.
        closing: `asyncio.Event`. Set to refuse calls while those that run are finished.
    """

    def __init__(
        self,
        options: ServeOptions,
        versions: Versions,
        batcher: Batcher,
        metrics: Metrics,
        labels: Mapping[str, int],
    ):
        self.options = options
        self.metrics = metrics
        self.budget = MemoryBudget(options.max_total_bytes)
        self.connections = Connections(options.max_connections)
        self.closing = asyncio.Event()
        self._versions = versions
        self._batcher = batcher
        self._labels = labels

    def version(self, wanted: Wanted) -> AbstractContextManager[LoadedVersion]:
        """Lends a version of the model for a `with` block.

        Raises:
            ServingError: NOT_FOUND, if there is no such model or version; INVALID_ARGUMENT, if
                there is no such label; UNAVAILABLE, if the server is about to end.
        """
        if self.closing.is_set():
            raise ending()
        number = self._number(wanted)
        if wanted.name != self.options.name or not self._versions.has(number):
            # The words of TensorFlow Serving's documentation.
            name = wanted.name
            words = f"Latest({name})" if number is None else f"Specific({name}, {number})"
            raise ServingError(
                grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {words}"
            )
        return self._versions.use(number)

    def _number(self, wanted: Wanted) -> int | None:
        """The number of a version, where one is named."""
        if wanted.label is None:
            return wanted.number
        labels = self._labels if wanted.name == self.options.name else {}
        if wanted.label not in labels:
            # The words of TensorFlow Serving.
            raise invalid(f"Unrecognized servable version label: {wanted.label}")
        return labels[wanted.label]

    async def predict(
        self, signature: Signature, inputs: Mapping[str, np.ndarray], seconds: float | None = None
    ) -> Mapping[str, np.ndarray]:
        """Returns all outputs of a signature.

        Args:
            signature: `Signature`.
            inputs: dict of arrays.
            seconds: float or None. The caller's deadline, if it has one.

        Raises:
            ServingError: INVALID_ARGUMENT, for inputs of other shapes or too many rows;
                RESOURCE_EXHAUSTED, if too many requests wait.
            asyncio.TimeoutError: After the deadline.
        """
        signature.check_shapes(inputs)
        for name, array in inputs.items():
            check_rows(name, array.shape, self.options.max_rows)
        limit = self.options.deadline
        seconds = limit if seconds is None else min(seconds, limit)
        return await asyncio.wait_for(self._batcher.run(signature, inputs), seconds)

    def status(self, wanted: Wanted) -> get_model_status_pb2.GetModelStatusResponse:
        """Returns the state of one version or of all.

        Raises:
            ServingError: NOT_FOUND, if there is no such model or version; INVALID_ARGUMENT, if
                there is no such label.
        """
        name, number = wanted.name, self._number(wanted)
        statuses = self._versions.statuses if name == self.options.name else {}
        numbers = sorted(statuses, reverse=True) if number is None else [number]
        if not set(numbers) <= set(statuses) or not numbers:
            what = f"model {name!r}" if number is None else f"version {number} of model {name!r}"
            raise ServingError(grpc.StatusCode.NOT_FOUND, f"there is no {what}")
        reply = get_model_status_pb2.GetModelStatusResponse()
        for each in numbers:
            status = reply.model_version_status.add(version=each, state=statuses[each].state)
            if statuses[each].error:
                status.status.error_code = grpc.StatusCode.UNKNOWN.value[0]
            status.status.error_message = statuses[each].error
        return reply

    def metadata(self, wanted: Wanted) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Returns the signatures of a version.

        Raises:
            ServingError: As `version`.
        """
        reply = get_model_metadata_pb2.GetModelMetadataResponse()
        with self.version(wanted) as version:
            reply.model_spec.name = wanted.name
            reply.model_spec.version.value = version.number
            definitions = get_model_metadata_pb2.SignatureDefMap()
            for key, definition in version.signature_definitions.items():
                definitions.signature_def[key].CopyFrom(definition)
        reply.metadata[SIGNATURE_DEFINITIONS].Pack(definitions)
        return reply


async def off_the_loop(size: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a thread where it has so much to do that other requests would wait.

    Args:
        size: int. Bytes that the function works on.
        function: Called with `arguments`.
        *arguments: Any.
    """
    if size < _LITTLE:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)


def ending() -> ServingError:
    """Returns the refusal of what came too late."""
    return ServingError(grpc.StatusCode.UNAVAILABLE, "the server is about to end")
