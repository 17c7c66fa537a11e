"""Calls of TensorFlow Serving over REST."""

import base64
import contextlib
import errno
import http.client
import json
import queue
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2

from exports.client_repetition import ClientError, Deadline
from exports.client_transport import (
    SignatureDescription,
    TensorDescription,
    Transport,
    VersionStatus,
    Wanted,
    describe,
)
from keras_bert.errors import InputError

_Code = grpc.StatusCode
_CODES = {
    400: _Code.INVALID_ARGUMENT,
    401: _Code.UNAUTHENTICATED,
    403: _Code.PERMISSION_DENIED,
    404: _Code.NOT_FOUND,
    408: _Code.DEADLINE_EXCEEDED,
    409: _Code.ABORTED,
    412: _Code.FAILED_PRECONDITION,
    413: _Code.INVALID_ARGUMENT,
    429: _Code.RESOURCE_EXHAUSTED,
    499: _Code.CANCELLED,
    500: _Code.INTERNAL,
    501: _Code.UNIMPLEMENTED,
    502: _Code.UNAVAILABLE,
    503: _Code.UNAVAILABLE,
    504: _Code.DEADLINE_EXCEEDED,
}
# The server is away or has too much to do; 502 is a proxy's word for it.
_PASSING = (429, 502, 503)
# The same, as the network says it.
_PASSING_ERRORS = {
    *(errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT),
    *(errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL),
    *(errno.ENOTCONN, errno.EAGAIN),
}
# A server that ends in the midst of a handshake.
_PASSING_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)


