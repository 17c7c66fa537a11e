"""Ending a run on SIGTERM and SIGINT without losing a step, and at once where it hangs."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# A terminal and the program between may both hand on one key press.
_SECONDS_OF_ONE_SIGNAL = 0.1


class Termination:
    """Turns SIGTERM and SIGINT into `SystemExit` with 143 and 130.

    Inside `deferred` a signal is only noted in `code`, for the training to end after its step;
    outside, it ends the block at once. A second signal ends the process, whatever it does, with the
    code of the first one. Nothing is cleaned up then, as after SIGKILL. It works in a step that
    hangs too, where Python itself sees no signal.

    Example:

    ```python
    with Termination() as termination, termination.deferred():
        ...
        if termination.code:
            save()
            raise SystemExit(termination.code)
    ```
    """

    def __init__(self):
        self.code: int | None = None
        self._is_deferred = False
        self._earlier: dict = {}
        self._resources = contextlib.ExitStack()

    def __enter__(self) -> "Termination":
        # Python takes signals in the main thread alone.
        if threading.current_thread() is threading.main_thread():
            # A shell has its background jobs ignore SIGINT.
            heeded = [n for n in _SIGNALS if signal.getsignal(n) != signal.SIG_IGN]
            self._watch()
            self._earlier = {number: signal.signal(number, self._note) for number in heeded}
        return self

    def __exit__(self, *_) -> None:
        if self.code is not None:
            # The process is about to exit; until then a second signal still ends it.
            return
        for number, handler in self._earlier.items():
            signal.signal(number, handler)
        self._resources.close()

    def _watch(self) -> None:
        """Starts a thread that learns of signals while the main thread is not in Python."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        earlier = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        watcher = threading.Thread(
            target=self._count, args=(reading,), name="signal-watcher", daemon=True
        )
        watcher.start()
        self._resources.callback(os.close, reading)
        self._resources.callback(watcher.join)
        self._resources.callback(os.close, writing)
        self._resources.callback(signal.set_wakeup_fd, earlier)

    def _count(self, reading: int) -> None:
        first = None
        while received := os.read(reading, 1):
            number, now = received[0], time.monotonic()
            if number not in _SIGNALS or signal.getsignal(number) != self._note:
                continue
            if first is None:
                first, code = now, 128 + number
                if self._is_deferred:
                    _say("stopping after this step; another signal ends the process at once")
            elif now - first > _SECONDS_OF_ONE_SIGNAL:
                _say("ended by a second signal; the newest checkpoint stands")
                os._exit(code)

    def _note(self, number: int, frame: object) -> None:
        del frame
        is_first = self.code is None
        self.code = self.code or 128 + number
        if is_first and not self._is_deferred:
            _say("ended by a signal; the same command goes on from the newest checkpoint")
            raise SystemExit(self.code)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Notes signals while the block runs, which looks at `code` after each step."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False


def _say(line: str) -> None:
    # Not through Python's buffer, whose lock the main thread may hold.
    with contextlib.suppress(OSError):
        os.write(sys.__stderr__.fileno(), f"{line}\n".encode())
