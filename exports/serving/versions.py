"""The versions of a model in a directory: which one answers, and the change from one to another."""

import asyncio
import contextlib
import ctypes
import gc
import logging
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from tensorflow_serving.apis import get_model_status_pb2

from exports.serving.model import GRAPH, LoadedVersion

_LOGGER = logging.getLogger(__name__)
State = get_model_status_pb2.ModelVersionStatus.State


class Status(NamedTuple):
    """State of a version; `error` says why it did not load, where it did not."""

    state: int
    error: str = ""


class _Users:
    """Counts those who use something and tells when there are none."""

    def __init__(self):
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    def __enter__(self) -> None:
        self._count += 1
        self._none.clear()

    def __exit__(self, *_) -> None:
        self._count -= 1
        if not self._count:
            self._none.set()

    async def gone(self) -> None:
        await self._none.wait()


class Versions:
    """Keeps the highest version of a directory that loads, and changes to higher ones.

    A version that is loaded answers until another takes over, and then finishes what it has begun.
    One that does not load is tried again when its files have changed.

    Args:
        directory: Path. Holds the versions `1`, `2`, ...
        kept: Numbers of versions that are loaded too, and stay so.

    Attributes:
        statuses: dict from version numbers to `Status`.
    """

    def __init__(self, directory: Path, kept: Collection[int] = ()):
        self._directory = directory
        self._kept = frozenset(kept)
        self._highest: int | None = None
        self._loaded: dict[int, tuple[LoadedVersion, _Users]] = {}
        self._failed: dict[int, frozenset] = {}
        self._unloading: set[asyncio.Task] = set()
        self.statuses: dict[int, Status] = {}

    def has(self, number: int | None = None) -> bool:
        """Tells whether the version of this number answers, or any."""
        return (self._highest if number is None else number) in self._loaded

    @contextlib.contextmanager
    def use(self, number: int | None = None) -> Iterator[LoadedVersion]:
        """Lends a version that `has`, by default the highest; it stays loaded in the block."""
        version, users = self._loaded[self._highest if number is None else number]
        with users:
            yield version

    async def watch(self, seconds: float) -> None:
        """Looks for other versions for ever."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.refresh()
            except OSError:
                # Versions come and go while they are looked at.
                _LOGGER.warning("cannot read %s", self._directory, exc_info=True)

    async def refresh(self) -> None:
        """Loads the versions to keep, and changes to the highest version that loads."""
        found = _complete_versions(self._directory)
        for number in sorted(self._kept & found.keys()):
            await self._load(number, found[number])
        for number in sorted(found, reverse=True):
            if await self._load(number, found[number]):
                before, self._highest = self._highest, number
                if before not in (None, number, *self._kept):
                    task = asyncio.create_task(self._unload(*self._loaded.pop(before)))
                    self._unloading.add(task)
                    task.add_done_callback(self._unloading.discard)
                return

    async def _load(self, number: int, directory: Path) -> bool:
        """Tells whether a version is loaded, or is now."""
        if number in self._loaded:
            return True
        files = _fingerprint(directory)
        if self._failed.get(number) == files:
            return False
        self.statuses[number] = Status(State.LOADING)
        try:
            version = await asyncio.to_thread(LoadedVersion, directory)
        except Exception as error:
            self._failed[number] = files
            self.statuses[number] = Status(State.END, f"{type(error).__name__}: {error}")
            _LOGGER.warning("version %d does not load: %s", number, error)
            return False
        self._failed.pop(number, None)
        self.statuses[number] = Status(State.AVAILABLE)
        _LOGGER.info("version %d answers", number)
        self._loaded[number] = version, _Users()
        return True

    async def _unload(self, version: LoadedVersion, users: _Users) -> None:
        number = version.number
        self.statuses[number] = Status(State.UNLOADING)
        await users.gone()
        # A SavedModel in memory refers to itself; its weights would wait for the next collection.
        del version
        gc.collect()
        await asyncio.to_thread(_return_memory)
        if self.statuses[number].state == State.UNLOADING:
            self.statuses[number] = Status(State.END)
        _LOGGER.info("version %d is unloaded", number)


def _return_memory() -> None:
    """Gives the system what is free; glibc keeps a multiple of a model for what may come."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)


def _complete_versions(directory: Path) -> dict[int, Path]:
    """The numbered directories that hold a graph; copies often get it before its weights."""
    return {
        int(path.name): path
        for path in directory.iterdir()
        if path.name.isascii() and path.name.isdigit() and (path / GRAPH).is_file()
    }


def _fingerprint(directory: Path) -> frozenset:
    """What differs as soon as a file of a directory does."""
    statistics = ((path, path.stat()) for path in directory.rglob("*"))
    return frozenset((path, stat.st_size, stat.st_mtime_ns) for path, stat in statistics)
