"""The formats of checkpoints, and which of them a path holds."""

import os
from types import ModuleType

from keras_bert.checkpoints import google, huggingface, keras_hub, model_garden

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
