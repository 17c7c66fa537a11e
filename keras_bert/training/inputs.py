"""What a run is bound to: fingerprints of the inputs that its options name.

A run goes on where they are the same, by whatever path, and not where the content of a path is
another one.
"""

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_bert.atomic import sha256_of_file
from keras_bert.checkpoints import google
from keras_bert.checkpoints.formats import folder_of
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.records import MANIFEST, Manifest
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.sources import is_prepared
from keras_bert.training.provenance import fingerprint
from keras_bert.training.run_record import Input
from keras_bert.training.strategy import devices

NOTHING = Input(None)
"""Of an option that is not given."""

# What readers of checkpoints open: not the weights of other frameworks that may stand beside.
_READ = re.compile(
    r"[^.].*\.(json|txt|safetensors|index|data-\d+-of-\d+|weights\.h5|model)|checkpoint"
)
_OF_CHECKPOINT = re.compile(r"\.(index|data-\d+-of-\d+)$")
# As in assets/tokenizer/vocabulary.txt of KerasHub's presets.
_DEPTH = 3


def shards_input(directory: str, manifest: Manifest) -> Input:
    """Returns what a shard directory is, by its manifest, which has the SHA-256 of every shard."""
    return Input(manifest.sha256, lambda: fingerprint(Path(directory) / MANIFEST))


def config_input(config: BertConfig, path: str) -> Input:
    """Returns what the shape of a network is, from a file or by name.

    Args:
        config: `BertConfig`.
        path: str. What `--model` says.
    """
    # A field that a later version adds has its default in earlier ones.
    values = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if getattr(config, field.name) != field.default
    }
    return Input(_digest(values), lambda: fingerprint(path))


def checkpoint_input(path: str | os.PathLike) -> Input:
    """Returns what a checkpoint of any format is: weights, configuration and tokenizer.

    Of the address of a preset, it is that of the address.
    """

    def earlier() -> str:
        return fingerprint(folder_of(path))

    folder = folder_of(path)
    if not folder.exists():
        return Input(earlier(), earlier)
    files = {
        file.relative_to(folder).as_posix(): file
        for directory, below, names in os.walk(folder)
        for file in _read_in(Path(directory), below, names, folder)
    }
    if google.is_checkpoint(path):
        files = _of_one_checkpoint(files, path)
    return Input(_digest([[name, sha256_of_file(files[name])] for name in sorted(files)]), earlier)


def _read_in(directory: Path, below: list[str], names: list[str], folder: Path) -> list[Path]:
    depth = len(directory.relative_to(folder).parts) + 1
    below[:] = [name for name in below if depth < _DEPTH and not name.startswith(".")]
    files = (directory / name for name in names if _READ.fullmatch(name))
    return [file for file in files if file.is_file()]  # Not a link that leads nowhere.


def _of_one_checkpoint(files: dict[str, Path], path: str | os.PathLike) -> dict[str, Path]:
    """The files without those of other checkpoints in the folder; under the same names for all."""
    try:
        prefix = google.checkpoint_of(path).name
    except InputError:
        return files  # Size and vocabulary alone are taken.
    others = {name for name in files if name == "checkpoint" or _OF_CHECKPOINT.search(name)}
    own = {name for name in others if name.startswith(f"{prefix}.")}
    return {
        **{name: file for name, file in files.items() if name not in others},
        **{name.removeprefix(prefix): files[name] for name in own},
    }


def examples_input(data: str, labels: Sequence[str], splits: Mapping[str, Examples]) -> Input:
    """Returns what the data of a task are: the examples, in whatever file.

    Args:
        data: str. The directory, or the name of a prepared data set.
        labels: Those of the task.
        splits: dict. `Examples` by the name of the split.
    """
    found = {name: examples.sha256 for name, examples in splits.items()}
    earlier = None if is_prepared(data) else lambda: fingerprint(data)
    return Input(_digest([list(labels), found]), earlier)


def strategy_input(strategy: tf.distribute.Strategy) -> Input:
    """Returns where a run trains: the kind of strategy and the number of devices."""
    kinds = {
        "mirrored": tf.distribute.MirroredStrategy,
        "multi_worker": tf.distribute.MultiWorkerMirroredStrategy,
        "tpu": tf.distribute.TPUStrategy,
    }
    found = [name for name, kind in kinds.items() if isinstance(strategy, kind)]
    count = devices(strategy)
    return Input(f"{found[0] if found else 'one_device'}, {count}", lambda: count)


def values_input(values: Any) -> Input:
    """Returns what values of JSON are, as those of a grid."""
    return Input(_digest(values))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
