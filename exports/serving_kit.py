"""What TensorFlow Serving needs beside a model, and examples of requests."""

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import tensorflow as tf

from keras_bert.errors import InputError

_TEMPLATES = Path(__file__).with_name("kit")
WARM_UP = "assets.extra/tf_serving_warmup_requests"
# Beside the weights: TensorFlow itself, and what one request needs.
_BASE_MEGABYTES = 1000


def write_kit(directory: Path, name: str, description: Mapping[str, Any], size: int) -> list[str]:
    """Writes the files around the versions of an export; those that are there are kept.

    Args:
        directory: That of the versions.
        name: str. The model's name on the server.
        description: See `TaskSignatures.description`.
        size: int. Bytes of a version.

    Returns:
        Names of the files written.
    """
    inputs = description["signatures"]["serving_default"]["example"]
    body = json.dumps({"inputs": inputs}, ensure_ascii=False)
    # The graph's constants are held as they were read and as kernels want them.
    megabytes = _BASE_MEGABYTES + 3 * size // 1_000_000
    values = {
        "name": name,
        "inputs": json.dumps(inputs, ensure_ascii=False),
        # Within single quotes of a shell.
        "rest_body": body.replace("'", "'\\''"),
        "memory": megabytes,
        "memory_limit": 2 * megabytes,
    }
    written = []
    for template in sorted(_TEMPLATES.iterdir()):
        path = directory / template.name
        if not path.exists():
            text = Template(template.read_text(encoding="utf-8")).substitute(values)
            path.write_text(text, encoding="utf-8")
            written.append(path.name)
    return written


def write_warm_up(version: Path, name: str, description: Mapping[str, Any]) -> None:
    """Writes the requests that a server answers before it serves a version.

    The first requests to a graph are slow: kernels are chosen and weights put in order. Each
    signature is asked for one row and for all rows of its example.

    Args:
        version: Directory of the version.
        name: str. The model's name on the server.
        description: See `TaskSignatures.description`.
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    path = version / WARM_UP
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, declared in description["signatures"].items():
            for rows in (1, None):
                request = predict_pb2.PredictRequest()
                request.model_spec.name = name
                request.model_spec.signature_name = signature
                for key, spec in declared["inputs"].items():
                    values = tf.constant(declared["example"][key][:rows], spec["dtype"])
                    request.inputs[key].CopyFrom(tf.make_tensor_proto(values))
                log = prediction_log_pb2.PredictionLog(
                    predict_log=prediction_log_pb2.PredictLog(request=request)
                )
                writer.write(log.SerializeToString())


def check_name(name: str) -> None:
    """Refuses a name that has no place in paths, addresses and manifests.

    Raises:
        InputError: If it is none of lower-case letters, digits and dashes.
    """
    valid = (
        bool(name) and name.replace("-", "").isalnum() and name.isascii() and name == name.lower()
    )
    if not valid or name[0] == "-" or name[-1] == "-" or len(name) > 63:
        raise InputError(
            "`--name` must be at most 63 lower-case letters, digits and dashes, and neither begin "
            f"nor end with a dash. Received: {name!r}"
        )
