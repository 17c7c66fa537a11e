"""Model directories in Hugging Face's layout, without torch or transformers.

A directory holds `config.json`, `model.safetensors`, `vocab.txt` and `tokenizer_config.json`;
`transformers.AutoModel*.from_pretrained(directory)` opens it. Linear layers keep their weights as
(output, input), the transpose of a Keras kernel.
"""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from keras_bert.atomic import new_file, write_json
from keras_bert.checkpoints.checkpoint import UNTIED, Checkpoint, label_settings, numbered_labels
from keras_bert.checkpoints.training_variables import weights_among
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.reading import inside, read_json_object, shown

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
# Where a large model's weights stand in several files.
INDEX = "model.safetensors.index.json"
# What a configuration says besides the shape of the network.
_KEPT_SETTINGS = (
    *("architectures", "id2label", "label2id"),
    *("problem_type", "task_specific_params"),
)
# What the logits of classes mean.
PROBLEM_TYPES = ("single_label_classification", "multi_label_classification", "regression")

_WHOLE_NAMES = {
    "cls/predictions/output_bias": "cls.predictions.bias",
    UNTIED: "cls.predictions.decoder.weight",
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
# Wrappers of torch whose names stand before, or within, those of the tensors.
_WRAPPERS = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|module|_fsdp_wrapped_module)\.")
# Buffers that older writers stored beside the weights.
_BUFFERS = re.compile(r"(^|\.)(position_ids|token_type_ids)$")


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
    settings = read_json_object(path)
    try:
        _check_settings(settings)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return settings


def read_config(directory: str | os.PathLike) -> BertConfig:
    """Reads the shape of the network from `config.json`.

    Raises:
        InputError: If the file is missing, damaged, or describes another network than BERT.
    """
    settings = read_settings(directory)
    try:
        return BertConfig.from_dict(settings, hugging_face=True)
    except InputError as error:
        raise InputError(f"{Path(directory) / CONFIG}: {error}") from error


def _check_settings(settings: dict[str, Any]) -> None:
    """Checks the kinds of the values that are honoured besides the network's shape."""

    def check(key: str, rule: str, is_right: bool) -> None:
        if settings.get(key) is not None and not is_right:
            raise InputError(f"`{key}` must be {rule}. Received: {key}={shown(settings[key])}")

    names, labels = settings.get("architectures"), settings.get("id2label")
    check("architectures", "a list of strings", _is_all(names, list, str))
    # Some files number their classes with numbers.
    is_named = isinstance(labels, dict) and all(
        place.isdecimal() and isinstance(label, str | int | float)
        for place, label in labels.items()
    )
    check("id2label", "an object of names by their numbers", is_named)
    check("label2id", "an object of numbers", isinstance(settings.get("label2id"), dict))
    kind = settings.get("problem_type")
    is_kind = isinstance(kind, str) and kind in PROBLEM_TYPES
    check("problem_type", f"one of {', '.join(PROBLEM_TYPES)}", is_kind)
    tasks = settings.get("task_specific_params")
    check("task_specific_params", "an object of objects", _is_all(tasks, dict, dict))
    is_tied = isinstance(settings.get("tie_word_embeddings"), bool)
    check("tie_word_embeddings", "true or false", is_tied)


def _is_all(values: Any, kind: type, kind_of_values: type) -> bool:
    if not isinstance(values, kind):
        return False
    values = values.values() if isinstance(values, dict) else values
    return all(isinstance(value, kind_of_values) for value in values)


def read(directory: str | os.PathLike) -> Checkpoint:
    """Reads a model directory, its weights in one file or in several.

    Raises:
        InputError: If a file is missing or damaged, or of another network than BERT.
    """
    config, settings = read_config(directory), read_settings(directory)
    place = str(Path(directory) / WEIGHTS)
    arrays = _with_prefix(_without_wrappers(_read_arrays(Path(directory)), place))
    kept = {key: value for key, value in settings.items() if key in _KEPT_SETTINGS}
    if labels := settings.get("id2label"):
        kept["id2label"] = {place: str(label) for place, label in labels.items()}
    elif "classifier.weight" in arrays and len(arrays["classifier.weight"]) == 2:
        # transformers writes no names where they are its default, for two classes.
        kept |= label_settings(numbered_labels(2))
    published = {}
    for theirs, array in _with_one_decoder(arrays, settings).items():
        name = published_name_of(theirs)
        if name in published:
            raise InputError(f"{place}: holds {name_of(name)} twice. Received: {theirs}")
        published[name] = array.T if _is_transposed(name) else array
    return Checkpoint(
        config, published, kept, place=place, name_of=name_of, is_turned=_is_transposed
    )


