"""NumPy arrays from and to the tensors of gRPC."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from exports.serving.errors import invalid

# A message may have one value for all elements. So much of that is filled in, which is far more
# than rows of ids have, as it makes any number of bytes from twenty.
_MOST_FILLED_BYTES = 1 << 20
_VALUES = (
    *("string_val", "float_val", "double_val", "int_val", "int64_val", "bool_val", "half_val"),
    *("uint32_val", "uint64_val"),
)


def from_proto(
    name: str, proto: tensor_pb2.TensorProto, spec: tf.TensorSpec, most_rows: int
) -> np.ndarray:
    """Returns the array of a message; strings are bytes objects.

    Args:
        name: str. Of the input, for messages.
        proto: `TensorProto`.
        spec: `tf.TensorSpec` of the input.
        most_rows: int. Size of the first axis, at most.

    Raises:
        ServingError: INVALID_ARGUMENT, if the message is damaged, of another type or shape, or
            declares more than it holds. Nothing is allocated before that is known.
    """
    if proto.dtype != spec.dtype.as_datatype_enum:
        raise invalid(f"input {name!r} must be {spec.dtype.name}. Received: {_type_name(proto)}")
    shape = [dim.size for dim in proto.tensor_shape.dim]
    check_rows(name, shape, most_rows)
    elements = math.prod(shape)
    # Of strings the references to them; they themselves are shared.
    size = elements * (spec.dtype.size or 8)
    if min(shape, default=0) < 0 or (
        size > _MOST_FILLED_BYTES and elements > _elements_there(proto, spec.dtype)
    ):
        raise invalid(f"input {name!r} has not the elements of its shape. Received: {shape}")
    try:
        return tf.make_ndarray(proto)
    except (TypeError, ValueError) as error:
        raise invalid(f"input {name!r} does not hold a tensor of shape {shape}") from error


def check_rows(name: str, shape: Sequence[int], most_rows: int) -> None:
    """Checks the size of the first axis of an input.

    Raises:
        ServingError: INVALID_ARGUMENT, if it is too large.
    """
    if shape and shape[0] > most_rows:
        raise invalid(f"input {name!r} must have at most {most_rows} rows. Received: {shape[0]}")


def _type_name(proto: tensor_pb2.TensorProto) -> str:
    try:
        return tf.dtypes.as_dtype(proto.dtype).name if proto.dtype else "no type"
    except TypeError:
        return f"type {proto.dtype}, which is none"


def _elements_there(proto: tensor_pb2.TensorProto, dtype: tf.DType) -> int:
    if proto.tensor_content:
        return len(proto.tensor_content) // dtype.size
    return max(len(getattr(proto, values)) for values in _VALUES)


def to_proto(array: np.ndarray) -> tensor_pb2.TensorProto:
    """Returns the message for an array."""
    return tf.make_tensor_proto(array)
