"""The activation of the feed-forward network."""

from typing import Any

import keras
from keras import ops


def activate(inputs: Any, name: str, *, training: bool | None = None) -> Any:
    """Applies the activation called `name` in `BertConfig`.

    Args:
        inputs: floats of any shape.
        name: str. `"gelu_tanh"`, `"gelu"` or `"relu"`.
        training: bool or None. Whether gradients will be asked for.

    Returns:
        Floats like `inputs`.

    References:
        - Hendrycks and Gimpel 2016, arXiv:1606.08415.
    """
    if name == "relu":
        return ops.relu(inputs)
    approximate = name == "gelu_tanh"
    if keras.backend.backend() != "tensorflow":
        return ops.gelu(inputs, approximate=approximate)
    from keras_bert.layers import tensorflow_kernels

    return tensorflow_kernels.gelu(inputs, approximate=approximate, training=bool(training))
