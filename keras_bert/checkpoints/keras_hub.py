"""KerasHub's presets: `BertBackbone` (the encoder with its pooler) and `BertTextClassifier`.

KerasHub has no next-sentence head, and its masked LM head is another function: exact GELU and
epsilon 1e-5 after an encoder with the tanh approximation and 1e-12. These heads are left out.
"""

import dataclasses
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_bert.atomic import check_room
from keras_bert.checkpoints.checkpoint import Checkpoint, join_heads
from keras_bert.checkpoints.keras_hub_variables import backbone_variables, head_variables
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.published_configurations import Format
from keras_bert.reading import read_json_object

_LOGGER = logging.getLogger(__name__)
_CONFIG = "config.json"
_TASK = "task.json"
_TOKENIZER = "tokenizer.json"
# Of groups and names around some hundred arrays.
_HDF5_BYTES = 1 << 20
_CLASSIFIER = {"architectures": ["BertForSequenceClassification"]}

# `config` of the `config.json` of a preset, see `BertBackbone`.
_BACKBONE_KEYS = Format(
    "a KerasHub BERT configuration",
    fields={
        name: name
        for name in (
            *("vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim"),
            *("dropout", "max_sequence_length", "num_segments"),
        )
    },
    harmless=("name", "trainable", "dtype"),
)
# The same of its `task.json`, see `BertTextClassifier`.
_CLASSIFIER_KEYS = Format(
    "a KerasHub BERT classifier's configuration",
    only={"activation": "linear"},
    elsewhere=("backbone", "num_classes", "dropout"),
    harmless=("preprocessor", "name", "trainable", "dtype"),
)
# And of the tokenizer in it, see `BertTokenizer`. BERT's weights saw BERT's own normalisation.
_TOKENIZER_KEYS = Format(
    "a KerasHub BERT tokenizer's configuration",
    only={"split": True, "suffix_indicator": "##", "oov_token": "[UNK]", "special_tokens": None},
    elsewhere=("lowercase",),
    harmless=(
        *("name", "trainable", "dtype", "config_file", "vocabulary", "sequence_length"),
        *("strip_accents", "split_on_cjk", "special_tokens_in_strings"),
    ),
)


def is_checkpoint(path: str | os.PathLike) -> bool:
    """Whether a path is a preset's folder, or no folder but a preset's name or address."""
    if not Path(path).is_dir():
        return "://" in str(path) or str(path) in _presets()
    try:
        return _registered_name(Path(path) / _CONFIG).startswith("keras_hub>")
    except InputError:
        return False


def _presets() -> dict[str, Any]:
    import keras_hub

    return keras_hub.models.BertBackbone.presets


def _check_that_it_is_asked_for(path: str | os.PathLike) -> None:
    """Says what is about to be downloaded, before it is.

    Raises:
        InputError: If it is a preset's name: it may be a directory's, misspelt.
    """
    if Path(path).is_dir():
        return
    if "://" not in str(path):
        address = _presets()[str(path)].get("kaggle_handle", "kaggle://...")
        raise InputError(
            f"{path}: no such directory, but the name of a preset of KerasHub; its address "
            f"downloads it: {address}"
        )
    print(f"{path}: KerasHub downloads what its cache does not hold", file=sys.stderr, flush=True)


def _values(file: Path, form: Format) -> dict[str, Any]:
    """Reads the checked `config` of a class that KerasHub wrote."""
    values = read_json_object(file).get("config")
    try:
        if not isinstance(values, dict):
            raise InputError("`config` must be an object")
        form.check(values)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    return values


def read_config(path: str | os.PathLike) -> BertConfig:
    """Reads the shape of the network.

    Raises:
        InputError: If the preset cannot be read or is of another network than BERT.
    """
    if not Path(path).is_dir():
        return read(path).config
    file = Path(path) / _CONFIG
    if (name := _registered_name(file)) != "keras_hub>BertBackbone":
        raise InputError(f"{file}: must be of a BertBackbone. Received: registered_name={name!r}")
    values = _values(file, _BACKBONE_KEYS)
    task = Path(path) / _TASK
    head: dict[str, Any] = {}
    if _task(Path(path)) == "BertTextClassifier":
        head = {"classifier_dropout": _values(task, _CLASSIFIER_KEYS).get("dropout")}
    try:
        fields = _BACKBONE_KEYS.fields_of(values)
        # It has one rate for both.
        rates = {"attention_dropout": fields["dropout"]} if "dropout" in fields else {}
        config = BertConfig(**fields, **rates)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    try:
        return dataclasses.replace(config, **head)
    except InputError as error:
        raise InputError(f"{task}: {error}") from error


def prefixes(settings: dict[str, Any]) -> tuple[str, ...]:
    """Returns how the published names of the tensors begin that a preset has a place for.

    Taggers and multiple choice have tensors of the same names as a classifier of texts.

    Args:
        settings: dict. `Checkpoint.settings`.
    """
    is_classifier = settings.get("architectures") == _CLASSIFIER["architectures"]
    return ("bert/", "output_") if is_classifier else ("bert/",)


