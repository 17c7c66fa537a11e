"""Checkpoints on disk: complete and checked, or not there.

`checkpoints/step-00001000/` is a model directory, which `from_checkpoint` opens, with the rest of
the state of training beside the weights. It is written under another name and appears by one rename
once all of it is on the disk. `checksums.json` tells whether it is still what was written.
"""

import dataclasses
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from keras_bert.atomic import new_directory, sha256_of_file, write_json
from keras_bert.checkpoints import huggingface
from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.errors import InputError
from keras_bert.reading import inside, read_json_object

FORMAT = "keras-bert-tf training state"
FORMAT_VERSION = 1
STATE = "training_state.json"
ARRAYS = "training_state.safetensors"
CHECKSUMS = "checksums.json"
_NAME = re.compile(r"step-(\d{8,})")
_DAMAGED = "damaged-"


class DamagedCheckpointError(Exception):
    """Says in what a checkpoint differs from what was written."""


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The state of training after a step, in the host's memory.

    Args:
        step: int. Steps done since the run began, all phases together.
        weights: `Checkpoint` of the model.
        arrays: dict. A result of `capture_state`.
        facts: dict. What else the run must know, as JSON.
        tokenizer: `BertTokenizer` or None. Stored beside the weights.
    """

    step: int
    weights: Checkpoint
    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]
    tokenizer: Any = None


def write_checkpoint(
    directory: Path, snapshot: Snapshot, *, keep: int, best: int | None = None
) -> Path:
    """Commits a snapshot, then removes all but the newest checkpoints and the best one.

    Args:
        directory: Where checkpoints stand.
        snapshot: `Snapshot`.
        keep: int. Newest checkpoints to leave, this one counted; 0 for all.
        best: int or None. Step of another one to leave.
    """
    from safetensors.numpy import save_file

    path = directory / f"step-{snapshot.step:08d}"
    if path.exists():
        shutil.rmtree(path)  # Of this run: it went back to an earlier step.
    with new_directory(path) as temporary:
        if snapshot.tokenizer is not None:
            snapshot.tokenizer.save_assets(temporary)
        huggingface.write(snapshot.weights, temporary)
        save_file(snapshot.arrays, temporary / ARRAYS)
        state = {"format": FORMAT, "version": FORMAT_VERSION, "step": snapshot.step}
        write_json(temporary / STATE, {**state, **snapshot.facts})
        files = sorted(file for file in temporary.iterdir() if file.is_file())
        write_json(temporary / CHECKSUMS, {file.name: sha256_of_file(file) for file in files})
    if keep:
        for step, old in sorted(_checkpoints(directory).items())[:-keep]:
            if step != best:
                shutil.rmtree(old, ignore_errors=True)
    return path


def newest_checkpoint(directory: Path, *, warn: Any) -> tuple[Path, dict[str, Any]] | None:
    """Finds the newest whole checkpoint and puts damaged ones that are newer out of the way.

    Args:
        directory: Where checkpoints stand.
        warn: A function that is told, in one line, of a damaged checkpoint and the one that
            replaces it.

    Returns:
        Its directory and the content of its `training_state.json`; None where there are no
        checkpoints.

    Raises:
        InputError: If there are checkpoints and none of them is whole.
    """
    damaged: list[tuple[Path, str]] = []
    for _, path in sorted(_checkpoints(directory).items(), reverse=True):
        try:
            state = _verified_state(path)
        except DamagedCheckpointError as error:
            damaged.append((path, str(error)))
            continue
        for other, reason in damaged:
            aside = other.with_name(_DAMAGED + other.name)
            shutil.rmtree(aside, ignore_errors=True)
            # Not counted among those to keep, and the step will be reached again.
            os.rename(other, aside)
            warn(f"{other}: damaged checkpoint: {reason}; going on from {path}")
        return path, state
    if damaged:
        path, reason = damaged[0]
        raise InputError(
            f"{path}: damaged checkpoint: {reason}; no other in {directory} is whole: choose "
            "another --output, or remove the directory to begin anew"
        )
    return None


def newest_step(directory: Path) -> int:
    """Returns the step of the newest checkpoint, whole or not; 0 where there is none."""
    return max(_checkpoints(directory), default=0)


def checkpoint_at(directory: Path, step: int) -> tuple[Path, dict[str, Any]]:
    """Returns the checkpoint of a step as `newest_checkpoint` does.

    Raises:
        InputError: If it is not there or not whole.
    """
    path = directory / f"step-{step:08d}"
    try:
        return path, _verified_state(path)
    except DamagedCheckpointError as error:
        raise InputError(
            f"{path}: the chief goes on from this checkpoint, which every worker must see: {error}"
        ) from error


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads what `capture_state` copied from a checkpoint."""
    from safetensors.numpy import load_file

    return load_file(path / ARRAYS)


def _checkpoints(directory: Path) -> dict[int, Path]:
    if not directory.is_dir():
        return {}
    found = ((_NAME.fullmatch(path.name), path) for path in directory.iterdir() if path.is_dir())
    return {int(match[1]): path for match, path in found if match}


def _verified_state(path: Path) -> dict[str, Any]:
    checksums = _read_object(path / CHECKSUMS)
    for name in sorted({STATE, ARRAYS, huggingface.WEIGHTS, huggingface.CONFIG, *checksums}):
        if name not in checksums:
            raise DamagedCheckpointError(f"{CHECKSUMS} does not list {name}")
        try:
            digest = sha256_of_file(inside(path, name))
        except OSError as error:
            raise DamagedCheckpointError(f"{name}: {error.strerror}") from error
        except InputError as error:
            raise DamagedCheckpointError(f"{CHECKSUMS} names a file elsewhere: {error}") from error
        if digest != checksums[name]:
            raise DamagedCheckpointError(f"{name}: its SHA-256 differs from {CHECKSUMS}")
    state = _read_object(path / STATE)
    if state.get("format") != FORMAT or state.get("version") != FORMAT_VERSION:
        raise InputError(
            f"{path / STATE}: not a {FORMAT}, version {FORMAT_VERSION}. "
            f"Received: {state.get('format')!r}, version {state.get('version')!r}"
        )
    return state


def _read_object(path: Path) -> dict[str, Any]:
    try:
        return read_json_object(path)
    except InputError as error:
        raise DamagedCheckpointError(str(error)) from error