class RestTransport(Transport):
    """Calls over HTTP, each on a connection of its own.

    Args:
        address: str. `http://host:port` or `https://host:port`, with a path where a proxy has one.
        wanted: `Wanted`.
        context: `ssl.SSLContext` or None. For https; by default the system's certificates.

    Raises:
        InputError: If the address is none.
    """

    def __init__(self, address: str, wanted: Wanted, context: ssl.SSLContext | None):
        self._host, self._port, path, secure = _parts(address)
        self._context = (context or ssl.create_default_context()) if secure else None
        path += f"/v1/models/{urllib.parse.quote(wanted.model, safe='')}"
        if wanted.version is not None:
            path += f"/versions/{wanted.version}"
        if wanted.label is not None:
            path += f"/labels/{urllib.parse.quote(wanted.label, safe='')}"
        self._path = path

    def predict(
        self,
        inputs: Mapping[str, np.ndarray],
        signature: str,
        outputs: Sequence[str],
        described: SignatureDescription | None,
        seconds: float,
    ) -> dict[str, np.ndarray]:
        deadline = Deadline(seconds)
        columns = {name: _as_json(array) for name, array in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": columns}).encode()
        reply = self._call("POST", f"{self._path}:predict", body, deadline)
        try:
            columns = reply["outputs"]
            known = described.outputs if described else {}
            if len(known) == 1 or not isinstance(columns, dict):
                columns = dict.fromkeys(known or ("outputs",), columns)
            for name in outputs:
                if name not in columns:
                    raise ClientError(
                        _Code.INVALID_ARGUMENT,
                        f"signature {signature!r} has the outputs {', '.join(sorted(columns))}. "
                        f"Received: {name!r}",
                    )
            return {name: _as_array(columns[name], known.get(name)) for name in outputs or columns}
        except (KeyError, TypeError, ValueError) as error:
            raise _malformed(error) from error

    def signatures(self, seconds: float) -> dict[str, SignatureDescription]:
        reply = self._call("GET", f"{self._path}/metadata", None, Deadline(seconds))
        definitions = get_model_metadata_pb2.SignatureDefMap()
        try:
            json_format.ParseDict(
                reply["metadata"]["signature_def"], definitions, ignore_unknown_fields=True
            )
            return describe(definitions.signature_def)
        except (KeyError, TypeError, ValueError, json_format.ParseError) as error:
            raise _malformed(error) from error

    def status(self, seconds: float) -> dict[int, VersionStatus]:
        reply = self._call("GET", self._path, None, Deadline(seconds))
        try:
            return {
                int(each["version"]): VersionStatus(
                    each["state"], each.get("status", {}).get("error_message", "")
                )
                for each in reply["model_version_status"]
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _malformed(error) from error

    def _call(self, method: str, path: str, body: bytes | None, deadline: Deadline) -> Any:
        """The JSON of a reply."""
        try:
            response, text = self._exchange(method, path, body, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not deadline.left():
                message = f"the deadline has passed: {error}"
                raise ClientError(_Code.DEADLINE_EXCEEDED, message) from error
            raise _of_network(error) from error
        if response.status == 200:
            try:
                return json.loads(text)
            except (ValueError, RecursionError) as error:
                if response.getheader("Content-Length") is None and not response.chunked:
                    # Whether all of it has come nobody knows.
                    raise ClientError(_Code.UNAVAILABLE, "half a reply", passing=True) from error
                raise _malformed(error) from error
        raise ClientError(
            _CODES.get(response.status, _Code.UNKNOWN),
            _message(response, text),
            passing=response.status in _PASSING,
            pause=_pause(response),
        )

    def _exchange(
        self, method: str, path: str, body: bytes | None, deadline: Deadline
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = _Connection(self._host, self._port, self._context, deadline)
        try:
            connection.connect()
            headers = {"Content-Type": "application/json", "Connection": "close"}
            # Each wait of a socket has a bound of its own, and bytes that dribble begin it anew.
            end = threading.Timer(deadline.left(), connection.end)
            end.daemon = True
            end.start()
            try:
                # Who refuses a long body answers without reading all of it.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(method, path, body, headers)
                with connection.getresponse() as response:
                    text = response.read()
                connection.check()
                return response, text
            finally:
                end.cancel()
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    """A connection that is made, with its name and certificate looked at, before a deadline."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, deadline: Deadline):
        super().__init__(host, port)
        self.default_port = 443 if context else 80
        self._context = context
        self._deadline = deadline
        self._connected: socket.socket | None = None
        self._ended = False

    def connect(self) -> None:
        error: OSError = ConnectionRefusedError(f"{self.host} has no address")
        for family, kind, protocol, _, address in _addresses(self.host, self.port, self._deadline):
            connected = socket.socket(family, kind, protocol)
            try:
                self._limit(connected)
                connected.connect(address)
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._limit(connected)
                if self._context:
                    connected = self._context.wrap_socket(connected, server_hostname=self.host)
                    self._limit(connected)
            except OSError as failed:
                connected.close()
                error = failed
            else:
                self.sock = self._connected = connected
                return
        raise error

    def _limit(self, connected: socket.socket) -> None:
        left = self._deadline.left()
        if not left:
            raise TimeoutError("timed out")
        connected.settimeout(left)

    def check(self) -> None:
        """Raises `TimeoutError` if `end` was called: what was read may look like a whole reply."""
        if self._ended:
            raise TimeoutError("timed out")

    def end(self) -> None:
        """Wakes whoever waits for this connection."""
        self._ended = True
        # `sock` is None as soon as a response has begun that ends with its connection.
        if self._connected:
            # It may have ended by itself.
            with contextlib.suppress(OSError):
                # That of TLS itself would forget the keys that others are reading with.
                socket.socket.shutdown(self._connected, socket.SHUT_RDWR)


def _addresses(host: str, port: int, deadline: Deadline) -> list[tuple]:
    """What a name stands for; the system takes its own time for it, and cannot be told less."""
    found: queue.SimpleQueue = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.put(error)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        result = found.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError(f"{host} was not looked up in time") from None
    if isinstance(result, Exception):
        raise result
    return result


def _parts(address: str) -> tuple[str, int, str, bool]:
    """Host, port, path and whether it is https."""
    try:
        parts = urllib.parse.urlsplit(address)
        secure = parts.scheme == "https"
        port = parts.port if parts.port is not None else 443 if secure else 80
        valid = parts.scheme in ("http", "https") and parts.hostname and port
        valid = valid and not (parts.query or parts.fragment or parts.username)
        valid = valid and not any(character.isspace() or character < " " for character in address)
    except ValueError:
        valid = False
    if not valid:
        raise InputError(
            "`address` must be http://host:port or https://host:port for the REST API. "
            f"Received: {address!r}"
        )
    return parts.hostname, port, parts.path.rstrip("/"), secure


def _of_network(error: Exception) -> ClientError:
    message = f"{type(error).__name__}: {error}"
    if isinstance(error, socket.gaierror):
        # No answer about the name, or that there is none.
        return ClientError(_Code.UNAVAILABLE, message, passing=error.errno == socket.EAI_AGAIN)
    if isinstance(error, ssl.SSLError):
        return ClientError(_Code.UNAVAILABLE, message, passing=isinstance(error, _PASSING_TLS))
    # Also of a status line.
    is_half = isinstance(error, http.client.IncompleteRead) or (
        isinstance(error, http.client.BadStatusLine) and "HTTP/".startswith(error.line[:5])
    )
    if is_half or isinstance(error, ConnectionError):
        return ClientError(_Code.UNAVAILABLE, message, passing=True)
    if isinstance(error, TimeoutError) and error.errno is None:
        return ClientError(_Code.DEADLINE_EXCEEDED, message)
    if isinstance(error, OSError):
        return ClientError(_Code.UNAVAILABLE, message, passing=error.errno in _PASSING_ERRORS)
    # Whoever answers does not speak HTTP.
    return ClientError(_Code.UNAVAILABLE, message)


def _malformed(error: Exception) -> ClientError:
    return ClientError(
        _Code.INTERNAL, f"the reply is none of TensorFlow Serving: {type(error).__name__}: {error}"
    )


def _message(response: http.client.HTTPResponse, text: bytes) -> str:
    """What the server says, or the beginning of what stands there in its stead."""
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        beginning = text[:200].decode(errors="replace").strip()
        return f"HTTP {response.status} {response.reason}: {beginning}".rstrip(": ")


def _pause(response: http.client.HTTPResponse) -> float:
    value = response.getheader("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 9 else 0.0


def _as_json(array: np.ndarray) -> Any:
    if array.dtype.kind not in "OSU":
        return array.tolist()
    flat = [_text(item) for item in array.ravel().tolist()]
    return np.fromiter(flat, object, len(flat)).reshape(array.shape).tolist()


def _text(item: str | bytes) -> Any:
    try:
        return item if isinstance(item, str) else item.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(item).decode()}


def _as_array(value: Any, description: TensorDescription | None) -> np.ndarray:
    """An array of the type and rank that the signature declares."""
    is_text = description and description.dtype == "string"
    dtype = None
    if description:
        dtype = object if is_text else tf.dtypes.as_dtype(description.dtype).as_numpy_dtype
    array = np.array(_bytes(value) if is_text else value, dtype)
    shape = description.shape if description else None
    if shape is not None and not array.size and array.ndim < len(shape):
        # Of lists without items nobody knows how many axes they would have.
        array = array.reshape(array.shape + tuple(size or 0 for size in shape[array.ndim :]))
    return array


def _bytes(value: Any) -> Any:
    if isinstance(value, list):
        return [_bytes(item) for item in value]
    if isinstance(value, dict):
        return base64.b64decode(value["b64"], validate=True)
    return value.encode()
