"""Calls of TensorFlow Serving over gRPC."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import numpy as np

# TensorFlow Serving's messages hold TensorFlow's, so TensorFlow is imported with them anyway.
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from exports.client_repetition import ClientError
from exports.client_transport import (
    SignatureDescription,
    Transport,
    VersionStatus,
    Wanted,
    describe,
)
from keras_bert.errors import InputError

_SCHEMES = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "vsock:", "xds:")
# A name, an address, or an address of IPv6 in brackets.
_ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]):(?P<port>\d{1,5})")
# The server is away, has too much to do, or ends: nobody else cancels a call.
_PASSING = (
    *(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED),
    grpc.StatusCode.CANCELLED,
)
# What gRPC has no codes of its own for, although it does not pass: no such name, no certificate to
# trust, no TLS, no HTTP/2; a message longer than one side takes.
_LASTING = re.compile(
    r"Domain name not found|Name or service not known|nodename nor servname|Misformatted|"
    r"Failed to parse port|Hostname Verification|verification check failed|Tls handshake failed|"
    r"Failed parsing HTTP/2|message larger than max"
)


class GrpcTransport(Transport):
    """Calls over a channel.

    Args:
        address: str. See `Client`.
        wanted: `Wanted`.
        credentials: `grpc.ChannelCredentials` or None, for none.

    Raises:
        InputError: If the address is none.
    """

    def __init__(self, address: str, wanted: Wanted, credentials: grpc.ChannelCredentials | None):
        _check_address(address)
        self._model = model_pb2.ModelSpec(name=wanted.model)
        if wanted.version is not None:
            self._model.version.value = wanted.version
        if wanted.label is not None:
            self._model.version_label = wanted.label
        self._channel = (
            grpc.insecure_channel(address, options=_OPTIONS)
            if credentials is None
            else grpc.secure_channel(address, credentials, options=_OPTIONS)
        )
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(
        self,
        inputs: Mapping[str, np.ndarray],
        signature: str,
        outputs: Sequence[str],
        described: SignatureDescription | None,
        seconds: float,
    ) -> dict[str, np.ndarray]:
        del described
        request = predict_pb2.PredictRequest(model_spec=self._model, output_filter=outputs)
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        reply = _call(self._prediction.Predict, request, seconds)
        return {name: tf.make_ndarray(proto) for name, proto in reply.outputs.items()}

    def signatures(self, seconds: float) -> dict[str, SignatureDescription]:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._model, metadata_field=["signature_def"]
        )
        reply = _call(self._prediction.GetModelMetadata, request, seconds)
        definitions = get_model_metadata_pb2.SignatureDefMap()
        reply.metadata["signature_def"].Unpack(definitions)
        return describe(definitions.signature_def)

    def status(self, seconds: float) -> dict[int, VersionStatus]:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._model)
        reply = _call(self._models.GetModelStatus, request, seconds)
        states = get_model_status_pb2.ModelVersionStatus.State
        return {
            each.version: VersionStatus(states.Name(each.state), each.status.error_message)
            for each in reply.model_version_status
        }

    def close(self) -> None:
        self._channel.close()


_OPTIONS = [
    # Calls are repeated by the client, as gRPC makes five attempts at most, all in a second or two.
    ("grpc.enable_retries", 0),
    # A server that has come back is found soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]


def _call(method: grpc.UnaryUnaryMultiCallable, request: Any, seconds: float) -> Any:
    try:
        return method(request, timeout=seconds)
    except grpc.RpcError as error:
        message = error.details() or ""
        passing = error.code() in _PASSING and not _LASTING.search(message)
        raise ClientError(error.code(), message, passing=passing) from error


def _check_address(address: str) -> None:
    found = _ADDRESS.fullmatch(address)
    if not address.startswith(_SCHEMES) and not (found and 0 < int(found["port"]) < 65536):
        raise InputError(
            "`address` must be host:port of the gRPC API, or http://host:port or https://host:port "
            f"of the REST API. Received: {address!r}"
        )
