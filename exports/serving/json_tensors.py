"""Tensors in JSON, as TensorFlow Serving's REST API writes them.

Two things differ from it, so that a reply is always JSON: numbers that are not finite are `null`,
and strings that are not UTF-8 are `{"b64": ...}` whatever the name of the output.

References:
    - https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
import binascii
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from exports.serving.errors import invalid

# Outputs of such names hold bytes, whether they happen to be UTF-8 or not.
_BYTES_SUFFIX = "_bytes"
# What a value in a list, a list itself, or an object with a name takes in memory.
_VALUE_BYTES = 64
_OBJECT_BYTES = 256
# NumPy's arrays have no more axes in every release.
_MOST_AXES = 32


def size_of_values(body: bytes | bytearray) -> int:
    """Returns bytes of memory that the values of a body take at most, before it is parsed.

    A list takes 20 times the bytes of its `[],`, an object more. What stands in strings is counted
    too, which is little in texts.
    """
    values = body.count(b",") + body.count(b"[")
    return _VALUE_BYTES * values + _OBJECT_BYTES * body.count(b"{")


def parse(body: bytes | bytearray) -> dict[str, Any]:
    """Returns the object that a request must be.

    Raises:
        ServingError: INVALID_ARGUMENT, if it is not JSON or misses what every request has.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise invalid("the body must be a JSON object")
    if not isinstance(document.get("signature_name", ""), str):
        raise invalid("'signature_name' must be a string")
    if ("instances" in document) == ("inputs" in document):
        raise invalid("the body must have either 'instances' or 'inputs'")
    return document


def read(document: Mapping[str, Any], specs: Mapping[str, tf.TensorSpec]) -> dict[str, np.ndarray]:
    """Returns the inputs of a request, in rows (`instances`) or in columns (`inputs`).

    Args:
        document: dict, as `parse` returns it.
        specs: dict of `tf.TensorSpec`. The inputs of the signature.

    Raises:
        ServingError: INVALID_ARGUMENT, if a value is missing, of another type or out of range.
    """
    columns = (
        _columns(document["instances"], specs) if "instances" in document else document["inputs"]
    )
    if not isinstance(columns, dict) or _is_bytes(columns):
        if len(specs) > 1:
            raise invalid(f"there are several inputs, to be named: {', '.join(sorted(specs))}")
        columns = dict.fromkeys(specs, columns)
    for name in specs:
        if name not in columns:
            raise invalid(f"input {name!r} is missing")
    return {name: _array(name, columns[name], spec.dtype) for name, spec in specs.items()}


def write(outputs: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> str:
    """Returns the reply to a request: `predictions` for rows, `outputs` for columns.

    Raises:
        ServingError: INVALID_ARGUMENT, if the outputs are no rows but rows are asked for.
    """
    columns = {name: _values(name, array) for name, array in outputs.items()}
    if "inputs" in document:
        reply = {"outputs": next(iter(columns.values())) if len(columns) == 1 else columns}
    else:
        sizes = {array.shape[:1] for array in outputs.values()}
        if len(sizes) != 1 or () in sizes:
            raise invalid("the outputs have different numbers of rows; ask by 'inputs'")
        if len(columns) == 1:
            (rows,) = columns.values()
        else:
            rows = [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]
        reply = {"predictions": rows}
    return json.dumps(reply, ensure_ascii=False, allow_nan=False)


def _columns(instances: Any, specs: Mapping[str, tf.TensorSpec]) -> Any:
    if not isinstance(instances, list) or not instances:
        raise invalid("'instances' must be a list of at least one row")
    named = [isinstance(row, dict) and not _is_bytes(row) for row in instances]
    if not any(named):
        return instances
    for index, row in enumerate(instances):
        if not named[index] or set(row) != set(specs):
            raise invalid(
                f"row {index} of 'instances' must be an object with {', '.join(sorted(specs))}"
            )
    return {name: [row[name] for row in instances] for name in specs}


def _is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def _array(name: str, value: Any, dtype: tf.DType) -> np.ndarray:
    shape = []
    level = value
    while isinstance(level, list):
        shape.append(len(level))
        if len(shape) > _MOST_AXES:
            raise invalid(f"input {name!r} must have at most {_MOST_AXES} axes")
        level = level[0] if level else None
    flat = [value]
    for size in shape:
        if not all(isinstance(item, list) and len(item) == size for item in flat):
            raise invalid(f"input {name!r} must be a tensor; its lists have different lengths")
        flat = list(itertools.chain.from_iterable(flat))
    try:
        convert = _converter(dtype)
        values = [convert(item) for item in flat]
        if dtype == tf.string:
            # (elements,) -> shape. NumPy would make arrays of fixed width, without final NULs.
            return np.fromiter(values, object, len(values)).reshape(shape)
        with np.errstate(over="ignore"):
            array = np.array(values, dtype.as_numpy_dtype)
    except (OverflowError, TypeError, ValueError) as error:
        raise invalid(f"input {name!r} must be {dtype.name}: {error}") from error
    if dtype.is_floating and np.isinf(array).sum() > np.isinf(np.array(values, float)).sum():
        raise invalid(f"input {name!r} must be {dtype.name}: a number is too large")
    return array.reshape(shape)  # (elements,) -> shape


def _converter(dtype: tf.DType) -> Callable[[Any], Any]:
    if dtype == tf.string:
        return _bytes
    if dtype.is_integer:
        return _checker(int)
    if dtype.is_floating:
        return _checker(int, float)
    if dtype.is_bool:
        return _checker(bool)
    raise TypeError(f"JSON has no {dtype.name}")


def _checker(*types: type) -> Callable[[Any], Any]:
    def check(item: Any) -> Any:
        # JSON's true is an int in Python, but none in JSON.
        if type(item) not in types:
            raise TypeError(f"received {_shown(item)}")
        return item

    return check


def _shown(item: Any) -> str:
    """The beginning of a value as JSON, whose whole may be as long as the body."""
    if isinstance(item, dict | list):
        return "an object" if isinstance(item, dict) else "a list"
    return json.dumps(item[:100] if isinstance(item, str) else item)[:100]


def _bytes(item: Any) -> bytes:
    if _is_bytes(item):
        try:
            return base64.b64decode(item["b64"], validate=True)
        except binascii.Error as error:
            raise ValueError(f"not base64: {error}") from error
    return _checker(str)(item).encode()


def _values(name: str, array: np.ndarray) -> Any:
    """An array as nested lists that JSON can hold."""
    if array.dtype == object:
        encode = _as_base64 if name.endswith(_BYTES_SUFFIX) else _as_text
        flat = [encode(item) for item in array.ravel()]
        return np.fromiter(flat, object, len(flat)).reshape(array.shape).tolist()
    if array.dtype.kind in "biu":
        return array.tolist()
    if array.dtype != np.float64:
        # float32's shortest decimals: 0.2, not 0.20000000298023224.
        array = array.astype(np.float32).astype(str).astype(np.float64)
    finite = np.isfinite(array)
    return (array if finite.all() else np.where(finite, array, None)).tolist()


def _as_text(item: bytes) -> str | dict[str, str]:
    try:
        return item.decode()
    except UnicodeDecodeError:
        return _as_base64(item)


def _as_base64(item: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(item).decode()}
