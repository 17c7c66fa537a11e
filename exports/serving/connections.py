"""Connections of the REST API: which of them gives way when there are too many."""

import asyncio
import contextlib
from collections.abc import Iterator

import grpc
from aiohttp import web

from exports.serving.errors import ServingError

_FULL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Connections:
    """Knows for which connections the server works, and for which it waits.

    When there are too many, the one that has been waited for longest gives way: nothing came on it,
    or only half a request, for longer than on the others. So whoever asks soon after connecting is
    answered, however many others are silent. Work takes no more than seven of eight connections;
    with the others a server that is busy can still tell how it is.

    Args:
        most: int. Connections at a time.
    """

    def __init__(self, most: int):
        self._most = most
        self._most_busy = max(most - max(most // 8, 1), 1)
        self._open: dict[web.RequestHandler, asyncio.Transport] = {}
        # In the order in which they began to be waited for.
        self._waiting: dict[web.RequestHandler, None] = {}
        self._busy: set[web.RequestHandler] = set()

    def protocol(self, server: web.Server) -> asyncio.Protocol:
        """Returns what talks to a client that connects."""
        return _Connection(self, server)

    def add(self, connection: web.RequestHandler, transport: asyncio.Transport) -> bool:
        """Takes in a connection; tells whether there was room for it."""
        if len(self._open) >= self._most:
            oldest = next(iter(self._waiting), None)
            if oldest is None:
                return False
            # Not `close`, which would wait until the last answer has been read.
            self._open[oldest].abort()
            self.remove(oldest)
        self._open[connection] = transport
        self._waiting[connection] = None
        return True

    def remove(self, connection: web.RequestHandler) -> None:
        """Forgets a connection that has ended."""
        self._open.pop(connection, None)
        self._waiting.pop(connection, None)

    @contextlib.contextmanager
    def work(self, connection: web.RequestHandler) -> Iterator[None]:
        """Marks a connection whose request has arrived, for a `with` block.

        Raises:
            ServingError: RESOURCE_EXHAUSTED, if the server works for too many already.
        """
        if len(self._busy) >= self._most_busy:
            raise ServingError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{len(self._busy)} requests are answered already (`--max-connections`)",
            )
        self._waiting.pop(connection, None)
        self._busy.add(connection)
        try:
            yield
        finally:
            self._busy.discard(connection)
            if connection in self._open:
                self._waiting[connection] = None


class _Connection(asyncio.Protocol):
    """Hands a connection to aiohttp, if there is room for it."""

    def __init__(self, connections: Connections, server: web.Server):
        self._connections = connections
        self._handler = server()
        self._is_full = False

    def connection_made(self, transport):
        self._is_full = not self._connections.add(self._handler, transport)
        if self._is_full:
            transport.write(_FULL)
            transport.close()
        else:
            self._handler.connection_made(transport)

    def connection_lost(self, exc):
        if not self._is_full:
            self._connections.remove(self._handler)
            self._handler.connection_lost(exc)

    def data_received(self, data):
        if not self._is_full:
            self._handler.data_received(data)

    def eof_received(self):
        return None if self._is_full else self._handler.eof_received()

    def pause_writing(self):
        if not self._is_full:
            self._handler.pause_writing()

    def resume_writing(self):
        if not self._is_full:
            self._handler.resume_writing()
