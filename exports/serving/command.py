"""`python -m exports serve`: a directory of versions behind TensorFlow Serving's APIs."""

import asyncio
import importlib.util
from pathlib import Path

import tensorflow_text  # noqa: F401 - here, where the start-up notes of TensorFlow are held back

from exports.hosts import warn_if_open
from exports.options import ServeOptions
from keras_bert.command_line import check_at_least_one, flag
from keras_bert.errors import InputError

_PACKAGES = ("aiohttp", "grpc", "prometheus_client", "tensorflow_serving")


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
    warn_if_open(options.host, "the server, which has no passwords,")
    from exports.serving.server import run

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
    check_at_least_one(options, "max_batch_size", "max_rows", "max_message_bytes", "max_queue")
    check_at_least_one(options, "max_connections")
    if options.max_total_bytes < options.max_message_bytes:
        raise InputError(
            f"`--max-total-bytes` must be at least `--max-message-bytes`, "
            f"{options.max_message_bytes}. Received: {options.max_total_bytes}"
        )
    for name in ("rest_port", "grpc_port"):
        if not 0 <= getattr(options, name) <= 65535:
            raise InputError(
                f"`{flag(name)}` must be from 0 to 65535. Received: {getattr(options, name)}"
            )
    for name in ("deadline", "poll_interval"):
        if not getattr(options, name) > 0:
            raise InputError(f"`{flag(name)}` must be above 0. Received: {getattr(options, name)}")
    if not options.batch_timeout >= 0:
        raise InputError(f"`--batch-timeout` must be at least 0. Received: {options.batch_timeout}")
