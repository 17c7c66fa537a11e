"""A client of TensorFlow Serving, over gRPC."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

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

from keras_bert.errors import InputError

_PREDICTION = "tensorflow.serving.PredictionService"
_MODEL = "tensorflow.serving.ModelService"
# gRPC makes at most five attempts, whatever it is asked for.
MOST_RETRIES = 4


class ClientError(Exception):
    """A call that failed.

    Attributes:
        code: `grpc.StatusCode`.
        message: str. What the server, or gRPC, says about it.
    """

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message


class TensorDescription(NamedTuple):
    """An input or output: `dtype` is a name such as `"string"`; `None` in `shape` is any size."""

    dtype: str
    shape: tuple[int | None, ...] | None


class SignatureDescription(NamedTuple):
    """Inputs and outputs of a signature, by name."""

    inputs: dict[str, TensorDescription]
    outputs: dict[str, TensorDescription]


class VersionStatus(NamedTuple):
    """State of a version, such as `"AVAILABLE"`, and why it did not load, where it did not."""

    state: str
    error: str


class Client:
    """Calls a model behind TensorFlow Serving, or behind `python -m exports serve`.

    Calls that fail because the server cannot be reached or has too much to do (UNAVAILABLE,
    RESOURCE_EXHAUSTED) are repeated by gRPC after growing pauses, as long as the deadline allows;
    others fail at once. Objects may be shared by threads.

    Args:
        address: str. `"host:port"` of the gRPC API.
        model: str. Name of the model.
        version: int or None. By default the server's choice, the highest.
        deadline: float. Seconds for each request, repetitions included.
        retries: int, from 0 to 4. How often a request may be repeated.
        batch_size: int or None. Inputs of more rows are cut in several requests, one after
            another, and their outputs joined, those of fewer columns with zeros or empty strings
            behind them; with None they never are.
        secure: bool. True for TLS, by the certificates that gRPC trusts; by default what is sent
            can be read and changed on its way.
        credentials: `grpc.ChannelCredentials` or None. TLS with others, as of
            `grpc.ssl_channel_credentials(root_certificates, private_key, certificate_chain)`;
            composed with call credentials it carries a token too.

    Raises:
        InputError: If an argument is out of range.

    Example:

    ```python
    with Client("localhost:8500", model="bert") as client:
        reply = client.predict({"text": ["some text", "another"]})
    reply["probabilities"]                     # float32 (2, classes)
    # Behind a proxy with TLS and a certificate of one's own.
    own = grpc.ssl_channel_credentials(Path("ca.pem").read_bytes())
    Client("models.example.org:443", credentials=own)
    ```

    References:
        - https://www.tensorflow.org/tfx/serving/api_docs/cc
    """

    def __init__(
        self,
        address: str = "localhost:8500",
        *,
        model: str = "model",
        version: int | None = None,
        deadline: float = 5.0,
        retries: int = 3,
        batch_size: int | None = 32,
        secure: bool = False,
        credentials: grpc.ChannelCredentials | None = None,
    ):
        if not 0 < deadline < math.inf:
            raise InputError(
                f"`deadline` must be above 0 and finite. Received: deadline={deadline}"
            )
        if not 0 <= retries <= MOST_RETRIES:
            raise InputError(
                f"`retries` must be from 0 to {MOST_RETRIES}. Received: retries={retries}"
            )
        if batch_size is not None and batch_size < 1:
            raise InputError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
        self._model = model_pb2.ModelSpec(name=model)
        if version is not None:
            self._model.version.value = version
        self._deadline = deadline
        self._batch_size = batch_size
        self._described: dict[str, SignatureDescription] = {}
        options = _channel_options(retries)
        if secure and credentials is None:
            credentials = grpc.ssl_channel_credentials()
        self._channel = (
            grpc.insecure_channel(address, options=options)
            if credentials is None
            else grpc.secure_channel(address, credentials, options=options)
        )
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    def predict(
        self,
        inputs: Mapping[str, Any],
        *,
        signature: str = "serving_default",
        outputs: Sequence[str] = (),
    ) -> dict[str, np.ndarray]:
        """Returns the outputs of a signature.

        Args:
            inputs: dict of arrays or lists, with as many rows each. They are sent as the type that
                the signature has, if it holds them.
            signature: str.
            outputs: names of the outputs to return, by default all.

        Returns:
            dict of arrays; strings are arrays of bytes objects.

        Raises:
            InputError: If an input is no tensor or not of the signature's type.
            ClientError: If a request fails.
        """
        if signature not in self._described:
            self._described = self.signatures()
        described = self._described.get(signature)
        arrays = {
            name: _as_array(name, value, described and described.inputs.get(name))
            for name, value in inputs.items()
        }
        try:
            replies = [self._predict(part, signature, outputs) for part in self._parts(arrays)]
        except ClientError:
            # Perhaps the signature is another one now.
            self._described = {}
            raise
        return _joined(replies) if len(replies) > 1 else replies[0][1]

    def signatures(self) -> dict[str, SignatureDescription]:
        """Returns what each signature takes and returns.

        Raises:
            ClientError: If the request fails.
        """
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._model, metadata_field=["signature_def"]
        )
        reply = self._call(self._prediction.GetModelMetadata, request)
        definitions = get_model_metadata_pb2.SignatureDefMap()
        reply.metadata["signature_def"].Unpack(definitions)
        return {
            name: SignatureDescription(_describe(each.inputs), _describe(each.outputs))
            for name, each in sorted(definitions.signature_def.items())
            # TensorFlow's own, for the time of loading.
            if not name.startswith("__")
        }

    def status(self) -> dict[int, VersionStatus]:
        """Returns the state of each version that the server knows.

        Raises:
            ClientError: If the request fails.
        """
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._model)
        reply = self._call(self._models.GetModelStatus, request)
        states = get_model_status_pb2.ModelVersionStatus.State
        return {
            each.version: VersionStatus(states.Name(each.state), each.status.error_message)
            for each in reply.model_version_status
        }

    def _parts(self, arrays: dict[str, np.ndarray]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """Yields numbers of rows, and the inputs in so many rows."""
        sizes = {array.shape[:1] for array in arrays.values()}
        (rows,) = sizes.pop() if len(sizes) == 1 and () not in sizes else (0,)
        size = self._batch_size
        if size is None or rows <= size:
            yield rows, arrays
            return
        for start in range(0, rows, size):
            part = {name: array[start : start + size] for name, array in arrays.items()}
            yield min(size, rows - start), part

    def _predict(
        self, part: tuple[int, dict[str, np.ndarray]], signature: str, outputs: Sequence[str]
    ) -> tuple[int, dict[str, np.ndarray]]:
        rows, arrays = part
        request = predict_pb2.PredictRequest(model_spec=self._model, output_filter=outputs)
        request.model_spec.signature_name = signature
        for name, array in arrays.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        reply = self._call(self._prediction.Predict, request)
        return rows, {name: tf.make_ndarray(proto) for name, proto in reply.outputs.items()}

    def _call(self, method: grpc.UnaryUnaryMultiCallable, request: Any) -> Any:
        try:
            return method(request, timeout=self._deadline)
        except grpc.RpcError as error:
            raise ClientError(error.code(), error.details()) from error


def _channel_options(retries: int) -> list[tuple[str, Any]]:
    policy = {
        "maxAttempts": retries + 1,
        "initialBackoff": "0.1s",
        "maxBackoff": "2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
    }
    services = [{"service": _PREDICTION}, {"service": _MODEL}]
    return [
        ("grpc.enable_retries", int(retries > 0)),
        *(
            [
                (
                    "grpc.service_config",
                    json.dumps({"methodConfig": [{"name": services, "retryPolicy": policy}]}),
                )
            ]
            if retries
            else []
        ),
        # A request is repeated only if it is kept; by default only small ones are.
        ("grpc.per_rpc_retry_buffer_size", 1 << 30),
        # Connections are tried again as soon as requests are.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
    ]


def _describe(infos: Mapping[str, Any]) -> dict[str, TensorDescription]:
    return {
        name: TensorDescription(
            tf.dtypes.as_dtype(info.dtype).name,
            None
            if info.tensor_shape.unknown_rank
            else tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim),
        )
        for name, info in sorted(infos.items())
    }


def _as_array(name: str, value: Any, description: TensorDescription | None) -> np.ndarray:
    """An array of the type that the signature declares; of an unknown input as it is."""
    try:
        if description is None:
            return np.asarray(value)
        if description.dtype == "string":
            result = np.array(value, object)
            if not all(isinstance(item, str | bytes) for item in result.ravel()):
                raise TypeError("not all of it is strings, in lists of equal lengths")
            return result
        array = np.asarray(value)
        dtype = tf.dtypes.as_dtype(description.dtype).as_numpy_dtype
        result = array.astype(dtype)
    except (TypeError, ValueError) as error:
        raise InputError(f"input {name!r} is no tensor: {error}") from error
    # Of an empty list NumPy cannot know the type.
    if array.size and not np.can_cast(array.dtype, dtype, "same_kind"):
        raise InputError(f"input {name!r} must be {description.dtype}. Received: {array.dtype}")
    if array.dtype.kind in "iu" and not np.array_equal(result, array):
        raise InputError(f"input {name!r} has a number that {description.dtype} does not hold")
    return result


def _joined(replies: Sequence[tuple[int, dict[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    """Rows of several replies in one; what is narrower gets zeros or empty strings behind it."""
    result = {}
    for name in replies[0][1]:
        parts = [reply[name] for _, reply in replies]
        ranks = {part.ndim for part in parts}
        counts = [len(part) if part.ndim else None for part in parts]
        if len(ranks) > 1 or counts != [rows for rows, _ in replies]:
            raise InputError(
                f"output {name!r} cannot be joined from several requests, because it has not one "
                "row for each row of the input; `batch_size` must be None"
            )
        widest = np.max([part.shape[1:] for part in parts], axis=0, initial=0)
        result[name] = np.concatenate([_widened(part, widest) for part in parts])
    return result


def _widened(part: np.ndarray, shape: np.ndarray) -> np.ndarray:
    filling = b"" if part.dtype == object else 0
    missing = [(0, int(size)) for size in shape - part.shape[1:]]
    return np.pad(part, [(0, 0), *missing], constant_values=filling) if any(missing) else part
