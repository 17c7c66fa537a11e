"""Where a task's data come from: its own files, or a prepared TensorFlow data set."""

import os
from collections.abc import Iterator
from typing import Any

from keras_bert.errors import InputError
from keras_bert.prepared_data import prepared_builder

TFDS_PREFIX = "tfds:"
# What TensorFlow Datasets calls the splits.
_SPLITS = {
    "dev": "validation",
    "dev_matched": "validation_matched",
    "dev_mismatched": "validation_mismatched",
}


def is_prepared(data: str | os.PathLike) -> bool:
    """Whether `--data` names a TensorFlow data set, `tfds:NAME[/CONFIG][:VERSION]`."""
    return str(data).startswith(TFDS_PREFIX)


def prepared_rows(data: str, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Reads a split of a data set that TensorFlow Datasets has prepared on this machine.

    Args:
        data: str. `tfds:NAME[/CONFIG][:VERSION]`, such as `tfds:glue/mrpc`.
        split: str. `"train"`, `"dev"`, `"test"` or another; `"dev"` is `validation` in most.

    Yields:
        The place of a row, for error messages, and its fields as JSON would have them: strings,
        numbers, lists and dictionaries; classes by their names, and None for a class of -1, which
        stands where the label is withheld.

    Raises:
        InputError: If the data set is not prepared, lacks the split or is damaged.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    builder = prepared_builder(data.removeprefix(TFDS_PREFIX), argument="--data")
    # Some data sets call it `dev` themselves.
    theirs = split if split in builder.info.splits else _SPLITS.get(split, split)
    if theirs not in builder.info.splits:
        raise InputError(
            f"{data}: the data set has the splits {', '.join(builder.info.splits)}. "
            f"Received: {split!r}"
        )
    rows = builder.as_dataset(
        split=theirs,
        shuffle_files=False,
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
    )
    place = f"{data}, {split}"
    try:
        for number, row in enumerate(rows.as_numpy_iterator(), start=1):
            place = f"{data}, {split}, example {number}"
            yield place, _plain(row, builder.info.features, place)
    except (tf.errors.OpError, OSError) as error:
        raise InputError(f"{place}: cannot read on: {str(error).splitlines()[0]}") from error


def _plain(value: Any, feature: Any, place: str) -> Any:
    """A value of NumPy as JSON would have it."""
    if isinstance(value, dict):
        inner = getattr(feature, "feature", feature)  # of a sequence of dictionaries
        return {name: _plain(part, inner[name], place) for name, part in value.items()}
    if getattr(value, "ndim", 0):
        inner = getattr(feature, "feature", feature)  # of a sequence
        return [_plain(part, inner, place) for part in value]
    if hasattr(feature, "int2str"):
        return feature.int2str(int(value)) if value >= 0 else None
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise InputError(f"{place}: the text must be UTF-8: {error.reason}") from error
    return value.item() if hasattr(value, "item") else value
