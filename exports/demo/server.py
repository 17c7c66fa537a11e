"""A page behind a socket."""

import socket
from collections.abc import Sequence

import fastapi
import gradio as gr
import uvicorn

from exports.demo.guard import MOST_BYTES, Guard
from exports.demo.model import DemoModel
from exports.demo.page import CSS, THEME, page

# Each page that is open holds a connection.
_MOST_CONNECTIONS = 200


def application(model: DemoModel, credentials: Sequence[tuple[str, str]] = ()) -> fastapi.FastAPI:
    """Returns a model's page as an application that asks nothing of the network.

    Args:
        model: `DemoModel`.
        credentials: Names and passwords of those who may see the page; with none everyone may.

    To be called where an event loop runs, or gradio makes loops of its own that nobody closes.

    `gr.Blocks.launch` is not used: it calls its own address over HTTP, through a proxy where the
    environment names one, and cannot take a port that the system chooses.
    """
    app = fastapi.FastAPI(openapi_url=None)
    app.add_middleware(Guard)
    return gr.mount_gradio_app(
        app,
        page(model),
        path="/",
        auth=list(credentials) or None,
        max_file_size=MOST_BYTES,
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=THEME,
        css=CSS,
    )


async def serve(
    model: DemoModel, listener: socket.socket, credentials: Sequence[tuple[str, str]] = ()
) -> None:
    """Serves a model's page until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        application(model, credentials),
        log_level="warning",
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=1,
    )
    host, port = listener.getsockname()[:2]
    # Whoever started it reads where it listens, through a pipe too.
    print(f"{model.name}: http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
    await uvicorn.Server(config).serve(sockets=[listener])
