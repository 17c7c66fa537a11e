"""What goes wrong with a call, by the codes of gRPC."""

import asyncio

import grpc
import tensorflow as tf

from keras_bert.errors import sentence_of

# As TensorFlow Serving answers over REST. A full queue is the exception: there it is UNAVAILABLE,
# here RESOURCE_EXHAUSTED; over REST it is 503 in both.
HTTP_STATUS = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 503,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DATA_LOSS: 500,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}
# gRPC sends the message in a header, of which clients take 8 KB.
_LONGEST_MESSAGE = 2000


class ServingError(Exception):
    """A call that fails, with the reason for its caller.

    Args:
        code: `grpc.StatusCode`.
        message: str.
    """

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(message)
        self.code = code
        self.message = message[:_LONGEST_MESSAGE]


def invalid(message: str) -> ServingError:
    """Returns the error for an argument that breaks a rule."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def as_serving_error(error: Exception) -> ServingError:
    """Returns the error that the caller sees; of faults of the server only that there was one."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, asyncio.TimeoutError):
        return ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline has passed")
    if isinstance(error, tf.errors.OpError):
        return ServingError(_CODES[error.error_code], sentence_of(error.message))
    return ServingError(grpc.StatusCode.INTERNAL, f"{type(error).__name__} in the server")
