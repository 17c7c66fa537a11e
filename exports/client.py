"""A client of TensorFlow Serving, over gRPC or REST."""

import functools
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import grpc
import numpy as np
import tensorflow as tf

from exports.client_grpc import GrpcTransport
from exports.client_repetition import ClientError, Deadline, repeat
from exports.client_rest import RestTransport
from exports.client_transport import (
    SignatureDescription,
    TensorDescription,
    Transport,
    VersionStatus,
    Wanted,
)
from keras_bert.errors import InputError

_Reply = TypeVar("_Reply")
# States of a version that may answer soon, if it does not yet.
_COMING = ("START", "LOADING", "AVAILABLE")


class Client:
    """Calls a model behind TensorFlow Serving, or behind `python -m exports serve`.

    Calls are repeated after growing pauses until the deadline as long as they may succeed: while
    the server cannot be reached, as it is when it restarts, has too much to do (UNAVAILABLE,
    RESOURCE_EXHAUSTED; over REST 429, 502, 503), or has not loaded the model yet. They fail at once
    where time changes nothing: a request that is wrong, a model or version that the server does not
    know, a name without an address, certificates and credentials that are not accepted, a port
    that does not speak the protocol. Nothing takes longer than the deadline. Objects may be shared
    by threads.

    Args:
        address: str. `"host:port"` of the gRPC API, or of the REST API `"http://host:port"` or
            `"https://host:port"`, with a path where a proxy has one.
        model: str. Name of the model.
        version: int or None. By default the server's choice, the highest.
        label: str or None. The label of a version, in place of its number.
        deadline: float. Seconds for each call, repetitions included. Of inputs that are cut in
            several requests each has so many.
        retries: int or None. How often a request may be repeated; by default as often as there is
            time for.
        batch_size: int or None. Inputs of more rows are cut in several requests, one after
            another, and their outputs joined, those of fewer columns with zeros or empty strings
            behind them; with None they never are.
        secure: bool. True for TLS, by the certificates that gRPC trusts; by default what is sent
            can be read and changed on its way. Of the REST API the address tells.
        credentials: `grpc.ChannelCredentials` or None. TLS with others, as of
            `grpc.ssl_channel_credentials(root_certificates, private_key, certificate_chain)`;
            composed with call credentials it carries a token too. For https `ssl.SSLContext`.

    Raises:
        InputError: If an argument is out of range or the address none.

    Example:

    ```python
    with Client("localhost:8500", model="bert", deadline=60) as client:
        reply = client.predict({"text": ["some text", "another"]})
    reply["probabilities"]                     # float32 (2, classes)
    # Behind a proxy with TLS and a certificate of one's own.
    own = grpc.ssl_channel_credentials(Path("ca.pem").read_bytes())
    Client("models.example.org:443", credentials=own)
    Client("https://models.example.org", credentials=ssl.create_default_context(cafile="ca.pem"))
    ```

    References:
        - https://www.tensorflow.org/tfx/serving/api_docs/cc
        - https://www.tensorflow.org/tfx/serving/api_rest
    """

    def __init__(
        self,
        address: str = "localhost:8500",
        *,
        model: str = "model",
        version: int | None = None,
        label: str | None = None,
        deadline: float = 5.0,
        retries: int | None = None,
        batch_size: int | None = 32,
        secure: bool = False,
        credentials: grpc.ChannelCredentials | ssl.SSLContext | None = None,
    ):
        # A thread does not wait for longer.
        if not 0 < deadline <= threading.TIMEOUT_MAX:
            raise InputError(
                f"`deadline` must be above 0 and finite. Received: deadline={deadline}"
            )
        if retries is not None and retries < 0:
            raise InputError(f"`retries` must be at least 0. Received: retries={retries}")
        if batch_size is not None and batch_size < 1:
            raise InputError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
        if version is not None and label is not None:
            raise InputError(
                "`version` and `label` name the same thing; one of them must be None. "
                f"Received: version={version}, label={label!r}"
            )
        self._deadline = deadline
        self._retries = retries
        self._batch_size = batch_size
        self._described: dict[str, SignatureDescription] = {}
        self._transport = _transport(address, Wanted(model, version, label), secure, credentials)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

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
            outputs: names of the outputs to return, by default all. Over REST all are sent.

        Returns:
            dict of arrays; strings are arrays of bytes objects.

        Raises:
            InputError: If an input is no tensor or not of the signature's type.
            ClientError: If a request fails.
        """
        deadline = Deadline(self._deadline)
        if signature not in self._described:
            self._described = self._call(self._transport.signatures, deadline)
        described = self._described.get(signature)
        arrays = {
            name: _as_array(name, value, described and described.inputs.get(name))
            for name, value in inputs.items()
        }
        replies = []
        try:
            for rows, part in self._parts(arrays):
                deadline = Deadline(self._deadline) if replies else deadline
                attempt = functools.partial(
                    self._transport.predict, part, signature, outputs, described
                )
                replies.append((rows, self._call(attempt, deadline)))
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
        return self._call(self._transport.signatures, Deadline(self._deadline))

    def status(self) -> dict[int, VersionStatus]:
        """Returns the state of each version that the server knows.

        Raises:
            ClientError: If the request fails.
        """
        return self._call(self._transport.status, Deadline(self._deadline))

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

    def _call(self, call: Callable[[float], _Reply], deadline: Deadline) -> _Reply:
        """Repeats what a transport does."""

        def attempt(seconds: float) -> _Reply:
            try:
                return call(seconds)
            except ClientError as error:
                if error.code != grpc.StatusCode.NOT_FOUND or not self._is_coming(deadline):
                    raise
                raise ClientError(error.code, error.message, passing=True) from error

        return repeat(attempt, deadline, self._retries)

    def _is_coming(self, deadline: Deadline) -> bool:
        """Whether the server loads what it does not have yet."""
        try:
            statuses = self._transport.status(deadline.left())
        except ClientError as error:
            return error.passing
        return any(status.state in _COMING for status in statuses.values())


def _transport(
    address: str,
    wanted: Wanted,
    secure: bool,
    credentials: grpc.ChannelCredentials | ssl.SSLContext | None,
) -> Transport:
    scheme, separator, _ = address.partition("://")
    is_rest = bool(separator) and scheme.lower() in ("http", "https")
    fitting = ssl.SSLContext if is_rest else grpc.ChannelCredentials
    if credentials is not None and not isinstance(credentials, fitting):
        raise InputError(
            f"`credentials` must be {fitting.__module__}.{fitting.__name__} for {address}. "
            f"Received: {type(credentials).__name__}"
        )
    if is_rest:
        if scheme.lower() == "http" and (secure or credentials is not None):
            raise InputError(f"`address` must begin with https:// for TLS. Received: {address!r}")
        return RestTransport(address, wanted, credentials)
    if secure and credentials is None:
        credentials = grpc.ssl_channel_credentials()
    return GrpcTransport(address, wanted, credentials)


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
