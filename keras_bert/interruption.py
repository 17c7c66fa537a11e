"""Ctrl-C at any moment: one line, exit code 130, and nothing half-written.

`python -m ...` calls `watch` before it imports anything else. Until its command begins there is
nothing to clean up, and the process ends at once: a `KeyboardInterrupt` in the middle of the import
of a library may surface as any error, or be lost. While the command works the signal is a
`KeyboardInterrupt`, which removes temporary files on its way out. Where Python does not come to it,
as in the loop of a library, another thread does the same after some seconds, or at a second signal.

Training has its own way to end, `keras_bert.training.termination`.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

CODE = 128 + signal.SIGINT
# Seconds in which Python is to come back from a library.
_PATIENCE = 5.0
# A terminal and the program between may both hand on one key press.
_SECONDS_OF_ONE_SIGNAL = 0.5

_cleaning: list[Callable[[], None]] = []


class _Watch:
    """The handler of a process, and what it knows."""

    def __init__(self):
        # Of now: libraries' notes are held back at times, by another file under its number.
        self._errors = os.dup(2)
        self._works = False
        self._first: float | None = None
        self._heeded = threading.Event()

    def begin(self) -> None:
        signal.signal(signal.SIGINT, self._note)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        earlier = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        threading.Thread(
            target=self._wait, args=(reading,), name="interruption-watcher", daemon=True
        ).start()
        self._works = True
        try:
            yield
        finally:
            self._works = False
            signal.set_wakeup_fd(earlier)
            os.close(writing)
            if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
                self.begin()  # An event loop does not know whose handler it replaced.

    def _note(self, number: int, frame: object) -> None:
        del number, frame
        if not self._works:
            self.end()
        now = time.monotonic()
        if self._first is None:
            self._first = now
            self._heeded.set()
            raise KeyboardInterrupt
        if now - self._first > _SECONDS_OF_ONE_SIGNAL:
            self.end()

    def _wait(self, reading: int) -> None:
        """Ends the process where Python does not see the signal."""
        first = None
        while received := os.read(reading, 1):
            if received[0] != signal.SIGINT or signal.getsignal(signal.SIGINT) != self._note:
                continue
            if first is None:
                first = time.monotonic()
                threading.Thread(target=self._lose_patience, daemon=True).start()
            elif time.monotonic() - first > _SECONDS_OF_ONE_SIGNAL:
                self.end()
        os.close(reading)

    def _lose_patience(self) -> None:
        if not self._heeded.wait(_PATIENCE):
            self.end()

    def end(self) -> None:
        """Ends the process at once, without what Python does at its end."""
        for clean in reversed(_cleaning):
            with contextlib.suppress(Exception):
                clean()
        # A progress bar hides the cursor.
        show = "\x1b[?25h" if os.isatty(self._errors) else ""
        with contextlib.suppress(OSError):
            os.write(self._errors, f"{show}interrupted\n".encode())
        os._exit(CODE)


_watch: _Watch | None = None


def watch(module: str) -> None:
    """Heeds SIGINT from now on, if the process was started for a module.

    A shell has its background jobs ignore SIGINT, which they then do. A program that imports the
    module keeps its own ways.

    Args:
        module: str. `__name__` of a module with a command line.
    """
    global _watch
    is_script = os.path.basename(sys.argv[0]).startswith("keras-bert")
    if module != "__main__" and not (is_script and module.endswith(".__main__")):
        return
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing and multiprocessing.parent_process():
        return  # A worker, which begins by importing the script.
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        _watch = _Watch()
        _watch.begin()


@contextlib.contextmanager
def unwinding() -> Iterator[None]:
    """Has SIGINT raise `KeyboardInterrupt` in the block, in place of ending the process at once.

    It changes nothing where the process does not `watch`.
    """
    with _watch.working() if _watch else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def cleaned(clean: Callable[[], None]) -> Iterator[None]:
    """Names what is to be done if the process is ended in the block without leaving it.

    Args:
        clean: Function, called in any thread, of which no error matters.
    """
    _cleaning.append(clean)
    try:
        yield
    finally:
        _cleaning.remove(clean)
