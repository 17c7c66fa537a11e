"""The options of `python -m exports`."""

import dataclasses
from typing import Literal

from exports.limits import Limits
from keras_bert.command_line import Options, option
from keras_bert.ranges import Bytes, Count, Milliseconds, Port, Seconds


@dataclasses.dataclass(frozen=True)
class SavedModelOptions(Options):
    """Options of `python -m exports savedmodel`."""

    model: str = option(help="fine-tuned model directory")
    output: str = option(help="directory that gets a new numbered version, 1, 2, ...")
    name: str = option("model", help="name of the model on the server")
    precision: Literal["float32", "bfloat16", "float16"] = option(
        "float32", help="type of the weights and of the computation; its cost is printed"
    )
    max_text_bytes: Count = option(
        Limits.text_bytes, help="bytes that are read of a text; the rest is not looked at"
    )
    max_windows: Count = option(
        Limits.windows, help="rows of the model's length that a long text becomes, at most"
    )


@dataclasses.dataclass(frozen=True)
class OnnxOptions(Options):
    """Options of `python -m exports onnx`."""

    model: str = option(help="model directory: an encoder, pre-trained or fine-tuned")
    output: str = option(help="new directory for model.onnx, vocabulary and labels")
    encoder_only: bool = option(False, help="leave out what stands on the encoder")


@dataclasses.dataclass(frozen=True)
class LiteRTOptions(Options):
    """Options of `python -m exports litert`."""

    model: str = option(help="model directory: an encoder, pre-trained or fine-tuned")
    output: str = option(help="new directory for model.tflite, vocabulary and labels")
    encoder_only: bool = option(False, help="leave out what stands on the encoder")
    length: Count | None = option(
        None, help="one row of so many tokens at a time; by default rows and tokens may vary"
    )
    weights: Literal["float32", "float16", "int8"] = option(
        "float32", help="type of the weights in the file; its cost is printed"
    )


@dataclasses.dataclass(frozen=True)
class VerifyOptions(Options):
    """Options of `python -m exports verify`."""

    directory: str = option(help="version directory, such as exported/1", positional=True)


@dataclasses.dataclass(frozen=True)
class ServeOptions(Options):
    """Options of `python -m exports serve`."""

    directory: str = option(help="directory of numbered versions, 1, 2, ...", positional=True)
    name: str = option("model", help="name of the model in calls")
    host: str = option("127.0.0.1", help="address to listen on; 0.0.0.0 opens it to the network")
    rest_port: Port = option(8501, help="port of the REST API; 0 takes a free one")
    grpc_port: Port = option(8500, help="port of the gRPC API; 0 takes a free one")
    max_batch_size: Count = option(
        32, help="rows up to which requests share a run of the model; 1 runs each alone"
    )
    batch_timeout: Milliseconds = option(5.0, help="milliseconds that a request waits for others")
    max_queue: Count = option(1000, help="requests that may wait; more are refused")
    max_rows: Count = option(1024, help="rows that one request may have")
    max_message_bytes: Count = option(64 << 20, help="bytes that one request may have")
    max_total_bytes: Bytes = option(
        512 << 20, help="bytes of memory that requests may hold together until they are answered"
    )
    max_connections: Count = option(512, help="connections that each API has at a time")
    deadline: Seconds = option(
        30.0, help="seconds after which a request is given up, also one that does not arrive"
    )
    poll_interval: Seconds = option(1.0, help="seconds between two looks for a new version")
    version_label: tuple[str, ...] = option(
        (), help="labels such as stable=1, whose versions stay loaded beside the highest"
    )
    cors_origin: tuple[str, ...] = option(
        (),
        help="origins such as https://example.org whose pages may call the REST API; * for all",
    )


@dataclasses.dataclass(frozen=True)
class DemoOptions(Options):
    """Options of `python -m exports demo`."""

    directory: str = option(
        help="directory of numbered versions, of which the newest is shown, or one version",
        positional=True,
    )
    host: str = option("127.0.0.1", help="address to listen on; 0.0.0.0 opens it to the network")
    port: Port = option(7860, help="port of the page; 0 takes a free one")
    auth_file: str | None = option(
        None,
        help="file with a line `user:password` for each who may see the page; without it the "
        "environment variable KERAS_BERT_DEMO_AUTH is looked at",
    )
