"""The directory of a run: configuration, TensorBoard, metrics, the model at the end."""

import os
from pathlib import Path
from typing import Any

import rich.console
import rich.table

from keras_bert.atomic import write_json
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.text.tokenizer import BertTokenizer


class RunDirectory:
    """Makes a run directory and knows the places inside it.

    Args:
        path: The directory; it must not hold another run.
        options: dict. The resolved options, written to `config.json`.

    Raises:
        InputError: If the directory already holds a run.
    """

    def __init__(self, path: str | os.PathLike, options: dict[str, Any]):
        self.path = Path(path)
        if (self.path / "config.json").exists() or (self.path.exists() and not self.path.is_dir()):
            raise InputError(f"{self.path}: holds a run already; choose another --output")
        self._options = options

    def create(self) -> None:
        """Writes `config.json`; called once the inputs have been checked."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(self.path / "config.json", self._options)

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        return self.path / "model"

    def finish(self, title: str, metrics: dict[str, Any]) -> None:
        """Writes `metrics.json` and prints the summary table."""
        write_json(self.path / "metrics.json", metrics)
        table = rich.table.Table(title=title)
        table.add_column("metric")
        table.add_column("value", justify="right")
        for name, value in _flat(metrics):
            table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
        rich.console.Console().print(table)


def _flat(metrics, prefix=""):
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", value


def load_tokenizer(directory: str | os.PathLike) -> BertTokenizer:
    """Reads the tokenizer of a model directory and checks that it belongs to the model.

    Raises:
        InputError: If the vocabulary's size is not the model's.
    """
    config = BertConfig.from_file(Path(directory) / "config.json")
    tokenizer = BertTokenizer.from_checkpoint(directory)
    if len(tokenizer.vocabulary) != config.vocabulary_size:
        raise InputError(
            f"{directory}: vocab.txt has {len(tokenizer.vocabulary)} tokens, but the model was "
            f"made for {config.vocabulary_size}: it belongs to another vocabulary"
        )
    return tokenizer
