"""What a client asks a server, whichever way."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


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


class Wanted(NamedTuple):
    """A model, and its version by number or label; by neither the server's choice."""

    model: str
    version: int | None = None
    label: str | None = None


class Transport(abc.ABC):
    """One attempt of each call. All of it ends within the seconds that it is given.

    Every method raises `ClientError`, whose `passing` tells whether another attempt makes sense.
    """

    @abc.abstractmethod
    def predict(
        self,
        inputs: Mapping[str, np.ndarray],
        signature: str,
        outputs: Sequence[str],
        described: SignatureDescription | None,
        seconds: float,
    ) -> dict[str, np.ndarray]:
        """Returns outputs, all of them where none are named.

        Args:
            inputs: dict of arrays.
            signature: str.
            outputs: Names.
            described: What the signature takes and returns, where that is known.
            seconds: float.
        """

    @abc.abstractmethod
    def signatures(self, seconds: float) -> dict[str, SignatureDescription]:
        """Returns the signatures of the version."""

    @abc.abstractmethod
    def status(self, seconds: float) -> dict[int, VersionStatus]:
        """Returns the states of the version, or of all."""

    def close(self) -> None:  # noqa: B027 - not every transport keeps something open
        """Closes what is open."""


def describe(definitions: Mapping[str, Any]) -> dict[str, SignatureDescription]:
    """Returns the signatures of a map of `SignatureDef`, without TensorFlow's own."""
    return {
        name: SignatureDescription(_tensors(each.inputs), _tensors(each.outputs))
        for name, each in sorted(definitions.items())
        # Those of TensorFlow are for the time of loading.
        if not name.startswith("__")
    }


def _tensors(infos: Mapping[str, Any]) -> dict[str, TensorDescription]:
    return {
        name: TensorDescription(
            tf.dtypes.as_dtype(info.dtype).name,
            None
            if info.tensor_shape.unknown_rank
            else tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim),
        )
        for name, info in sorted(infos.items())
    }
