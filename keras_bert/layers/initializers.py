"""Initialisers and activations by BERT's names."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def truncated_normal(standard_deviation: float) -> keras.initializers.Initializer:
    """Returns BERT's initialiser for kernels and tables; biases start at zero."""
    return keras.initializers.TruncatedNormal(stddev=standard_deviation)


def _gelu_tanh(inputs: Any) -> Any:
    return ops.gelu(inputs, approximate=True)


def _gelu(inputs: Any) -> Any:
    return ops.gelu(inputs, approximate=False)


_ACTIVATIONS = {"gelu_tanh": _gelu_tanh, "gelu": _gelu, "relu": ops.relu}


def activation_function(name: str) -> Callable:
    """Returns the activation called `name` in `BertConfig`."""
    return _ACTIVATIONS[name]
