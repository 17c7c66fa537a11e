"""The formats of checkpoints, and which of them a path holds."""

import os
from pathlib import Path
from types import ModuleType
from typing import Any

from keras_bert.checkpoints import google, huggingface, keras_hub, model_garden
from keras_bert.config import BertConfig

FORMATS: dict[str, ModuleType] = {
    "huggingface": huggingface,
    "google": google,
    "model_garden": model_garden,
    "keras_hub": keras_hub,
}


def format_of(path: str | os.PathLike) -> ModuleType:
    """Returns the module that reads `path`; Hugging Face's where nothing says otherwise."""
    # The Model Garden first: its folders have Google's configuration file.
    for module in (model_garden, google, keras_hub):
        if module.is_checkpoint(path):
            return module
    return huggingface


def folder_of(path: str | os.PathLike) -> Path:
    """Returns where the configuration and the vocabulary of a checkpoint stand.

    That is `path` itself, or the folder of the one checkpoint among several that `path` names.
    """
    return google.folder_of(path)


def read_config(path: str | os.PathLike) -> BertConfig:
    """Reads the shape of the network of a checkpoint of any format.

    Raises:
        InputError: If the path is no checkpoint, or one of another network.
    """
    return format_of(path).read_config(path)


def read_settings(path: str | os.PathLike) -> dict[str, Any]:
    """Reads what the `config.json` of a checkpoint says, or would say in Hugging Face's format.

    Raises:
        InputError: If the path is no checkpoint, or one of another network.
    """
    source = format_of(path)
    if source is huggingface:
        return huggingface.read_settings(path)
    return source.read(path).whole_settings()