def _without_wrappers(arrays: dict[str, np.ndarray], place: str) -> dict[str, np.ndarray]:
    """Drops what torch's wrappers and optimizers add, and checks that weights are floats."""
    kept = {}
    for theirs in weights_among({n: a.shape for n, a in arrays.items()}, separator="."):
        name, array = _WRAPPERS.sub("", theirs), arrays[theirs]
        if _BUFFERS.search(name):
            continue
        if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
            raise InputError(
                f"{place}: {theirs} must hold floats; quantized weights have no form here. "
                f"Received: {array.dtype.name}"
            )
        if name in kept:
            raise InputError(f"{place}: holds {name} twice. Received: {theirs}")
        kept[name] = array
    return kept


def _with_prefix(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    if any(name.startswith("bert.") for name in arrays):
        return arrays
    # A bare encoder is published without the prefix.
    return {
        f"bert.{name}" if name.startswith(_ENCODER_PARTS) else name: array
        for name, array in arrays.items()
    }


def _with_one_decoder(
    arrays: dict[str, np.ndarray], settings: dict[str, Any]
) -> dict[str, np.ndarray]:
    """The masked language model's product with the vocabulary, which has copies of its weights.

    transformers ties them to the table of tokens and to `cls.predictions.bias`, unless
    `tie_word_embeddings` is false: the copies are then what counts.
    """
    arrays = dict(arrays)
    is_tied = settings.get("tie_word_embeddings") is not False
    weight = arrays.pop("cls.predictions.decoder.weight", None)
    bias = arrays.pop("cls.predictions.decoder.bias", None)
    if bias is not None and not (is_tied and "cls.predictions.bias" in arrays):
        arrays["cls.predictions.bias"] = bias
    table = arrays.get("bert.embeddings.word_embeddings.weight")
    if weight is not None and not is_tied and not np.array_equal(weight, table):
        arrays[name_of(UNTIED)] = weight
    return arrays


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
    return arrays


def _weight_files(directory: Path) -> list[Path]:
    """The one file of weights, or all those that an index names."""
    if (directory / WEIGHTS).exists():
        return [directory / WEIGHTS]
    index = directory / INDEX
    if index.exists():
        names = read_json_object(index).get("weight_map")
        if not _is_all(names, dict, str) or not names:
            raise InputError(f"{index}: damaged index: `weight_map` must name the files of tensors")
        try:
            paths = [inside(directory, name) for name in sorted(set(names.values()))]
        except InputError as error:
            raise InputError(f"{index}: {error}") from error
        if missing := [path.name for path in paths if not path.is_file()]:
            raise InputError(f"{index}: names files that are missing: {', '.join(missing)}")
        return paths
    if pickles := sorted(directory.glob("pytorch_model*.bin")):
        raise InputError(
            f"{pickles[0]}: is a pickle, which can run any code when it is read; convert it with "
            "`model.save_pretrained(directory, safe_serialization=True)` of transformers"
        )
    if others := sorted([*directory.glob("*.h5"), *directory.glob("*.msgpack")]):
        raise InputError(
            f"{others[0]}: holds weights in a form that is not read; open it with transformers "
            f"4 and write {WEIGHTS} with `model.save_pretrained(directory)`"
        )
    raise InputError(f"{directory / WEIGHTS}: no such file")


def _read_file(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except AttributeError as error:  # A type that NumPy does not have.
        raise InputError(
            f"{path}: must hold floats of 16, 32 or 64 bits; quantized weights have no form here. "
            f"Received: {error}"
        ) from error
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: damaged weights: {error}") from error
