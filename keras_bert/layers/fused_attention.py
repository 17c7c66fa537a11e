"""Attention in one kernel, where the backend and the device have it: cuDNN's, from JAX."""

from typing import Any

import keras

# What cuDNN's kernel takes on every GPU from Ampere on.
_DTYPES = ("bfloat16", "float16")
_LARGEST_HEAD = 128
# In one place, so that tests compare the same call without a GPU.
_IMPLEMENTATION = "cudnn"


def can_fuse(projected: Any, mask: Any) -> bool:
    """Whether `fused_attention` takes these tensors on this machine.

    Args:
        projected: floats `(batch, length, 3, heads, head)`.
        mask: bool `(batch, query, length)`; of one query only, as a padding mask is.
    """
    _, length, _, _, head = projected.shape
    return (
        keras.backend.backend() == "jax"
        and keras.backend.standardize_dtype(projected.dtype) in _DTYPES
        and mask.shape[1] == 1
        # Known, so not a symbolic call; and even, because the gradient takes no other.
        and isinstance(length, int)
        and length % 2 == 0
        and head % 8 == 0
        and head <= _LARGEST_HEAD
        and _device_has_kernel()
    )


def fused_attention(projected: Any, mask: Any) -> Any:
    """Attention of all queries to the real keys of their row.

    The kernel takes the number of keys of each row, not a mask (which it would turn into an array
    of `(batch, 1, length, length)`, with a gradient of its own). So the real keys come first, in
    their order; attention does not ask for the order of keys. For rows that are padded at their
    end that changes nothing.

    Args:
        projected: floats `(batch, length, 3, heads, head)`: queries, keys and values.
        mask: bool `(batch, 1, length)`, true on real keys.

    Returns:
        Floats `(batch, length, heads, head)`.
    """
    import jax
    from jax import numpy as jnp

    query, key, value = (projected[:, :, part] for part in range(3))
    # (batch, 1, length) -> (batch, length)
    real = mask[:, 0]
    order = jnp.argsort(~real, axis=1, stable=True)
    rows = jnp.arange(real.shape[0])[:, None]

    def real_first(tokens):
        # Each place is read once: the gradient needs no atomic additions.
        return tokens.at[rows, order].get(unique_indices=True, mode="promise_in_bounds")

    # A row without any real token would be a division by zero.
    count = jnp.maximum(jnp.sum(real, axis=1, dtype="int32"), 1)
    return jax.nn.dot_product_attention(
        query,
        real_first(key),
        real_first(value),
        key_value_seq_lengths=count,
        implementation=_IMPLEMENTATION,
    )


def _device_has_kernel() -> bool:
    """Whether the first device is an NVIDIA GPU from Ampere on."""
    import jax

    capability = getattr(jax.devices()[0], "compute_capability", "")
    # "8.0" on NVIDIA's; AMD's are called "gfx942".
    return capability[:1].isdigit() and float(capability) >= 8
