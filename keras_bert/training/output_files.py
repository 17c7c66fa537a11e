"""Files that a command writes: none of those that it reads."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from keras_bert.command_line import flag
from keras_bert.errors import InputError
from keras_bert.reading import same_file

# What a model directory is made of; results may lie beside it.
_MODEL_ENDINGS = (".safetensors", ".index.json", "config.json", "modules.json")
_MODEL_FILES = (
    *("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.json"),
    *("special_tokens_map.json", "added_tokens.json"),
)


def check_outputs(
    outputs: Mapping[str, str | None], inputs: Iterable[Path], *, model: str | None = None
) -> None:
    """Checks that files to write are different ones, and none that is read.

    Args:
        outputs: dictionary from flags to paths; None for those that are not asked for.
        inputs: Files that were read.
        model: str or None. Directory of the model.

    Raises:
        InputError: If one of them would replace another, a file that was read, or one of the model.

    Example:

    ```python
    check_outputs({"--predictions": "test.tsv"}, [Path("task/test.tsv")])
    ```
    """
    chosen = {name: Path(path) for name, path in outputs.items() if path is not None}
    inputs = list(inputs)
    for place, (name, path) in enumerate(chosen.items()):
        for other in list(chosen)[:place]:
            if same_file(path, chosen[other]):
                raise InputError(f"`{name}` must not be the file of `{other}`. Received: {path}")
        if any(same_file(path, read) for read in inputs):
            raise InputError(
                f"`{name}` must not be a file of `--data`, which it would replace. Received: {path}"
            )
        if model and _is_of_model(Path(os.path.realpath(path)), os.path.realpath(model)):
            raise InputError(
                f"`{name}` must not be a file of `--model`, which it would replace. "
                f"Received: {path}"
            )


def _is_of_model(path: Path, model: str) -> bool:
    named = path.name in _MODEL_FILES or path.name.endswith(_MODEL_ENDINGS)
    return named and path.is_file() and path.is_relative_to(model)


def check_output_directory(output: str, **inputs: str | None) -> None:
    """Checks that a directory to make is none that is read.

    Args:
        output: str. What `--output` names.
        **inputs: str or None. Other options and what they name.

    Raises:
        InputError: If one of them is the same directory.
    """
    for name, path in inputs.items():
        if path is not None and Path(path).exists() and same_file(output, path):
            raise InputError(
                f"`--output` must be another directory than `{flag(name)}`. Received: {output}"
            )
