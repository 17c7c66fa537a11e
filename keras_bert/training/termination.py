"""Ending a run on SIGTERM and SIGINT without losing a step."""

import contextlib
import signal
import threading
from collections.abc import Iterator

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Termination:
    """Turns SIGTERM and SIGINT into `SystemExit` with 143 and 130.

    Inside `deferred` a signal is only noted in `code`, for the training to end after its step;
    outside, the process exits at once. A second signal changes nothing.

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

    def __enter__(self) -> "Termination":
        # Python takes signals in the main thread alone.
        if threading.current_thread() is threading.main_thread():
            # A shell has its background jobs ignore SIGINT.
            heeded = [n for n in _SIGNALS if signal.getsignal(n) != signal.SIG_IGN]
            self._earlier = {number: signal.signal(number, self._note) for number in heeded}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._earlier.items():
            if self.code and number == signal.SIGTERM:
                # The process is about to exit with a code that a second signal must not change.
                signal.signal(number, signal.SIG_IGN)
            else:
                signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        del frame
        is_first = self.code is None
        self.code = self.code or 128 + number
        if is_first and not self._is_deferred:
            raise SystemExit(self.code)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Notes signals while the block runs, which looks at `code` after each step."""
        self._is_deferred = True
        try:
            yield
        finally:
            self._is_deferred = False
