"""A bound of the memory that requests take, all of them together."""

import contextlib
from collections.abc import Iterator

import grpc

from exports.serving.errors import ServingError


class Share:
    """What one request holds of a budget."""

    def __init__(self, budget: "MemoryBudget"):
        self._budget = budget
        self.size = 0

    def take(self, size: int) -> None:
        """Counts so many bytes more; to be called before they are allocated.

        Raises:
            ServingError: RESOURCE_EXHAUSTED, if all requests together would hold too many.
        """
        budget = self._budget
        if budget.held + size > budget.total:
            raise ServingError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"requests may hold {budget.total} bytes of memory together "
                f"(`--max-total-bytes`). Received: {size} more than the {budget.held} of now",
            )
        budget.held += size
        self.size += size


class MemoryBudget:
    """Bytes that the requests of a server may hold together, until they are answered.

    Args:
        total: int.

    Attributes:
        held: int. What they hold now.
    """

    def __init__(self, total: int):
        self.total = total
        self.held = 0

    @contextlib.contextmanager
    def share(self) -> Iterator[Share]:
        """Lends a request its share for a `with` block."""
        share = Share(self)
        try:
            yield share
        finally:
            self.held -= share.size
