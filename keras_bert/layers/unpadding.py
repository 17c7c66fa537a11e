"""Layers without padding: real tokens only, and back."""

from typing import Any, NamedTuple

import keras
from keras import ops


class RealTokens(NamedTuple):
    """Where the real tokens of a batch stand.

    Args:
        places: int32 `(real,)`. Their places in the list of all tokens.
        order: int32 `(batch * length,)`. The number of each among the real ones; any, on padding.
        is_real: bool `(batch * length, 1)`.
    """

    places: Any
    order: Any
    is_real: Any

    @classmethod
    def of(cls, padding_mask: Any) -> "RealTokens":
        """Counts the true places of a bool `(batch, length)`."""
        # (batch, length) -> (batch * length,)
        is_real = ops.reshape(ops.cast(padding_mask, "bool"), (-1,))
        order = ops.cumsum(ops.cast(is_real, "int32")) - 1
        places = ops.cast(ops.nonzero(is_real)[0], "int32")
        return cls(places, ops.maximum(order, 0), ops.expand_dims(is_real, 1))


def drop_padding(tokens: Any, real: RealTokens) -> Any:
    """Keeps the real tokens: `(batch * length, width)` to `(real, width)`."""

    @ops.custom_gradient
    def drop(tokens):
        def gradient(*arguments, upstream=None):
            upstream = arguments[0] if upstream is None else upstream
            return restore_padding(upstream, real)

        return ops.take(tokens, real.places, axis=0), gradient

    return drop(tokens)


def restore_padding(tokens: Any, real: RealTokens) -> Any:
    """Puts real tokens back among zeros: `(real, width)` to `(batch * length, width)`."""
    return ops.where(real.is_real, spread(tokens, real), ops.zeros((), tokens.dtype))


def spread(tokens: Any, real: RealTokens) -> Any:
    """Puts real tokens back; padding gets some token, which nobody may look at.

    Its gradient is that of `restore_padding`: what flows back from padding is left out.
    """

    @ops.custom_gradient
    def place(tokens):
        def gradient(*arguments, upstream=None):
            upstream = arguments[0] if upstream is None else upstream
            return drop_padding(upstream, real)

        return ops.take(tokens, real.order, axis=0), gradient

    return place(tokens)


def is_possible() -> bool:
    """Whether shapes may vary here: under TensorFlow, outside XLA."""
    if keras.backend.backend() != "tensorflow":
        return False
    from keras_bert.layers import tensorflow_kernels

    return not tensorflow_kernels.is_compiled_by_xla()
