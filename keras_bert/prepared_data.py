"""Data sets that TensorFlow Datasets has prepared on this machine; nothing is downloaded."""

import os
from typing import Any

from keras_bert.errors import InputError


def prepared_builder(name: str, *, argument: str) -> Any:
    """Returns the builder of a prepared data set.

    They are those below the directory that the environment variable `TFDS_DATA_DIR` names, by
    default `~/tensorflow_datasets`.

    Args:
        name: str. `NAME[/CONFIG][:VERSION]`.
        argument: str. The flag that names it, for the message.

    Raises:
        InputError: If it is not prepared.
    """
    from tensorflow_datasets.core import read_only_builder, registered

    try:
        return read_only_builder.builder_from_files(name, data_dir=os.environ.get("TFDS_DATA_DIR"))
    except (registered.DatasetNotFoundError, ValueError, OSError) as error:
        raise InputError(
            f"`{argument}`: the data set must be prepared: `tfds build NAME` or "
            "`tfds.load(NAME)` with the same TFDS_DATA_DIR does that; name its config if it "
            f"has several. Received: 'tfds:{name}'"
        ) from error
