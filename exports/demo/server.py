"""A page behind a socket."""

import socket

import fastapi
import gradio as gr
import uvicorn

from exports.demo.model import DemoModel
from exports.demo.page import CSS, THEME, page


def application(model: DemoModel) -> fastapi.FastAPI:
    """Returns a model's page as an application that asks nothing of the network.

    To be called where an event loop runs, or gradio makes loops of its own that nobody closes.

    `gr.Blocks.launch` is not used: it calls its own address over HTTP, through a proxy where the
    environment names one, and cannot take a port that the system chooses.
    """
    return gr.mount_gradio_app(
        fastapi.FastAPI(openapi_url=None),
        page(model),
        path="/",
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


async def serve(model: DemoModel, listener: socket.socket) -> None:
    """Serves a model's page until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        application(model),
        log_level="warning",
        # Each page that is open holds a connection.
        timeout_graceful_shutdown=1,
    )
    host, port = listener.getsockname()[:2]
    # Whoever started it reads where it listens, through a pipe too.
    print(f"{model.name}: http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
    await uvicorn.Server(config).serve(sockets=[listener])
