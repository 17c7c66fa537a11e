"""One version of a model in memory, and its signatures."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the operations of exports
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from exports.serving.errors import ServingError, invalid

GRAPH = "saved_model.pb"
DEFAULT_SIGNATURE = "serving_default"


class Signature:
    """A signature as a function of NumPy arrays.

    Args:
        name: str.
        loaded: object, as `tf.saved_model.load` returns it.

    Attributes:
        inputs: dict of `tf.TensorSpec`.
        joins: bool. True if rows of several requests may run together. That asks for an unknown
            first axis of everything, and that the rows out are as many as the rows in, which is
            tried here and watched in each run.
    """

    def __init__(self, name: str, loaded: Any):
        self.name = name
        function = loaded.signatures[name]
        self.inputs: dict[str, tf.TensorSpec] = dict(function.structured_input_signature[1])
        self.outputs = frozenset(function.structured_outputs)
        self._function = function
        # The function alone would not keep the variables.
        self._loaded = loaded
        specs = [*self.inputs.values(), *function.structured_outputs.values()]
        self.joins = bool(self.inputs) and all(_any_rows(spec) for spec in specs)
        self.joins = self.joins and all(self._keeps_rows(rows) for rows in (2, 3))

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns all outputs; strings are arrays of bytes objects."""
        outputs = self._function(
            **{name: tf.constant(inputs[name], spec.dtype) for name, spec in self.inputs.items()}
        )
        return {
            name: np.asarray(tensor.numpy(), object if tensor.dtype == tf.string else None)
            for name, tensor in outputs.items()
        }

    def check_names(self, names: Iterable[str]) -> None:
        """Checks the names of inputs.

        Raises:
            ServingError: INVALID_ARGUMENT, if one is missing or unknown.
        """
        if set(names) != set(self.inputs):
            raise invalid(
                f"signature {self.name!r} takes the inputs {', '.join(sorted(self.inputs))}. "
                f"Received: {', '.join(sorted(names)) or 'none'}"
            )

    def check_shapes(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Checks the shapes of inputs.

        Raises:
            ServingError: INVALID_ARGUMENT, if one is not the signature's.
        """
        for name, spec in self.inputs.items():
            if not spec.shape.is_compatible_with(inputs[name].shape):
                raise invalid(
                    f"input {name!r} must have the shape {spec.shape}. "
                    f"Received: {inputs[name].shape}"
                )

    def check_filter(self, names: Sequence[str]) -> None:
        """Checks the names of outputs asked for.

        Raises:
            ServingError: INVALID_ARGUMENT, for an unknown or repeated name.
        """
        for name in names:
            if name not in self.outputs:
                raise invalid(
                    f"signature {self.name!r} has the outputs {', '.join(sorted(self.outputs))}. "
                    f"Received: {name!r}"
                )
        if len(set(names)) < len(names):
            raise invalid(f"an output is asked for twice: {', '.join(names)}")

    def _keeps_rows(self, rows: int) -> bool:
        """Tries zeros and empty strings, for which a filter, split or repeat gives itself away."""
        inputs = {}
        for name, spec in self.inputs.items():
            shape = [rows, *(1 if size is None else size for size in spec.shape[1:])]
            is_string = spec.dtype == tf.string
            inputs[name] = (
                np.full(shape, b"", object)
                if is_string
                else np.zeros(shape, spec.dtype.as_numpy_dtype)
            )
        try:
            return all(len(array) == rows for array in self.run(inputs).values())
        except tf.errors.OpError:
            # It may well answer other values; alone, it is asked nothing else.
            return False


def _any_rows(spec: tf.TensorSpec) -> bool:
    return bool(spec.shape.rank) and spec.shape[0] is None


class LoadedVersion:
    """A version of a SavedModel in memory.

    Args:
        directory: Path. A version directory.

    Raises:
        Exception: Whatever TensorFlow raises for a SavedModel that does not load.
    """

    def __init__(self, directory: Path):
        self.number = int(directory.name)
        loaded = tf.saved_model.load(str(directory))
        self._signatures = {name: Signature(name, loaded) for name in loaded.signatures}
        self.signature_definitions = _signature_definitions(directory)

    def signature(self, name: str) -> Signature:
        """Returns a signature; the empty name is the default one.

        Raises:
            ServingError: FAILED_PRECONDITION, if there is none of that name.
        """
        name = name or DEFAULT_SIGNATURE
        if name not in self._signatures:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"there is no signature {name!r}; version {self.number} has "
                f"{', '.join(sorted(self._signatures))}",
            )
        return self._signatures[name]


def _signature_definitions(directory: Path) -> dict[str, meta_graph_pb2.SignatureDef]:
    saved_model = saved_model_pb2.SavedModel.FromString((directory / GRAPH).read_bytes())
    (graph,) = (graph for graph in saved_model.meta_graphs if "serve" in graph.meta_info_def.tags)
    return dict(graph.signature_def)
