"""`python -m exports`: SavedModels for TensorFlow Serving; models for ONNX Runtime and LiteRT."""

import sys
from collections.abc import Sequence

from keras_bert.interruption import watch

watch(__name__)  # Before the imports that take a while.

from exports import options
from keras_bert.command_line import Command, run

COMMANDS = {
    "savedmodel": Command(
        options.SavedModelOptions,
        "exports.saved_model:export",
        "Export a model with its text processing and verify it in a fresh process.",
    ),
    "onnx": Command(
        options.OnnxOptions,
        "exports.portable.command:onnx",
        "Write a model that takes ids for ONNX Runtime and verify it there.",
    ),
    "litert": Command(
        options.LiteRTOptions,
        "exports.portable.command:litert",
        "Write a model that takes ids for LiteRT on phones and verify it there.",
    ),
    "verify": Command(
        options.VerifyOptions,
        "exports.verification:verify",
        "Load a version as Python and as TensorFlow Serving do and compare the replies.",
    ),
    "serve": Command(
        options.ServeOptions,
        "exports.serving.command:serve",
        "Serve versions for development and tests; in production use TensorFlow Serving.",
    ),
    "demo": Command(
        options.DemoOptions,
        "exports.demo.command:demo",
        "Open a page in the browser to try the newest version with.",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    return run("python -m exports", "SavedModels from BERT models.", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
