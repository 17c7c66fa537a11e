"""Checkpoint folders of google-research/bert: `bert_config.json`, `bert_model.ckpt`, `vocab.txt`.

The format is TensorFlow's own, so that reading and writing it needs TensorFlow, under any backend.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_bert.atomic import write_json
from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.checkpoints.training_variables import weights_among
from keras_bert.config import BertConfig
from keras_bert.errors import InputError

CONFIG = "bert_config.json"
CHECKPOINT = "bert_model.ckpt"

_FILE_OF_CHECKPOINT = re.compile(r"\.(index|meta|data-\d+-of-\d+)$")


def folder_of(path: str | os.PathLike) -> Path:
    """Returns `path` itself, or the folder of the checkpoint that it names."""
    path = Path(path)
    return path if path.is_dir() or _prefix_of(path) is None else path.parent


def is_checkpoint(path: str | os.PathLike) -> bool:
    """Whether a path is a checkpoint folder of this format, or a checkpoint in one."""
    return _prefix_of(Path(path)) is not None or (Path(path) / CONFIG).is_file()


def checkpoint_of(path: str | os.PathLike) -> Path:
    """Returns the checkpoint at a path or of a folder, see `open_checkpoint`, without its endings.

    Raises:
        InputError: If there is none, or no telling which of several.
    """
    return _prefix_of(Path(path)) or _checkpoint_in(Path(path))


def _prefix_of(path: Path) -> Path | None:
    """The checkpoint that `folder/model.ckpt-1000` or one of its files names."""
    if path.is_dir():
        return None
    prefix = path.with_name(_FILE_OF_CHECKPOINT.sub("", path.name))
    return prefix if Path(f"{prefix}.index").is_file() else None


def _checkpoint_in(directory: Path) -> Path:
    """The checkpoint of a folder: that of the published name, the only one, or the newest."""
    import tensorflow as tf

    names = sorted(path.name.removesuffix(".index") for path in directory.glob("*.index"))
    if CHECKPOINT in names or len(names) == 1:
        return directory / (CHECKPOINT if CHECKPOINT in names else names[0])
    # Training's own note. Its path may be that of another machine.
    note = tf.train.get_checkpoint_state(str(directory)) if names else None
    newest = note and Path(note.model_checkpoint_path).name
    if newest in names:
        return directory / newest
    if not names:
        raise InputError(f"{directory}: must hold a checkpoint (*.index). Received: none")
    raise InputError(
        f"{directory}: must hold one checkpoint (*.index), or say in the file `checkpoint` which "
        f"one is the newest; name one of them, as in {directory / names[0]}. "
        f"Received: {', '.join(names)}"
    )


@contextlib.contextmanager
def open_checkpoint(path: str | os.PathLike) -> Iterator[tuple[Path, Any]]:
    """Opens the checkpoint at a path or of a folder, by whatever name it has.

    Of several in a folder it takes `bert_model.ckpt`, or the one that the file `checkpoint` says
    is the newest.

    Yields:
        Its path and TensorFlow's reader of it.

    Raises:
        InputError: If there is no checkpoint, or no telling which of several, or reading shows it
            to be damaged.
    """
    import tensorflow as tf

    path = checkpoint_of(path)
    try:
        yield path, tf.train.load_checkpoint(str(path))
    except InputError:
        raise
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: damaged checkpoint: {reason}") from error


def read_config(path: str | os.PathLike) -> BertConfig:
    """Reads the shape of the network from `bert_config.json`.

    Raises:
        InputError: If the file is missing, damaged, or describes another network than BERT.
    """
    return BertConfig.from_file(folder_of(path) / CONFIG)


def read(path: str | os.PathLike) -> Checkpoint:
    """Reads the checkpoint at a path or of a folder, see `open_checkpoint`.

    Raises:
        InputError: If there is no checkpoint, or no telling which of several, or it is damaged.
    """
    config = read_config(path)
    with open_checkpoint(path) as (place, reader):
        names = weights_among(reader.get_variable_to_shape_map())
        arrays = {name: reader.get_tensor(name) for name in names}
    turned = {n: a.T if _is_turned(n) else a for n, a in arrays.items()}
    return Checkpoint(config, turned, place=str(place), is_turned=_is_turned)


def _is_turned(name: str) -> bool:
    # Stored as (output, input), unlike every kernel.
    return name.endswith("output_weights")


def write(checkpoint: Checkpoint, directory: str | os.PathLike) -> None:
    """Writes the weights, then `bert_config.json`.

    Raises:
        InputError: If the format cannot say what the model is: it has no exact GELU.
    """
    import tensorflow as tf

    directory = Path(directory)
    config = checkpoint.google_settings("Google's format")
    arrays = checkpoint.arrays
    directory.mkdir(parents=True, exist_ok=True)
    # As `tf.compat.v1.train.Saver` does, without a session.
    tf.raw_ops.SaveV2(
        prefix=str(directory / CHECKPOINT),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=[
            tf.constant(array.T if _is_turned(name) else array) for name, array in arrays.items()
        ],
    )
    write_json(directory / CONFIG, config)
