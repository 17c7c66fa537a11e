"""NumPy arrays from and to the tensors of gRPC."""

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from exports.serving.errors import invalid


def from_proto(
    name: str, proto: tensor_pb2.TensorProto, spec: tf.TensorSpec, most_elements: int
) -> np.ndarray:
    """Returns the array of a message; strings are bytes objects.

    Args:
        name: str. Of the input, for messages.
        proto: `TensorProto`.
        spec: `tf.TensorSpec` of the input.
        most_elements: int. A message may repeat its last value, and so ask for any size.

    Raises:
        ServingError: INVALID_ARGUMENT, if the message is damaged or of another type.
    """
    if proto.dtype != spec.dtype.as_datatype_enum:
        received = tf.dtypes.as_dtype(proto.dtype).name if proto.dtype else "no type"
        raise invalid(f"input {name!r} must be {spec.dtype.name}. Received: {received}")
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if min(shape, default=0) < 0 or math.prod(shape) > most_elements:
        raise invalid(f"input {name!r} has a shape that cannot be. Received: {shape}")
    try:
        return tf.make_ndarray(proto)
    except (TypeError, ValueError) as error:
        raise invalid(f"input {name!r} does not hold a tensor of shape {shape}") from error


def to_proto(array: np.ndarray) -> tensor_pb2.TensorProto:
    """Returns the message for an array."""
    return tf.make_tensor_proto(array)
