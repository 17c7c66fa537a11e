"""Does a file answer like the model, where it will run?"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from exports.portable.models import answer
from exports.verification import check_finite, compare
from keras_bert.errors import InputError
from keras_bert.models.base import BertModel

# Relative to an output's largest number, or to 1: a sum of large numbers is rounded as they are.
_TOLERANCE = 1e-5
# Logits of what is not there are -1e9, and say nothing of the others' size.
_LARGEST = 1e8
# Rows and tokens; the last has as many as the model takes.
_SIZES = ((1, 2), (3, 17), (2, 40), (1, None))
_ROWS_OF_ONE_LENGTH = 4

Arrays = dict[str, np.ndarray]


def probes(model: BertModel, length: int | None = None) -> list[Arrays]:
    """Returns calls of several batch sizes and lengths, with padding.

    Args:
        model: `BertModel`.
        length: int or None. If a file takes single rows of this length alone.
    """
    random = np.random.default_rng(0)
    longest = model.config.max_sequence_length
    sizes = [(batch, min(tokens or longest, longest)) for batch, tokens in _SIZES]
    if length is not None:
        sizes = [(1, length)] * _ROWS_OF_ONE_LENGTH
    return [dict(_call(model, random, *size)) for size in sizes]


def check_file(file: Path, model: BertModel, calls: list[Arrays], *, exact: bool) -> list[str]:
    """Runs a file in a fresh process and compares its replies with the model's in memory.

    Args:
        file: Path. An ONNX or LiteRT file.
        model: `BertModel`. From which it was made.
        calls: Those of `probes`.
        exact: bool. Whether replies must be within 1e-5, relative to the largest number of an
            output where that is above 1.

    Returns:
        For each output, how far it is from the model's.

    Raises:
        InputError: If the file does not run or answers otherwise.
    """
    gaps: dict[str, list[np.ndarray]] = {}
    for reply, call in zip(_replies(file, calls), calls, strict=True):
        expected = {name: np.asarray(value) for name, value in answer(model, call).items()}
        if reply.keys() != expected.keys():
            raise InputError(f"{file.name}: other outputs: {', '.join(reply)}")
        check_finite(file.name, reply)
        for name, array in reply.items():
            if exact:
                size = np.abs(expected[name]).max(initial=1, where=expected[name] > -_LARGEST)
                outputs = ({name: array}, {name: expected[name]})
                compare(file.name, "the model in memory", *outputs, _TOLERANCE * size)
            gaps.setdefault(name, []).append(np.abs(array - expected[name]).ravel())
    joined = {name: np.concatenate(arrays) for name, arrays in gaps.items()}
    return [
        f"{name} by {gap.mean():.1e} in the mean, {gap.max():.1e} at most"
        for name, gap in joined.items()
    ]


def _call(
    model: BertModel, random: np.random.Generator, batch: int, length: int
) -> Iterator[tuple[str, np.ndarray]]:
    signature = model.input_signature()
    choices = len(signature["token_ids"].shape) - 2
    shape = (batch, *[2] * choices, length)
    lengths = random.integers(1, length + 1, (*shape[:-1], 1))
    yield "token_ids", random.integers(0, model.config.vocabulary_size, shape, "int32")
    yield "segment_ids", random.integers(0, model.config.num_segments, shape, "int32")
    yield "padding_mask", (np.arange(length) < lengths).astype("int32")
    if "masked_positions" in signature:
        yield "masked_positions", random.integers(0, length, (batch, 3), "int32")


def _replies(file: Path, calls: list[Arrays]) -> list[Arrays]:
    script = Path(__file__).with_name("fresh_process.py")
    with tempfile.TemporaryDirectory() as directory:
        calls_path, replies_path = (Path(directory) / name for name in ("calls.npz", "replies.npz"))
        arrays = {f"{i}/{name}": x for i, call in enumerate(calls) for name, x in call.items()}
        np.savez(calls_path, **arrays)
        result = subprocess.run(
            # Isolated: neither the current directory nor PYTHONPATH lends the process our modules.
            [sys.executable, "-I", str(script), str(file), str(calls_path), str(replies_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            lines = [line for line in result.stderr.splitlines() if line.strip()]
            reason = lines[-1] if lines else f"exit code {result.returncode}"
            raise InputError(f"{file.name}: does not run in a fresh process: {reason}")
        replies: list[Arrays] = [{} for _ in calls]
        with np.load(replies_path) as told:
            for key in told.files:
                number, name = key.split("/")
                replies[int(number)][name] = told[key]
    return replies
