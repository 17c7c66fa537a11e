"""`python -m exports verify`: does a SavedModel load and answer where it will be served?"""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from exports.operations import REFUSED_OPERATIONS, SERVED_TEXT_OPERATIONS
from exports.options import VerifyOptions
from exports.probes import largest_call, probes
from exports.serving_kit import BATCH_ROWS, BATCH_THREADS
from exports.signatures.base import TOKENS_AT_A_TIME
from keras_bert.errors import InputError

DESCRIPTION = "assets.extra/signatures.json"
# Between two ways of loading: they may fuse operations otherwise.
_TOLERANCES = {"float32": 1e-5, "bfloat16": 3e-2, "float16": 3e-3}
# Of sums of probabilities, which are computed in float32 whatever the model computes in.
_SUM_TOLERANCE = 1e-5


class Checked(NamedTuple):
    """What a check of a version found.

    Attributes:
        lines: A line for each thing checked.
        memory: Bytes that the fresh process held at most: `tensorflow`, before the version was
            loaded; `loaded`, when every signature had answered; `peak`, when requests of the
            largest batch had been answered side by side, as the server is configured to.
    """

    lines: list[str]
    memory: dict[str, int]


def verify(options: VerifyOptions) -> None:
    """Checks a version directory and prints what was checked.

    Raises:
        InputError: If the directory is not an export of this project, does not load in a fresh
            process, or answers differently there.
    """
    for line in check_version(Path(options.directory)).lines:
        print(line)


def check_version(
    directory: Path,
    *,
    expected: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    hidden_paths: Sequence[str] = (),
) -> Checked:
    """Loads an export as Python and as TensorFlow Serving do, and compares.

    Args:
        directory: Path. A version directory.
        expected: Replies to `probes` of the model in memory, where there is one; some outputs of
            some signatures are enough.
        hidden_paths: Paths of this machine that must not stand in the graph.

    Returns:
        `Checked`.

    Raises:
        InputError: On the first failure.
    """
    description = _read_description(directory)
    _check_paths(directory, hidden_paths)
    declared = description["signatures"]
    calls = probes(declared)
    largest = largest_call(description, BATCH_ROWS, TOKENS_AT_A_TIME)
    answer = _load_in_fresh_process(directory, calls, [largest] * BATCH_THREADS)
    _check_operations(directory, answer["operations"], answer["foreign_operations"])
    for kind in ("inputs", "outputs"):
        found = {name: signature[kind] for name, signature in answer["signatures"].items()}
        wanted = {name: _specs(signature[kind]) for name, signature in declared.items()}
        if found != wanted:
            raise InputError(
                f"{directory}: the signatures' {kind} differ from {DESCRIPTION}. Received: {found}"
            )
    tolerance = _TOLERANCES[description["precision"]]
    replies = {way: as_arrays(answer[way]) for way in ("python", "session")}
    for name, reply in replies["python"].items():
        place = f"{directory}: {name}"
        check_finite(place, reply)
        if description["task"] == "classification":
            _check_sums(place, reply["probabilities"])
        if reply.keys() != replies["session"][name].keys():
            raise InputError(f"{place}: the two loaders have other outputs")
        compare(place, "the session loader", reply, replies["session"][name], tolerance)
        if name in (expected or {}):
            compare(place, "the model in memory", reply, expected[name], tolerance)
    rows = sum(len(next(iter(call.values()))) for call in calls.values())
    memory = answer["memory"]
    lines = [
        f"{directory}: signatures {', '.join(declared)}",
        "loads in Python and in a session, in a process with nothing but TensorFlow and "
        f"tensorflow-text; every signature answers probes alike, {rows} rows",
        "text operations, all of which TensorFlow Serving has: "
        + ", ".join(answer["foreign_operations"]),
        f"memory: {memory['tensorflow'] >> 20} MiB before it was loaded, "
        f"{memory['loaded'] >> 20} MiB loaded, {memory['peak'] >> 20} MiB at most for "
        f"{BATCH_THREADS} requests of {BATCH_ROWS} rows side by side",
    ]
    return Checked(lines, memory)


def read_description(directory: Path) -> dict[str, Any]:
    """Returns what an export says of itself.

    Raises:
        InputError: If the file is missing or damaged.
    """
    path = directory / DESCRIPTION
    if not path.is_file():
        raise InputError(f"{path}: no such file; a version of an export has it")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: damaged: {error}") from error