def read(path: str | os.PathLike) -> Checkpoint:
    """Reads a preset: a folder, a name (`"bert_base_en_uncased"`) or an address (`"hf://..."`).

    Class weights are read from folders that `BertTextClassifier.save_to_preset` made.

    Raises:
        InputError: If it cannot be loaded or is no BERT.
    """
    import keras_hub

    _check_that_it_is_asked_for(path)
    config = read_config(path) if Path(path).is_dir() else None
    classifier = None
    try:
        task = _task(Path(path))
        if task == "BertTextClassifier":
            classifier = keras_hub.models.TextClassifier.from_preset(str(path), preprocessor=None)
            backbone = classifier.backbone
        else:
            backbone = keras_hub.models.Backbone.from_preset(str(path))
    except Exception as error:  # KerasHub raises many kinds, down to those of h5py.
        raise InputError(f"{path}: KerasHub cannot load the preset: {error}") from error
    if not isinstance(backbone, keras_hub.models.BertBackbone):
        raise InputError(f"{path}: must be a BertBackbone. Received: {type(backbone).__name__}")
    if config is None:
        fields = {name: getattr(backbone, name) for name in _BACKBONE_KEYS.fields}
        config = BertConfig(**fields, attention_dropout=backbone.dropout)
    arrays = {
        name: join_heads(name, np.asarray(variable))
        for name, variable in backbone_variables(backbone).items()
    }
    settings: dict[str, Any] = {}
    if classifier is not None:
        arrays |= {n: np.asarray(v) for n, v in head_variables(classifier).items()}
        settings = dict(_CLASSIFIER)
    elif task == "BertMaskedLM":
        _LOGGER.warning(
            "%s: the masked LM head is left out: it has exact GELU and epsilon 1e-5, where the "
            "encoder has the tanh approximation and 1e-12",
            path,
        )
    return Checkpoint(config, arrays, settings, place=str(path))


def make_backbone(config: BertConfig, **kwargs: Any) -> Any:
    """Returns a `BertBackbone` of this shape with random weights.

    Args:
        config: `BertConfig`.
        **kwargs: Further arguments of `keras_hub.models.BertBackbone`, such as `dtype`.
    """
    import keras_hub

    return keras_hub.models.BertBackbone(
        vocabulary_size=config.vocabulary_size,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        hidden_dim=config.hidden_dim,
        intermediate_dim=config.intermediate_dim,
        dropout=config.dropout,
        max_sequence_length=config.max_sequence_length,
        num_segments=config.num_segments,
        **kwargs,
    )


def write(checkpoint: Checkpoint, directory: str | os.PathLike) -> None:
    """Writes a preset's folder: a `BertTextClassifier` if that is what the model is.

    For raw strings, KerasHub's `from_preset` needs a `preprocessor` then.

    Raises:
        InputError: If KerasHub cannot say what the model is: its GELU is the tanh approximation,
            its epsilon 1e-12 and its two dropout rates are one; or if the pooler is missing.
    """
    import keras_hub

    config = checkpoint.config
    # Raises for another GELU or epsilon.
    dataclasses.replace(config, classifier_dropout=None).to_google(target="a preset of KerasHub")
    if config.dropout != config.attention_dropout:
        raise InputError(
            "KerasHub has one rate for `dropout` and `attention_dropout`. "
            f"Received: {config.dropout} and {config.attention_dropout}"
        )
    backbone = make_backbone(config)
    variables, model = backbone_variables(backbone), backbone
    if "output_weights" in checkpoint.arrays and "output_" in prefixes(checkpoint.settings):
        model = keras_hub.models.BertTextClassifier(
            backbone,
            num_classes=checkpoint.arrays["output_weights"].shape[1],
            dropout=config.head_dropout,
        )
        variables |= head_variables(model)
    if missing := [name for name in variables if name not in checkpoint.arrays]:
        raise InputError(f"{checkpoint.place}: {checkpoint.name_of(missing[0])} is missing")
    for name, variable in variables.items():
        variable.assign(checkpoint.arrays[name].reshape(variable.shape))
    # HDF5 ends the process where it cannot write (h5py 3.14).
    os.makedirs(directory, exist_ok=True)
    parameters = sum(checkpoint.arrays[name].size for name in variables)
    check_room(directory, 4 * parameters + _HDF5_BYTES)
    model.save_to_preset(str(directory))


def read_vocabulary(path: str | os.PathLike) -> tuple[list[str], bool] | None:
    """Returns the tokens of a preset and whether it is uncased, or None if it has none."""
    import keras_hub

    _check_that_it_is_asked_for(path)
    file = Path(path) / _TOKENIZER
    if file.is_file():
        _values(file, _TOKENIZER_KEYS)
    try:
        tokenizer = keras_hub.models.BertTokenizer.from_preset(str(path))
    except FileNotFoundError:
        return None
    except Exception as error:  # As in `read`.
        if Path(path).is_dir() and not file.is_file():
            return None
        raise InputError(f"{path}: KerasHub cannot load the tokenizer: {error}") from error
    return list(tokenizer.get_vocabulary()), tokenizer.lowercase


def write_vocabulary(tokens: Sequence[str], lowercase: bool, directory: str | os.PathLike) -> None:
    """Adds a tokenizer to a preset's folder."""
    import keras_hub

    tokenizer = keras_hub.models.BertTokenizer(list(tokens), lowercase=lowercase)
    tokenizer.save_to_preset(str(directory))


def _registered_name(path: Path) -> str:
    return str(read_json_object(path).get("registered_name"))


def _task(path: Path) -> str | None:
    """The class of the model that a folder holds besides its backbone."""
    file = path / _TASK
    return _registered_name(file).removeprefix("keras_hub>") if file.is_file() else None
