"""What sentence-transformers adds to a model directory: how token vectors become one of the text.

`modules.json` lists the steps: the encoder, the pooling, with its settings in `1_Pooling`, and, at
will, the normalisation. The encoder itself is in Hugging Face's layout.
"""

import os
from pathlib import Path
from typing import Any

from keras_bert.atomic import write_json
from keras_bert.errors import InputError
from keras_bert.published_configurations import Format
from keras_bert.reading import inside, read_json, read_json_object, shown

_MODULES = "modules.json"
_POOLING, _NORMALIZE = "1_Pooling", "2_Normalize"
_LENGTH = "sentence_bert_config.json"
_ENCODER = "config_sentence_transformers.json"
_CONFIG = "config.json"
_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
}

# sentence-transformers' files; `modules.json` is a list of the first.
_MODULE_KEYS = Format(
    "a module of sentence-transformers",
    only={"kwargs": []},
    elsewhere=("type", "path"),
    harmless=("idx", "name"),
)
_POOLING_KEYS = Format(
    "the pooling of sentence-transformers",
    elsewhere=(
        *("pooling_mode", "pooling_mode_cls_token", "pooling_mode_mean_tokens"),
        *("pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens"),
        *("pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"),
        *("word_embedding_dimension", "embedding_dimension"),
    ),
    # Of prompts, which stand before texts only where somebody puts them there.
    harmless=("include_prompt",),
)
_NORMALIZE_KEYS = Format(
    "the normalisation of sentence-transformers",
    only={"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding"},
)
_LENGTH_KEYS = Format(
    "the encoder of sentence-transformers",
    only={
        "transformer_task": "feature-extraction",
        "module_output_name": "token_embeddings",
        "modality_config": {
            "text": {"method": "forward", "method_output_name": "last_hidden_state"}
        },
        "unpad_inputs": False,
        **dict.fromkeys(
            (
                *("model_args", "model_kwargs", "tokenizer_args", "processor_kwargs"),
                *("config_args", "config_kwargs"),
            )
        ),
    },
    # The tokenizer answers for the second.
    elsewhere=("max_seq_length", "do_lower_case"),
    harmless=("message_format",),
)
_ENCODER_KEYS = Format(
    "the configuration of sentence-transformers",
    only={
        "model_type": "SentenceTransformer",
        # What would stand before every text.
        "default_prompt_name": None,
        "truncate_dim": None,
    },
    elsewhere=("similarity_fn_name",),
    harmless=("__version__", "prompts"),
)


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
    directory = Path(directory)
    path = directory / _MODULES
    modules = read_json(path, list)
    try:
        if not all(isinstance(module, dict) for module in modules):
            raise InputError(f"must be a list of objects. Received: {shown(modules)}")
        for module in modules:
            _MODULE_KEYS.check(module)
        kinds = [str(module.get("type")).rsplit(".", 1)[-1] for module in modules]
        if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
            raise InputError(
                "the modules must be Transformer, Pooling and, at will, Normalize. "
                f"Received: {', '.join(kinds)}"
            )
        files = [inside(directory, module.get("path")) / _CONFIG for module in modules]
        if files[0].parent != directory:
            raise InputError(
                "the path of the Transformer must be '', the directory itself: name that "
                f"directory, or move its files. Received: path={modules[0]['path']!r}"
            )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    pooling = _pooling_of(_read(files[1], _POOLING_KEYS))
    if not isinstance(pooling, str) or pooling not in _FLAGS.values():
        raise InputError(
            f"{files[1]}: the pooling must be one of {', '.join(_FLAGS.values())}. "
            f"Received: {shown(pooling)}"
        )
    normalize = "Normalize" in kinds
    if normalize and files[2].is_file():
        _read(files[2], _NORMALIZE_KEYS)
    if (directory / _ENCODER).is_file():
        similarity = _read(directory / _ENCODER, _ENCODER_KEYS).get("similarity_fn_name")
        # Of unit vectors the product is the cosine.
        if similarity not in (None, "cosine", *(["dot"] if normalize else [])):
            raise InputError(
                f"{directory / _ENCODER}: `similarity_fn_name` must be 'cosine', or 'dot' of "
                f"normalised vectors. Received: similarity_fn_name={shown(similarity)}"
            )
    return {"pooling": pooling, "normalize": normalize}


def _read(path: Path, form: Format) -> dict[str, Any]:
    values = read_json_object(path)
    try:
        form.check(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return values


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
    length = _read(path, _LENGTH_KEYS).get("max_seq_length") if path.is_file() else None
    if length is not None and (type(length) is not int or length < 1):
        raise InputError(
            f"{path}: `max_seq_length` must be a positive integer or null. "
            f"Received: max_seq_length={shown(length)}"
        )
    return length


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
