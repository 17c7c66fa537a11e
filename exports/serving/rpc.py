"""TensorFlow Serving's gRPC API: what of it serves and describes a model."""

from collections.abc import Mapping

import grpc
import numpy as np
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from exports.serving.errors import ServingError, invalid
from exports.serving.health import Health
from exports.serving.model import Signature
from exports.serving.service import SIGNATURE_DEFINITIONS, Service, Wanted, off_the_loop
from exports.serving.tensors import from_proto, to_proto

_API = "grpc"
_MOST_METADATA = 16 << 10


def server(service: Service, health: Health) -> grpc.aio.Server:
    """Returns a server of the gRPC API, which is not bound to a port yet."""
    result = grpc.aio.server(
        interceptors=[_DamagedMessages()],
        options=[
            ("grpc.max_receive_message_length", service.options.max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", _MOST_METADATA),
            # Connections that stay silent, or whose calls never end, leave room for others.
            ("grpc.max_allowed_incoming_connections", service.options.max_connections),
            ("grpc.server_handshake_timeout_ms", int(1000 * service.options.deadline)),
            # Or two servers could share a port, and each would get half of the calls.
            ("grpc.so_reuseport", 0),
        ],
        # As many may run as wait; what is beyond is refused before its message is read.
        maximum_concurrent_rpcs=2 * service.options.max_queue,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _PredictionService(service), result
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_ModelService(service), result)
    health_pb2_grpc.add_HealthServicer_to_server(health, result)
    return result


class _DamagedMessages(grpc.aio.ServerInterceptor):
    """Refuses bytes that are no message, which gRPC would take for a fault of the server."""

    async def intercept_service(self, continuation, handler_call_details):
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        streams = handler.response_streaming
        behave = handler.unary_stream if streams else handler.unary_unary
        read = handler.request_deserializer

        def deserialize(message: bytes) -> Message | DecodeError:
            try:
                return read(message)
            except DecodeError as error:
                return error

        async def answer(request: Message | DecodeError, context: grpc.aio.ServicerContext):
            if isinstance(request, DecodeError):
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no message: {request}")
            return await behave(request, context)

        make = (
            grpc.unary_stream_rpc_method_handler if streams else grpc.unary_unary_rpc_method_handler
        )
        return make(answer, deserialize, handler.response_serializer)


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, service: Service):
        self._service = service

    async def Predict(  # noqa: N802 - the protocol's name
        self, request: predict_pb2.PredictRequest, context: grpc.aio.ServicerContext
    ) -> predict_pb2.PredictResponse:
        try:
            return await self._predict(request, context.time_remaining())
        except ServingError as error:
            await context.abort(error.code, error.message)

    async def _predict(
        self, request: predict_pb2.PredictRequest, seconds: float | None
    ) -> predict_pb2.PredictResponse:
        service, size = self._service, request.ByteSize()
        with service.metrics.watch(_API, "Predict") as call, service.budget.share() as share:
            # The message, and the arrays made of it.
            share.take(2 * size)
            with self._service.version(_wanted(request)) as version:
                signature = version.signature(request.model_spec.signature_name)
                call.signature = signature.name
                signature.check_filter(request.output_filter)
                signature.check_names(request.inputs)
                inputs = await off_the_loop(
                    size, _read, request, signature, service.options.max_rows
                )
                outputs = await self._service.predict(signature, inputs, seconds)
                reply = predict_pb2.PredictResponse()
                reply.model_spec.name = request.model_spec.name
                reply.model_spec.signature_name = signature.name
                reply.model_spec.version.value = version.number
            chosen = {name: outputs[name] for name in request.output_filter or outputs}
            size = sum(array.nbytes for array in chosen.values())
            await off_the_loop(size, _write, reply, chosen)
            return reply

    async def GetModelMetadata(  # noqa: N802
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.aio.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        try:
            with self._service.metrics.watch(_API, "GetModelMetadata"):
                if set(request.metadata_field) != {SIGNATURE_DEFINITIONS}:
                    raise invalid(
                        f"`metadata_field` must be {SIGNATURE_DEFINITIONS!r}. "
                        f"Received: {list(request.metadata_field)}"
                    )
                return self._service.metadata(_wanted(request))
        except ServingError as error:
            await context.abort(error.code, error.message)


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, service: Service):
        self._service = service

    async def GetModelStatus(  # noqa: N802
        self,
        request: get_model_status_pb2.GetModelStatusRequest,
        context: grpc.aio.ServicerContext,
    ) -> get_model_status_pb2.GetModelStatusResponse:
        try:
            with self._service.metrics.watch(_API, "GetModelStatus"):
                return self._service.status(_wanted(request))
        except ServingError as error:
            await context.abort(error.code, error.message)


def _read(
    request: predict_pb2.PredictRequest, signature: Signature, most_rows: int
) -> dict[str, np.ndarray]:
    return {
        name: from_proto(name, request.inputs[name], spec, most_rows)
        for name, spec in signature.inputs.items()
    }


def _write(reply: predict_pb2.PredictResponse, outputs: Mapping[str, np.ndarray]) -> None:
    for name, array in outputs.items():
        reply.outputs[name].CopyFrom(to_proto(array))


def _wanted(request) -> Wanted:
    """The model and version that a request names."""
    if not request.HasField("model_spec"):
        raise invalid("`model_spec` is missing")
    spec: model_pb2.ModelSpec = request.model_spec
    return Wanted(
        spec.name,
        spec.version.value if spec.HasField("version") else None,
        spec.version_label if spec.HasField("version_label") else None,
    )
