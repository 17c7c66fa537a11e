"""`python -m exports serve`: a directory of versions behind TensorFlow Serving's APIs."""

import asyncio
import importlib.util
from pathlib import Path

import tensorflow_text  # noqa: F401 - here, where the start-up notes of TensorFlow are held back

from exports.hosts import warn_if_open
from exports.options import ServeOptions
from exports.serving.labels import read_labels
from keras_bert.errors import InputError

_PACKAGES = ("aiohttp", "grpc", "grpc_health", "prometheus_client", "tensorflow_serving")


def serve(options: ServeOptions) -> None:
    """Serves until SIGINT or SIGTERM. For development and tests; production is TensorFlow Serving.

    Raises:
        InputError: If an option is out of range, a package is missing, the directory holds no
            version that loads, or a port is taken.
    """
    check(options)
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"`serve` needs the package {', '.join(missing)} (the extra `serving`): "
            "pip install 'keras-bert-tf[serving]'"
        )
    from exports.serving.cross_origin import check_origins
    from exports.serving.server import run

    check_origins(options.cors_origin)
    warn_if_open(options.host, "the server, which has no passwords,")
    asyncio.run(run(options))


def check(options: ServeOptions) -> None:
    """Checks what the types of the options do not say.

    Raises:
        InputError: For the first option out of range.
    """
    if not Path(options.directory).is_dir():
        raise InputError(f"{options.directory}: no such directory")
    if not options.name or set(options.name) & set("/:"):
        raise InputError(f"`--name` must be a name without '/' and ':'. Received: {options.name!r}")
    read_labels(options.version_label)
    if options.max_total_bytes < options.max_message_bytes:
        raise InputError(
            f"`--max-total-bytes` must be at least `--max-message-bytes`, "
            f"{options.max_message_bytes}. Received: {options.max_total_bytes}"
        )
