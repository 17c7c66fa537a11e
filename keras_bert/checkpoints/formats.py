"""The formats of checkpoints, and which of them a path holds."""

import os
from types import ModuleType

from keras_bert.checkpoints import google, huggingface, keras_hub

FORMATS: dict[str, ModuleType] = {
    "huggingface": huggingface,
    "google": google,
    "keras_hub": keras_hub,
}


def format_of(path: str | os.PathLike) -> ModuleType:
    """Returns the module that reads `path`; Hugging Face's where nothing says otherwise."""
    if google.is_checkpoint(path):
        return google
    return keras_hub if keras_hub.is_checkpoint(path) else huggingface
