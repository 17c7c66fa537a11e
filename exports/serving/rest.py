"""TensorFlow Serving's REST API.

References:
    - https://www.tensorflow.org/tfx/serving/api_rest
"""

import asyncio
import json
from collections.abc import Awaitable, Callable

import grpc
from aiohttp import web
from google.protobuf import json_format
from google.protobuf.message import Message
from prometheus_client import CONTENT_TYPE_LATEST
from tensorflow_serving.apis import get_model_metadata_pb2

from exports.serving import json_tensors
from exports.serving.budget import Share
from exports.serving.cross_origin import share_with
from exports.serving.errors import HTTP_STATUS, ServingError
from exports.serving.service import (
    SIGNATURE_DEFINITIONS,
    Service,
    Wanted,
    ending,
    off_the_loop,
)

_API = "rest"
# A connection that ends, chunks or a compression that are none.
_UNREADABLE = (ConnectionError, web.RequestPayloadError)
_MODEL = "/v1/models/{name:[^/:]+}"
# Numbers past 64 bits are no versions; no more digits are read.
_PATHS = (
    _MODEL,
    rf"{_MODEL}/versions/{{version:\d{{1,18}}}}",
    f"{_MODEL}/labels/{{label:[^/:]+}}",
)


def application(service: Service) -> web.Application:
    """Returns the REST API of a service, with its metrics."""
    handlers = _Handlers(service)
    app = web.Application(middlewares=[_errors_as_json])
    if service.options.cors_origin:
        share_with(app, service.options.cors_origin)
    for path in _PATHS:
        app.router.add_get(path, handlers.status)
        app.router.add_get(f"{path}/metadata", handlers.metadata)
        app.router.add_post(f"{path}:predict", handlers.predict)
        for method in ("classify", "regress"):
            app.router.add_post(f"{path}:{method}", handlers.unimplemented)
    app.router.add_get("/monitoring/prometheus/metrics", handlers.metrics)
    return app


@web.middleware
async def _errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except (web.HTTPBadRequest, web.HTTPRequestEntityTooLarge, web.HTTPRequestTimeout) as error:
        response = _error(error.status, error.text)
        # The rest of the body is not waited for.
        response.force_close()
        return response
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
        # TensorFlow Serving says 400 to every request below /v1 that it cannot read.
        status = 400 if request.path.lower().startswith("/v1/") else error.status
        return _error(status, f"Malformed request: {request.method} {request.path}")
    except ServingError as error:
        return _error(HTTP_STATUS[error.code], error.message)


def _error(status: int, message: str) -> web.Response:
    # Messages repeat what was asked: no browser shall take them for a page.
    headers = {"X-Content-Type-Options": "nosniff"}
    return web.json_response({"error": message}, status=status, headers=headers)


class _Handlers:
    def __init__(self, service: Service):
        self._service = service

    async def predict(self, request: web.Request) -> web.Response:
        with self._service.budget.share() as share:
            body = await self._body(request, share)
            with (
                self._service.metrics.watch(_API, "Predict") as call,
                self._service.connections.work(request.protocol),
            ):
                share.take(json_tensors.size_of_values(body))
                with self._service.version(_wanted(request)) as version:
                    document = await off_the_loop(len(body), json_tensors.parse, body)
                    signature = version.signature(document.get("signature_name", ""))
                    call.signature = signature.name
                    inputs = await off_the_loop(
                        len(body), json_tensors.read, document, signature.inputs
                    )
                    outputs = await self._service.predict(signature, inputs)
                size = sum(array.nbytes for array in outputs.values())
                text = await off_the_loop(size, json_tensors.write, outputs, document)
            return web.Response(text=text, content_type="application/json")

    async def _body(self, request: web.Request, share: Share) -> bytearray:
        """The body, of which no more is held than a request may have, and not for ever."""
        options = self._service.options
        body = bytearray()

        async def read() -> None:
            size, chunk = request.content_length or 0, b""
            while size <= options.max_message_bytes:
                share.take(len(chunk))
                body.extend(chunk)
                # Decompressed, where it was sent so.
                chunk = await request.content.readany()
                if not chunk:
                    return
                size = len(body) + len(chunk)
            raise web.HTTPRequestEntityTooLarge(options.max_message_bytes, size)

        reading = asyncio.ensure_future(read())
        # aiohttp drops what comes once the server ends.
        closing = asyncio.ensure_future(self._service.closing.wait())
        try:
            await asyncio.wait(
                (reading, closing), timeout=options.deadline, return_when=asyncio.FIRST_COMPLETED
            )
            if reading.done():
                reading.result()
            elif closing.done():
                raise ending()
            else:
                message = f"the body did not arrive within {options.deadline:g} seconds"
                raise web.HTTPRequestTimeout(text=message)
        except _UNREADABLE as error:
            message = f"the body cannot be read: {type(error).__name__}"
            raise web.HTTPBadRequest(text=message) from error
        finally:
            reading.cancel()
            closing.cancel()
        return body

    async def status(self, request: web.Request) -> web.Response:
        with self._service.metrics.watch(_API, "GetModelStatus"):
            reply = self._service.status(_wanted(request))
        return _json(_as_dictionary(reply))

    async def metadata(self, request: web.Request) -> web.Response:
        with self._service.metrics.watch(_API, "GetModelMetadata"):
            reply = self._service.metadata(_wanted(request))
        definitions = get_model_metadata_pb2.SignatureDefMap()
        reply.metadata[SIGNATURE_DEFINITIONS].Unpack(definitions)
        return _json(
            {
                "model_spec": _as_dictionary(reply.model_spec),
                "metadata": {SIGNATURE_DEFINITIONS: _as_dictionary(definitions)},
            }
        )

    async def unimplemented(self, request: web.Request) -> web.Response:
        raise ServingError(grpc.StatusCode.UNIMPLEMENTED, "this server has only predict")

    async def metrics(self, request: web.Request) -> web.Response:
        del request
        return web.Response(
            body=self._service.metrics.page(), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )


def _wanted(request: web.Request) -> Wanted:
    found = request.match_info
    number = int(found["version"]) if "version" in found else None
    return Wanted(found["name"], number, found.get("label"))


def _as_dictionary(message: Message) -> dict:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _json(value: dict) -> web.Response:
    return web.json_response(value, dumps=lambda value: json.dumps(value, indent=1))
