"""What TensorFlow Serving needs beside a model, and examples of requests."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

import tensorflow as tf

from keras_bert.atomic import locked, new_file, sha256_of_file, write_json
from keras_bert.errors import InputError

_TEMPLATES = Path(__file__).with_name("kit")
# What was written last, so that a later export can tell its own files from those of users.
_RECORD = ".kit.json"
WARM_UP = "assets.extra/tf_serving_warmup_requests"
# Of the image that the manifests name: the protocol's version, which the tests run against.
_IMAGE_TAG = "2.21.0"
# Rows that the server computes together, and how many such batches side by side.
BATCH_ROWS = 64
BATCH_THREADS = 2
# On top of what was measured: other machines have other allocators and numbers of threads.
_MARGIN = 1.2
_MEBIBYTE = 1 << 20


def write_kit(
    directory: Path,
    name: str,
    description: Mapping[str, Any],
    version: Path,
    memory: Mapping[str, int],
) -> tuple[list[str], list[str]]:
    """Writes the files around the versions of an export.

    Files of an earlier export are replaced; those that were changed since are kept.

    Args:
        directory: That of the versions.
        name: str. The model's name on the server.
        description: See `TaskSignatures.description`.
        version: Directory of the version that was measured.
        memory: See `Checked.memory`.

    Returns:
        Names of the files written, and of those kept that would be others now.
    """
    with locked(directory):
        record_path = directory / _RECORD
        record = _read_record(record_path)
        values = _values(name, description, version, memory)
        written, kept = [], []
        for template in sorted(_TEMPLATES.iterdir()):
            path = directory / template.name
            text = Template(template.read_text(encoding="utf-8")).substitute(values)
            if path.exists():
                if not path.is_file():
                    kept.append(path.name)
                    continue
                if path.read_bytes() == text.encode():
                    record[path.name] = sha256_of_file(path)
                    continue
                if record.get(path.name) != sha256_of_file(path):
                    kept.append(path.name)
                    continue
            with new_file(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
            record[path.name] = sha256_of_file(path)
            written.append(path.name)
        write_json(record_path, record)
    return written, kept


def print_kept(kept: Sequence[str]) -> None:
    """Prints which files around the versions are not those of the newest one."""
    if kept:
        print(
            f"kept {', '.join(kept)}: changed since an export wrote them, or not written by one; "
            "their names and figures may be of an earlier version. Remove them to get new ones"
        )


def _values(
    name: str, description: Mapping[str, Any], version: Path, memory: Mapping[str, int]
) -> dict[str, Any]:
    inputs = description["signatures"]["serving_default"]["example"]
    body = json.dumps({"inputs": inputs}, ensure_ascii=False)
    size = sum(path.stat().st_size for path in version.rglob("*") if path.is_file())
    # While versions change, both are loaded.
    model = memory["loaded"] - memory["tensorflow"]
    return {
        "name": name,
        "inputs": json.dumps(inputs, ensure_ascii=False),
        # Within single quotes of a shell.
        "rest_body": body.replace("'", "'\\''"),
        "image": f"tensorflow/serving:{_IMAGE_TAG}",
        "rows": BATCH_ROWS,
        "threads": BATCH_THREADS,
        "version": version.name,
        "files": _mebibytes(size),
        **{f"memory_{key}": _mebibytes(value) for key, value in memory.items()},
        "memory": _mebibytes(_MARGIN * memory["peak"]),
        "memory_limit": _mebibytes(_MARGIN * (memory["peak"] + model)),
    }


def _mebibytes(size: float) -> int:
    return math.ceil(size / _MEBIBYTE)


def _read_record(path: Path) -> dict[str, str]:
    """Names and hashes; none where the file is missing or damaged: then everything is kept."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


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
