"""What sentence-transformers adds to a model directory: how token vectors become one of the text.

`modules.json` lists the steps: the encoder, the pooling, with its settings in `1_Pooling`, and, at
will, the normalisation. The encoder itself is in Hugging Face's layout.
"""

import json
import os
from pathlib import Path
from typing import Any

from keras_bert.atomic import write_json
from keras_bert.errors import InputError

_MODULES = "modules.json"
_POOLING, _NORMALIZE = "1_Pooling", "2_Normalize"
_LENGTH = "sentence_bert_config.json"
_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
}


def is_sentence_encoder(directory: str | os.PathLike) -> bool:
    """Whether a directory says how to make vectors of texts."""
    return (Path(directory) / _MODULES).is_file()


def read(directory: str | os.PathLike) -> dict[str, Any]:
    """Returns `pooling` and `normalize` of a model directory; nothing where it does not say.

    Raises:
        InputError: If a file is damaged, or asks for something else.
    """
    if not is_sentence_encoder(directory):
        return {}
    path = Path(directory) / _MODULES
    modules = _read_json(path, list)
    try:
        kinds = [module["type"].rsplit(".", 1)[-1] for module in modules]
        places = [module["path"] for module in modules]
    except (TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: damaged list of modules: {error!r}") from error
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise InputError(
            f"{path}: the modules must be Transformer, Pooling and, at will, Normalize. "
            f"Received: {', '.join(kinds)}"
        )
    path = Path(directory) / places[1] / "config.json"
    pooling = _pooling_of(_read_json(path, dict))
    if pooling not in _FLAGS.values():
        raise InputError(
            f"{path}: the pooling must be one of {', '.join(_FLAGS.values())}. "
            f"Received: {pooling!r}"
        )
    return {"pooling": pooling, "normalize": "Normalize" in kinds}


def _pooling_of(settings: dict[str, Any]) -> Any:
    # A name since version 5, flags before.
    if "pooling_mode" in settings:
        return settings["pooling_mode"]
    flags = [key for key, on in settings.items() if key.startswith("pooling_mode_") and on]
    return " and ".join(_FLAGS.get(flag, flag) for flag in flags)


def sequence_length(directory: str | os.PathLike) -> int | None:
    """Returns the number of tokens at which texts are cut, or None where it does not say.

    Raises:
        InputError: If the file is damaged.
    """
    path = Path(directory) / _LENGTH
    return _read_json(path, dict).get("max_seq_length") if path.is_file() else None


def write(directory: str | os.PathLike, *, pooling: str, normalize: bool, hidden_dim: int) -> None:
    """Writes the modules of an encoder beside it; all versions of sentence-transformers read them.

    Args:
        directory: Of the encoder.
        pooling: str. `"mean"`, `"cls"` or `"max"`.
        normalize: bool.
        hidden_dim: int. Width of the vectors.
    """
    directory = Path(directory)
    flags = {flag: name == pooling for flag, name in _FLAGS.items()}
    settings = {"word_embedding_dimension": hidden_dim, **flags}
    write_json(directory / _POOLING / "config.json", settings)
    modules = [("", "Transformer"), (_POOLING, "Pooling")]
    if normalize:
        (directory / _NORMALIZE).mkdir(exist_ok=True)
        modules.append((_NORMALIZE, "Normalize"))
    write_json(
        directory / _MODULES,
        [
            {
                "idx": index,
                "name": str(index),
                "path": path,
                "type": f"sentence_transformers.models.{kind}",
            }
            for index, (path, kind) in enumerate(modules)
        ],
    )


def _read_json(path: Path, kind: type) -> Any:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    if not isinstance(value, kind):
        expected = {list: "a list", dict: "an object"}[kind]
        raise InputError(f"{path}: {expected} of JSON is expected. Received: {str(value)[:40]}")
    return value
