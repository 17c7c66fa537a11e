"""Model directories in Hugging Face's layout, without torch or transformers.

A directory holds `config.json`, `model.safetensors`, `vocab.txt` and `tokenizer_config.json`;
`transformers.AutoModel*.from_pretrained(directory)` opens it. Linear layers keep their weights as
(output, input), the transpose of a Keras kernel.
"""

import json
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_bert.atomic import new_file, write_json
from keras_bert.checkpoints.published import PublishedTensor
from keras_bert.errors import InputError

_LOGGER = logging.getLogger(__name__)

CONFIG = "config.json"
WEIGHTS = "model.safetensors"

_WHOLE_NAMES = {
    "cls/predictions/output_bias": "cls.predictions.bias",
    "cls/seq_relationship/output_weights": "cls.seq_relationship.weight",
    "cls/seq_relationship/output_bias": "cls.seq_relationship.bias",
    "output_weights": "classifier.weight",
    "output_bias": "classifier.bias",
}
_LAST_PARTS = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}
# Copies and buffers that older writers stored beside the weights.
_REDUNDANT = re.compile(r"position_ids$|^cls\.predictions\.decoder\.(weight|bias)$")


def name_of(tensor: PublishedTensor) -> str:
    """Returns the Hugging Face name of a published tensor."""
    if tensor.name in _WHOLE_NAMES:
        return _WHOLE_NAMES[tensor.name]
    *parts, last = tensor.name.replace("layer_", "layer/").split("/")
    if last.endswith("_embeddings"):
        return ".".join([*parts, last, "weight"])
    return ".".join([*parts, _LAST_PARTS[last]])


def _is_transposed(tensor: PublishedTensor) -> bool:
    return tensor.name.endswith(("kernel", "output_weights"))


def read_settings(directory: str | os.PathLike) -> dict[str, Any]:
    """Reads `config.json`.

    Raises:
        InputError: If the directory or the file is missing or damaged.
    """
    path = Path(directory) / CONFIG
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot read the model: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: damaged configuration: {error}") from error
    if not isinstance(settings, dict):
        raise InputError(f"{path}: a model configuration must be a JSON object")
    return settings


def save(model: Any, directory: str | os.PathLike) -> None:
    """Writes weights, then `config.json`, so that a directory with one is complete."""
    from safetensors.numpy import save_file

    directory = Path(directory)
    arrays = {}
    for tensor in model.published_tensors():
        array = np.asarray(tensor.variable)[..., tensor.columns]
        arrays[name_of(tensor)] = np.ascontiguousarray(array.T if _is_transposed(tensor) else array)
    with new_file(directory / WEIGHTS) as temporary:
        # transformers reads only files that say which framework's layout they have.
        save_file(arrays, temporary, metadata={"format": "pt"})
    write_json(
        directory / CONFIG, {**model.config.to_hugging_face(), **model.checkpoint_settings()}
    )


def load_weights(model: Any, directory: str | os.PathLike, *, optional: Sequence[str] = ()) -> None:
    """Loads weights, tensor by tensor.

    Args:
        model: A `BertModel`.
        directory: A model directory.
        optional: Prefixes of published names (`"output_"`); the tensors of such a head may all be
            missing, in which case they keep their initial values and a warning is logged.

    Raises:
        InputError: If the file is missing or damaged, or a tensor is missing or misshapen.
    """
    arrays = _read_arrays(Path(directory))
    path = Path(directory) / WEIGHTS
    # A bare encoder is published without the prefix.
    prefix = "" if any(name.startswith("bert.") for name in arrays) else "bert."
    tensors = model.published_tensors()
    present = {tensor.name for tensor in tensors if name_of(tensor).removeprefix(prefix) in arrays}
    absent_heads = tuple(
        head for head in optional if not any(name.startswith(head) for name in present)
    )
    problems, random, values = [], [], {}
    for tensor in tensors:
        name = name_of(tensor)
        if tensor.name not in present:
            is_new = absent_heads and tensor.name.startswith(absent_heads)
            (random if is_new else problems).append(name if is_new else f"{name} is missing")
            continue
        array = arrays[name.removeprefix(prefix)]
        array = array.T if _is_transposed(tensor) else array
        if tuple(array.shape) != tensor.shape:
            problems.append(f"{name} has shape {tuple(array.shape)}, expected {tensor.shape}")
            continue
        variable = tensor.variable
        empty = np.empty(tuple(variable.shape), array.dtype)
        values.setdefault(variable.path, (variable, empty))[1][..., tensor.columns] = array
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise InputError(f"{path}: {'; '.join(problems[:3])}{more}")
    if random:
        _LOGGER.warning("%s lacks %s: they start from random weights", path, ", ".join(random))
    for variable, value in values.values():
        variable.assign(value)


def _read_arrays(directory: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = directory / WEIGHTS
    if not path.exists():
        if (directory / "pytorch_model.bin").exists():
            raise InputError(
                f"{directory}: pytorch_model.bin is a pickle, which can run any code when it is "
                "read; convert it with `model.save_pretrained(..., safe_serialization=True)`"
            )
        raise InputError(f"{path}: no such file")
    try:
        arrays = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: damaged weights: {error}") from error
    return {name: array for name, array in arrays.items() if not _REDUNDANT.search(name)}
