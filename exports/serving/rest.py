"""TensorFlow Serving's REST API.

References:
    - https://www.tensorflow.org/tfx/serving/api_rest
"""

import json
from collections.abc import Awaitable, Callable

import grpc
from aiohttp import web
from google.protobuf import json_format
from google.protobuf.message import Message
from prometheus_client import CONTENT_TYPE_LATEST
from tensorflow_serving.apis import get_model_metadata_pb2

from exports.serving import json_tensors
from exports.serving.errors import HTTP_STATUS, ServingError
from exports.serving.service import SIGNATURE_DEFINITIONS, Service

_API = "rest"
# Numbers past 64 bits are no versions; no more digits are read.
_PATHS = ("/v1/models/{name:[^/:]+}", r"/v1/models/{name:[^/:]+}/versions/{version:\d{1,18}}")


def application(service: Service) -> web.Application:
    """Returns the REST API of a service, with its metrics."""
    handlers = _Handlers(service)
    app = web.Application(
        middlewares=[_errors_as_json], client_max_size=service.options.max_message_bytes
    )
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
    except web.HTTPRequestEntityTooLarge as error:
        return _error(413, error.text)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
        # TensorFlow Serving says 400 to every request below /v1 that it cannot read.
        status = 400 if request.path.lower().startswith("/v1/") else error.status
        return _error(status, f"Malformed request: {request.method} {request.path}")
    except ServingError as error:
        return _error(HTTP_STATUS[error.code], error.message)


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)


class _Handlers:
    def __init__(self, service: Service):
        self._service = service

    async def predict(self, request: web.Request) -> web.Response:
        body = await request.read()
        with self._service.metrics.watch(_API, "Predict") as call:
            with self._service.version(*_wanted(request)) as version:
                document = json_tensors.parse(body)
                signature = version.signature(document.get("signature_name", ""))
                call.signature = signature.name
                inputs = json_tensors.read(document, signature.inputs)
                outputs = await self._service.predict(signature, inputs)
            text = json_tensors.write(outputs, document)
        return web.Response(text=text, content_type="application/json")

    async def status(self, request: web.Request) -> web.Response:
        with self._service.metrics.watch(_API, "GetModelStatus"):
            reply = self._service.status(*_wanted(request))
        return _json(_as_dictionary(reply))

    async def metadata(self, request: web.Request) -> web.Response:
        with self._service.metrics.watch(_API, "GetModelMetadata"):
            reply = self._service.metadata(*_wanted(request))
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


def _wanted(request: web.Request) -> tuple[str, int | None]:
    version = request.match_info.get("version")
    return request.match_info["name"], None if version is None else int(version)


def _as_dictionary(message: Message) -> dict:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _json(value: dict) -> web.Response:
    return web.json_response(value, dumps=lambda value: json.dumps(value, indent=1))
