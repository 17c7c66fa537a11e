"""Model directories in Hugging Face's layout, without torch or transformers.

A directory holds `config.json`, `model.safetensors`, `vocab.txt` and `tokenizer_config.json`;
`transformers.AutoModel*.from_pretrained(directory)` opens it. Linear layers keep their weights as
(output, input), the transpose of a Keras kernel.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from keras_bert.atomic import new_file, write_json
from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.config import BertConfig
from keras_bert.errors import InputError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
# Where a large model's weights stand in several files.
INDEX = "model.safetensors.index.json"
# What a configuration says besides the shape of the network.
_KEPT_SETTINGS = (
    *("architectures", "id2label", "label2id"),
    *("problem_type", "task_specific_params"),
)

_WHOLE_NAMES = {
    "cls/predictions/output_bias": "cls.predictions.bias",
    "cls/seq_relationship/output_weights": "cls.seq_relationship.weight",
    "cls/seq_relationship/output_bias": "cls.seq_relationship.bias",
    "cls/squad/output_weights": "qa_outputs.weight",
    "cls/squad/output_bias": "qa_outputs.bias",
    "output_weights": "classifier.weight",
    "output_bias": "classifier.bias",
    "feature_mix/weighting": "feature_mix.weighting",
    "feature_mix/factor": "feature_mix.factor",
    # torch.nn.LSTM's names; its gates stand in the order of Keras', its second bias is zero.
    **{
        f"feature_lstm/layer_{layer}/{direction}/{part}": f"feature_lstm.{theirs}_l{layer}{suffix}"
        for layer in range(2)
        for direction, suffix in (("forward", ""), ("backward", "_reverse"))
        for part, theirs in (
            ("kernel", "weight_ih"),
            ("recurrent_kernel", "weight_hh"),
            ("bias", "bias_ih"),
        )
    },
}
_PUBLISHED_NAMES = {theirs: name for name, theirs in _WHOLE_NAMES.items()}
_LAST_PARTS = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}
_ENCODER_PARTS = ("embeddings.", "encoder.", "pooler.")
# Copies and buffers that older writers stored beside the weights.
_REDUNDANT = re.compile(r"position_ids$|^cls\.predictions\.decoder\.(weight|bias)$")


def name_of(name: str) -> str:
    """Returns the Hugging Face name of a published one; other names stay as they are."""
    if name in _WHOLE_NAMES:
        return _WHOLE_NAMES[name]
    *parts, last = name.replace("layer_", "layer/").split("/")
    if last.endswith("_embeddings"):
        return ".".join([*parts, last, "weight"])
    return ".".join([*parts, _LAST_PARTS.get(last, last)])


def published_name_of(name: str) -> str:
    """Returns the published name of a Hugging Face one; other names stay as they are."""
    if name in _PUBLISHED_NAMES:
        return _PUBLISHED_NAMES[name]
    if not name.startswith(("bert.", "cls.predictions.transform.")):
        return name
    *parts, last = re.sub(r"\.layer\.(\d+)\.", r".layer_\1.", name).split(".")
    if parts[-1].endswith("_embeddings"):
        return "/".join(parts)
    names = (
        {"weight": "gamma", "bias": "beta"} if parts[-1] == "LayerNorm" else {"weight": "kernel"}
    )
    return "/".join([*parts, names.get(last, last)])


def _is_transposed(name: str) -> bool:
    return name.endswith(("kernel", "output_weights"))


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


def read(directory: str | os.PathLike) -> Checkpoint:
    """Reads a model directory, its weights in one file or in several.

    Raises:
        InputError: If a file is missing or damaged.
    """
    settings = read_settings(directory)
    arrays = _read_arrays(Path(directory))
    if not any(name.startswith("bert.") for name in arrays):
        # A bare encoder is published without the prefix.
        arrays = {
            f"bert.{name}" if name.startswith(_ENCODER_PARTS) else name: array
            for name, array in arrays.items()
        }
    published = {}
    for theirs, array in arrays.items():
        name = published_name_of(theirs)
        published[name] = array.T if _is_transposed(name) else array
    return Checkpoint(
        BertConfig.from_dict(settings),
        published,
        {key: value for key, value in settings.items() if key in _KEPT_SETTINGS},
        place=str(Path(directory) / WEIGHTS),
        name_of=name_of,
    )


def write(checkpoint: Checkpoint, directory: str | os.PathLike) -> None:
    """Writes weights, then `config.json`, so that a directory with one is complete."""
    from safetensors.numpy import save_file

    directory = Path(directory)
    arrays = {
        name_of(name): np.ascontiguousarray(array.T if _is_transposed(name) else array)
        for name, array in checkpoint.arrays.items()
    }
    with new_file(directory / WEIGHTS) as temporary:
        # transformers reads only files that say which framework's layout they have.
        save_file(arrays, temporary, metadata={"format": "pt"})
    write_json(directory / CONFIG, {**checkpoint.config.to_hugging_face(), **checkpoint.settings})


def _read_arrays(directory: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for path in _weight_files(directory):
        arrays.update(_read_file(path))
    return {name: array for name, array in arrays.items() if not _REDUNDANT.search(name)}


def _weight_files(directory: Path) -> list[Path]:
    """The one file of weights, or all those that an index names."""
    if (directory / WEIGHTS).exists():
        return [directory / WEIGHTS]
    index = directory / INDEX
    if index.exists():
        try:
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{index}: damaged index of weights: {error!r}") from error
        paths = [directory / name for name in sorted(names)]
        if missing := [path.name for path in paths if not path.is_file()]:
            raise InputError(f"{index}: names files that are missing: {', '.join(missing)}")
        return paths
    if list(directory.glob("pytorch_model*.bin")):
        raise InputError(
            f"{directory}: pytorch_model.bin is a pickle, which can run any code when it is "
            "read; convert it with `model.save_pretrained(..., safe_serialization=True)`"
        )
    raise InputError(f"{directory / WEIGHTS}: no such file")


def _read_file(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: damaged weights: {error}") from error