def _read_description(directory: Path) -> dict[str, Any]:
    for name in ("saved_model.pb", "variables/variables.index"):
        if not (directory / name).is_file():
            raise InputError(f"{directory / name}: no such file; a version of an export has it")
    return read_description(directory)


def _specs(tensors: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        name: {"dtype": tensor["dtype"], "shape": tensor["shape"]}
        for name, tensor in tensors.items()
    }


def _load_in_fresh_process(
    directory: Path, calls: dict, side_by_side: Sequence[dict] = ()
) -> dict[str, Any]:
    script = Path(__file__).with_name("fresh_process.py")
    # Isolated: neither the current directory nor PYTHONPATH lends the process our modules.
    result = subprocess.run(
        [sys.executable, "-I", str(script), str(directory.resolve())],
        input=json.dumps({"calls": calls, "side_by_side": side_by_side}),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode < 0:
        raise InputError(
            f"{directory}: the fresh process that loads it was ended by "
            f"{signal.Signals(-result.returncode).name}; there may be too little memory"
        )
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        reason = lines[-1] if lines else f"exit code {result.returncode}"
        raise InputError(f"{directory}: does not load in a fresh process: {reason}")
    answer = json.loads(result.stdout.splitlines()[-1])
    if answer["modules"]:
        raise RuntimeError(f"the fresh process imported {answer['modules']}")
    return answer


def _check_operations(directory: Path, all_of_them: list[str], foreign: list[str]) -> None:
    lacking = sorted(set(foreign) - SERVED_TEXT_OPERATIONS)
    lacking += sorted(set(all_of_them) & REFUSED_OPERATIONS)
    if lacking:
        raise InputError(
            f"{directory}: TensorFlow Serving does not have the operation {', '.join(lacking)}"
        )


def as_arrays(replies: dict[str, dict[str, dict]]) -> dict[str, dict[str, np.ndarray]]:
    """Arrays of what `fresh_process.py` tells."""
    return {
        name: {
            key: np.array(
                [_bytes(value) for value in told["values"]], object if told["text"] else None
            ).reshape(told["shape"])
            for key, told in reply.items()
        }
        for name, reply in replies.items()
    }


def _bytes(value: Any) -> Any:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


def check_finite(place: str, reply: Mapping[str, np.ndarray]) -> None:
    """Raises `InputError` if an output holds what is no number."""
    for name, array in reply.items():
        if array.dtype != object and not np.isfinite(array).all():
            row = np.argwhere(~np.isfinite(array))[0][0]
            raise InputError(f"{place}: {name} of probe {row} is not finite: {array[row]}")


def _check_sums(place: str, probabilities: np.ndarray) -> None:
    for row, shares in enumerate(probabilities):
        if abs(shares.sum() - 1) > _SUM_TOLERANCE:
            raise InputError(f"{place}: probe {row} is answered by probabilities {shares}")


def compare(
    place: str,
    whose: str,
    reply: Mapping[str, np.ndarray],
    other: Mapping[str, np.ndarray],
    tolerance: float,
) -> None:
    """Raises `InputError` if outputs that both have differ.

    Args:
        place: str. What is checked, for messages.
        whose: str. Of whom the others are, for messages.
        reply: The outputs.
        other: Those that they must be near.
        tolerance: float. Relative and absolute.
    """
    for name in sorted(reply.keys() & other.keys()):
        array, twin = reply[name], np.asarray(other[name])
        if array.shape != twin.shape:
            difference = f"{name} has the shapes {array.shape} and {twin.shape}"
        elif array.dtype == object:
            differs = array != twin
            difference = f"{array[differs][0]} and {twin[differs][0]}" if differs.any() else ""
        else:
            near = np.allclose(array, twin, rtol=tolerance, atol=tolerance)
            gap = np.abs(array.astype(float) - twin.astype(float)).max(initial=0)
            difference = "" if near else f"{name} differ by {gap:.1e}"
        if difference:
            raise InputError(f"{place}: {whose} answers otherwise: {difference}")


def _check_paths(directory: Path, hidden_paths: Sequence[str]) -> None:
    graph = (directory / "saved_model.pb").read_bytes()
    for path in (*hidden_paths, str(Path(__file__).parents[1]), sys.prefix):
        if path.encode() in graph:
            raise InputError(f"{directory}: the graph holds a path of this machine: {path}")
