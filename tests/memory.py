"""What a process of the suite may hold, and what is given back after each file of tests.

A file leaves models, graphs and the memory that the allocator of C keeps for the next one. Where
hundreds of tests share a process, that adds up to gigabytes.
"""

import ctypes
import gc
import sys
from pathlib import Path

import pytest

MOST_MEBIBYTES = 2048

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
# `mallopt` of the GNU library: arenas, of which each thread would else have its own.
_ARENAS = -8


def bound_arenas() -> None:
    """Lets threads share a few heaps: what is freed in one is of use to all."""
    if sys.platform == "linux":
        ctypes.CDLL(None).mallopt(_ARENAS, 4)


def begin_measuring() -> None:
    """Forgets the peak so far, where the system can."""
    if _CLEAR.exists():
        _CLEAR.write_text("5")


def peak_mebibytes() -> int | None:
    """Returns the most memory that the process held since; None where the system does not say."""
    return _mebibytes("VmHWM")


def check_peak(name: str, peak: int | None) -> None:
    """Fails where a file of tests took more than a process may."""
    if peak is not None and peak > MOST_MEBIBYTES:
        pytest.fail(
            f"{name}: a process of the suite must stay below {MOST_MEBIBYTES} MiB. "
            f"Received: a peak of {peak} MiB",
            pytrace=False,
        )


def _mebibytes(name: str) -> int | None:
    if not _STATUS.exists():
        return None
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(lines[name].split()[0]) // 1024


def release() -> None:
    """Frees what nobody holds any more, and gives it back to the system."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session(free_memory=False)
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
