"""Dense layers without padding: real tokens only, and back."""

from typing import Any

from keras import ops


def real_places(padding_mask: Any) -> Any:
    """Places of the real tokens in the list of all: int32 `(real,)`.

    Args:
        padding_mask: bool `(batch, length)`, true on real tokens.
    """
    # (batch, length) -> (batch * length,)
    return ops.nonzero(ops.reshape(padding_mask, (-1,)))[0]


def drop_padding(tokens: Any, places: Any) -> Any:
    """Keeps the real tokens: `(batch * length, width)` to `(real, width)`."""
    return ops.take(tokens, places, axis=0)


def restore_padding(tokens: Any, places: Any, count: Any) -> Any:
    """Puts real tokens back among zeros: `(real, width)` to `(count, width)`."""
    return ops.scatter(ops.expand_dims(places, -1), tokens, (count, tokens.shape[-1]))
