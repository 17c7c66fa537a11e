"""`python -m exports demo`: a page in the browser to try an export with."""

import asyncio
import contextlib
import importlib.util
import socket
from pathlib import Path

import tensorflow_text  # noqa: F401 - here, where the start-up notes of TensorFlow are held back

from exports.demo.authentication import credentials
from exports.hosts import warn_if_open
from exports.options import DemoOptions
from keras_bert.errors import InputError


def demo(options: DemoOptions) -> None:
    """Serves the page until SIGINT or SIGTERM, to this machine unless `--host` says otherwise.

    Raises:
        InputError: If gradio is missing, the directory holds no version
            that loads, or the port is taken.
    """
    if importlib.util.find_spec("gradio") is None:
        raise InputError(
            "`demo` needs the package gradio (the extra `demo`): pip install 'keras-bert-tf[demo]'"
        )
    pairs = credentials(options.auth_file)
    if not pairs:
        warn_if_open(options.host, "the page, which has no passwords (`--auth-file`),")
    from exports.demo.model import load
    from exports.demo.server import serve

    # A port that is taken is told before the model is loaded, which takes a while.
    with _listen(options.host, options.port) as listener:
        model = load(Path(options.directory))
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve(model, listener, pairs))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(
            f"cannot listen on `--host`, `--port`: {error.strerror}. Received: {host}:{port}"
        ) from error
