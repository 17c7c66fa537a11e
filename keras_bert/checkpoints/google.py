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
from keras_bert.config import BertConfig
from keras_bert.errors import InputError

CONFIG = "bert_config.json"
CHECKPOINT = "bert_model.ckpt"

# What training leaves beside the weights.
_TRAINING = re.compile(r"(^global_step|/adam_m|/adam_v|/AdamWeightDecayOptimizer(_1)?)$")
# Stored as (output, input), unlike every kernel.
_TRANSPOSED = "output_weights"


def is_checkpoint(directory: str | os.PathLike) -> bool:
    """Whether a directory is a checkpoint folder of this format."""
    return (Path(directory) / CONFIG).is_file()


@contextlib.contextmanager
def open_checkpoint(directory: str | os.PathLike) -> Iterator[tuple[Path, Any]]:
    """Opens the one checkpoint of a folder, by whatever name it has.

    Yields:
        Its path and TensorFlow's reader of it.

    Raises:
        InputError: If there is no checkpoint or more than one, or reading shows it to be damaged.
    """
    import tensorflow as tf

    found = sorted(Path(directory).glob("*.index"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise InputError(f"{directory}: must hold one checkpoint (*.index). Received: {names}")
    path = found[0].with_suffix("")
    try:
        yield path, tf.train.load_checkpoint(str(path))
    except InputError:
        raise
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: damaged checkpoint: {reason}") from error


def read(directory: str | os.PathLike) -> Checkpoint:
    """Reads a folder with one checkpoint.

    Raises:
        InputError: If there is no checkpoint or more than one, or it is damaged.
    """
    config = BertConfig.from_file(Path(directory) / CONFIG)
    with open_checkpoint(directory) as (path, reader):
        names = [name for name in reader.get_variable_to_shape_map() if not _TRAINING.search(name)]
        arrays = {name: reader.get_tensor(name) for name in names}
    turned = {n: a.T if n.endswith(_TRANSPOSED) else a for n, a in arrays.items()}
    return Checkpoint(config, turned, place=str(path))


def write(checkpoint: Checkpoint, directory: str | os.PathLike) -> None:
    """Writes the weights, then `bert_config.json`.

    Raises:
        InputError: If the format cannot say what the model is: it has no exact GELU.
    """
    import tensorflow as tf

    directory = Path(directory)
    config = checkpoint.config.to_google()
    arrays = checkpoint.arrays
    directory.mkdir(parents=True, exist_ok=True)
    # As `tf.compat.v1.train.Saver` does, without a session.
    tf.raw_ops.SaveV2(
        prefix=str(directory / CHECKPOINT),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=[
            tf.constant(array.T if name.endswith(_TRANSPOSED) else array)
            for name, array in arrays.items()
        ],
    )
    write_json(directory / CONFIG, config)
