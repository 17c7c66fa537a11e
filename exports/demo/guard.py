"""Bounds of what a page takes from the network."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# Texts are read to a limit far below, however they are written in JSON.
MOST_BYTES = 4 << 20
_SECONDS = 30


class Guard:
    """ASGI middleware: refuses files, and bodies that are too long or too slow.

    Gradio takes files for every page, also for those that ask for texts alone, and keeps them.

    Args:
        app: The application.
        most_bytes: int. Of a body.
        seconds: float. In which a body must have arrived.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        most_bytes: int = MOST_BYTES,
        seconds: float = _SECONDS,
    ):
        self._app = app
        self._most_bytes = most_bytes
        self._seconds = seconds

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: _Receive, send: _Send
    ) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if "upload" in scope["path"].split("/"):
            return await _refuse(send, 404, "this page takes no files")
        try:
            body = await asyncio.wait_for(self._body(receive), self._seconds)
        except asyncio.TimeoutError:
            return await _refuse(send, 408, f"no whole body within {self._seconds:g} seconds")
        if body is None:
            return None
        if len(body) > self._most_bytes:
            return await _refuse(send, 413, f"a body may have {self._most_bytes} bytes")
        first: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": bytes(body)}]

        async def replay() -> MutableMapping[str, Any]:
            return first.pop() if first else await receive()

        return await self._app(scope, replay, send)

    async def _body(self, receive: _Receive) -> bytearray | None:
        """The body, or as much of it as shows that it is too long; None if the client has gone."""
        body, more = bytearray(), True
        while more and len(body) <= self._most_bytes:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return body


async def _refuse(send: _Send, status: int, reason: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": reason.encode()})
