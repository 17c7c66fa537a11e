"""Writing beside the training."""

import threading
from collections.abc import Callable


class BackgroundWriter:
    """Runs one piece of work at a time in a thread.

    Work that is handed over while the last piece is still under way waits for it, so that memory
    holds two snapshots at most. An error surfaces at the next call of any method.

    Example:

    ```python
    with BackgroundWriter() as writer:
        writer.submit(lambda: write_checkpoint(directory, snapshot, keep=3))
        ...                                                   # train on
        writer.check()
    ```
    """

    def __init__(self):
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> "BackgroundWriter":
        return self

    def __exit__(self, kind, error, traceback) -> None:
        if kind is None:
            self.wait()
        elif self._thread is not None:
            self._thread.join()  # The error that is on its way says more than one of this thread.

    def submit(self, work: Callable[[], object]) -> None:
        """Starts `work`, once the piece before it has ended."""
        self.wait()

        def run():
            try:
                work()
            except BaseException as error:
                self._error = error

        # Not a daemon: the interpreter waits for a checkpoint that is being written.
        self._thread = threading.Thread(target=run, name="checkpoint-writer")
        self._thread.start()

    def check(self) -> None:
        """Raises the error of an earlier piece of work, if there is one."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def wait(self) -> None:
        """Waits for the work under way and raises its error."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.check()
