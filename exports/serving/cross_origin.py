"""Which pages of other origins may call the REST API from a browser (CORS).

References:
    - https://fetch.spec.whatwg.org/#http-cors-protocol
"""

import re
from collections.abc import Sequence

from aiohttp import web

from keras_bert.errors import InputError

ALL = "*"
# As browsers write it: lower case, without a path, and without a port that is the usual one.
_ORIGIN = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:]+\])(?::(\d{1,5}))?")
_USUAL_PORTS = {"http": "80", "https": "443"}
# Seconds in which a browser does not ask again.
_REMEMBERED = 600


def check_origins(origins: Sequence[str]) -> None:
    """Checks the values of `--cors-origin`.

    Raises:
        InputError: If one is no origin, or stands beside `*`.
    """
    for origin in origins:
        found = _ORIGIN.fullmatch(origin)
        valid = found and (found[3] is None or 0 < int(found[3]) < 65536)
        if origin != ALL and not (valid and found[3] != _USUAL_PORTS[found[1]]):
            raise InputError(
                "`--cors-origin` must be an origin as browsers send it, such as "
                "https://example.org or http://localhost:3000: lower case, no path, no usual port; "
                f"or {ALL}. Received: {origin!r}"
            )
    if ALL in origins and len(origins) > 1:
        raise InputError(
            f"`--cors-origin` {ALL} allows all origins, so others have no use. "
            f"Received: {' '.join(origins)}"
        )


def share_with(app: web.Application, origins: Sequence[str]) -> None:
    """Lets pages of these origins read what an application answers, errors too.

    Credentials are never allowed: cookies and passwords of a browser belong to nobody here.

    Args:
        app: `web.Application`.
        origins: As `check_origins` takes them.
    """
    allowed = frozenset(origins)

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get("Origin")
        if ALL in allowed:
            response.headers["Access-Control-Allow-Origin"] = ALL
            return
        # Whoever stores the answer must not give it to another origin.
        response.headers.add("Vary", "Origin")
        if origin in allowed:
            response.headers["Access-Control-Allow-Origin"] = origin

    async def preflight(request: web.Request) -> web.Response:
        headers = {
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "Content-Type",
            "Access-Control-Max-Age": str(_REMEMBERED),
        }
        is_allowed = ALL in allowed or request.headers.get("Origin") in allowed
        return web.Response(status=204, headers=headers if is_allowed else {})

    app.on_response_prepare.append(add_headers)
    app.router.add_route("OPTIONS", "/v1/models/{path:.*}", preflight)
