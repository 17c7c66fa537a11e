"""Layers without padding: real tokens only, and back."""

from typing import Any, NamedTuple

import keras
from keras import ops


class RealTokens(NamedTuple):
    """Where the real tokens of a batch stand.

    A few tokens of padding are kept, so that counts repeat from batch to batch: kernels are
    compiled for each count.

    Args:
        places: int32 `(kept,)`. Places in the list of all tokens: those of the real ones in their
            order, then of some padding.
        order: int32 `(batch * length,)`. The number of each token among the real ones; any number,
            on padding.
        is_real: bool `(batch * length, 1)`.
    """

    places: Any
    order: Any
    is_real: Any

    @classmethod
    def of(cls, padding_mask: Any) -> "RealTokens":
        """Finds the true places of a bool `(batch, length)`."""
        # (batch, length) -> (batch * length,)
        is_real = ops.reshape(ops.cast(padding_mask, "bool"), (-1,))
        order = ops.cumsum(ops.cast(is_real, "int32")) - 1
        real, padding = ops.nonzero(is_real)[0], ops.nonzero(ops.logical_not(is_real))[0]
        count = ops.shape(real)[0]
        # Slicing stops at the end of what padding there is.
        places = ops.concatenate([real, padding[: _rounded(count) - count]])
        return cls(ops.cast(places, "int32"), ops.maximum(order, 0), ops.expand_dims(is_real, 1))


def _rounded(count: Any) -> Any:
    """The next multiple of 16, or of an eighth of the largest power of two within `count`."""
    # Padding alone gets some token too: without any there would be nothing to put back.
    # Types are told, or Keras takes Python's numbers for halves where `floatx` is one.
    count = ops.maximum(ops.cast(count, "int32"), ops.cast(1, "int32"))
    power = ops.floor(ops.log2(ops.cast(count, "float32")))
    step = ops.power(ops.cast(2, "float32"), power - 3)
    step = ops.cast(ops.maximum(step, ops.cast(16, "float32")), "int32")
    return (count + step - 1) // step * step


def drop_padding(tokens: Any, real: RealTokens, *, training: bool | None = True) -> Any:
    """Keeps the real tokens: `(batch * length, width)` to `(kept, width)`."""
    if not training:
        return ops.take(tokens, real.places, axis=0)
    return _kernels().drop_padding(tokens, *real)


def restore_padding(tokens: Any, real: RealTokens, *, training: bool | None = True) -> Any:
    """Puts real tokens back among zeros: `(kept, width)` to `(batch * length, width)`."""
    found = spread(tokens, real, training=training)
    return ops.where(real.is_real, found, ops.zeros((), tokens.dtype))


def spread(tokens: Any, real: RealTokens, *, training: bool | None = True) -> Any:
    """Puts real tokens back; padding gets some token, which nobody may look at.

    Its gradient is that of `restore_padding`: what flows back from padding is left out.
    """
    if not training:
        return ops.take(tokens, real.order, axis=0)
    return _kernels().spread(tokens, real.places, real.order)


def is_possible() -> bool:
    """Whether shapes may vary here: under TensorFlow, outside XLA."""
    return keras.backend.backend() == "tensorflow" and not _kernels().is_compiled_by_xla()


def _kernels() -> Any:
    from keras_bert.layers import tensorflow_kernels

    return tensorflow_kernels
