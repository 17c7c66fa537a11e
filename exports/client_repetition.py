"""Calls that are repeated until they succeed, cannot succeed, or their time is over."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import grpc

_Reply = TypeVar("_Reply")
# Seconds of the first pause, and of the longest; each is twice the one before.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
# With less time left no server is asked again.
_SHORTEST_ATTEMPT = 0.02


class ClientError(Exception):
    """A call that failed.

    Args:
        code: `grpc.StatusCode`, over REST too.
        message: str. What the server, or the network, says about it.
        passing: bool. Whether the same call may succeed later.
        pause: float. Seconds in which the server does not want to be asked again.

    Attributes:
        code, message, passing, pause: The arguments.
    """

    def __init__(
        self, code: grpc.StatusCode, message: str, *, passing: bool = False, pause: float = 0.0
    ):
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message
        self.passing = passing
        self.pause = pause


class Deadline:
    """A moment until which something is to be done.

    Args:
        seconds: float. From now.
    """

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Returns the seconds until then; 0 where it has passed."""
        return max(self._end - time.monotonic(), 0.0)


def repeat(
    attempt: Callable[[float], _Reply], deadline: Deadline, retries: int | None = None
) -> _Reply:
    """Returns what an attempt returns, the first that does.

    Pauses double, from .1 to 2 seconds, and are shortened by up to a half at random, so that many
    clients of a server do not come back at the same moments. The last ones are shorter, so that
    the server is asked until just before the deadline.

    Args:
        attempt: Called with the seconds that it may take. Raises `ClientError`, `passing` if it
            is to be called again.
        deadline: `Deadline`.
        retries: int or None. How often it is called again at most.

    Raises:
        ClientError: That of the last attempt.
    """
    count, step = 0, _FIRST_PAUSE
    before: ClientError | None = None
    while True:
        try:
            return attempt(deadline.left())
        except ClientError as error:
            count += 1
            if before and error.code == grpc.StatusCode.DEADLINE_EXCEEDED:
                # There was no time for the last one. What the others met says more.
                raise _told(before, count, deadline) from error
            if not error.passing:
                raise
            left = deadline.left()
            if left < _SHORTEST_ATTEMPT or count > (retries if retries is not None else count):
                raise _told(error, count, deadline) from error
            pause = max(random.uniform(0.5, 1) * step, error.pause)
            time.sleep(min(pause, left / 2))
            step = min(2 * step, _LONGEST_PAUSE)
            before = error


def _told(error: ClientError, count: int, deadline: Deadline) -> ClientError:
    times = "once" if count == 1 else f"{count} times"
    seconds = deadline.seconds - deadline.left()
    return ClientError(error.code, f"{error.message} (tried {times} in {seconds:.3g} seconds)")
