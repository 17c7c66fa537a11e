"""Vectors of texts from those of their tokens."""

from typing import Any

from keras import ops

POOLINGS = ("mean", "cls", "max")
# Below every value; its square is still a number.
_LOWEST = -1e18
# Smallest squared length that is divided by: vectors of zeros stay zeros, with gradients of zero.
_SMALLEST_SQUARE = 1e-24


def pool(tokens: Any, padding_mask: Any, pooling: str) -> Any:
    """Makes one vector of the real tokens of each row, in float32.

    Args:
        tokens: floats `(batch, length, hidden)`.
        padding_mask: bool `(batch, length)`, true on real tokens.
        pooling: str. `"mean"`, `"max"`, or `"cls"`, the first token.

    Returns:
        float32 `(batch, hidden)`; zeros for rows without real tokens.

    References:
        - Reimers & Gurevych 2019, arXiv:1908.10084, section 3.
    """
    # Sums of many tokens lose digits in half precision.
    tokens = ops.cast(tokens, "float32")
    is_real = ops.cast(padding_mask, "bool")
    # (batch, length) -> (batch, length, 1)
    is_token = ops.expand_dims(is_real, -1)
    if pooling == "mean":
        count = ops.sum(ops.cast(is_token, "float32"), axis=1)
        return ops.sum(ops.where(is_token, tokens, 0.0), axis=1) / ops.maximum(count, 1.0)
    if pooling == "max":
        vectors = ops.max(ops.where(is_token, tokens, _LOWEST), axis=1)
    else:
        vectors = tokens[:, 0]
    # (batch, length) -> (batch, 1)
    return ops.where(ops.any(is_real, axis=1, keepdims=True), vectors, 0.0)


def unit_length(vectors: Any) -> Any:
    """Divides vectors `(..., hidden)` by their lengths; those of zeros stay as they are."""
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors * ops.rsqrt(ops.maximum(squares, _SMALLEST_SQUARE))
