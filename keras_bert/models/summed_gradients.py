"""What a model tells its optimizer while it hands over gradients that are summed already."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any


class _Handover(threading.local):
    """Each replica of a strategy is traced in a thread of its own."""

    active = False
    norm: Any = None


_handover = _Handover()


@contextlib.contextmanager
def summed_gradients(norm: Any) -> Iterator[None]:
    """Marks the gradients applied within as sums over all replicas.

    Args:
        norm: float32 scalar. Norm of all of them, not scaled.
    """
    _handover.active, _handover.norm = True, norm
    try:
        yield
    finally:
        _handover.active, _handover.norm = False, None


def are_summed() -> bool:
    """Whether the gradients that are being applied are sums over all replicas."""
    return _handover.active


def known_norm() -> Any:
    """The norm of the gradients that are being applied; None where it is not known."""
    return _handover.norm
