"""`python -m exports verify`: does a SavedModel load and answer where it will be served?"""

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exports.operations import SERVED_TEXT_OPERATIONS
from exports.options import VerifyOptions
from keras_bert.errors import InputError

DESCRIPTION = "assets.extra/signatures.json"
PROBES = ["", "a", "Some words, and more.", "Ünïcode 你好 ß", "[MASK] [SEP]", "long " * 2000]
# Ids of this little range every vocabulary has.
_IDS = [[2, 1, 3], [2, 3, 0]]
_CALLS = {
    "serving_default": {"text": PROBES},
    "pairs": {"text_a": PROBES, "text_b": PROBES[::-1]},
    "serving_features": {
        "token_ids": _IDS,
        "segment_ids": [[0, 0, 1], [0, 0, 0]],
        "padding_mask": [[True, True, True], [True, True, False]],
    },
}
_TOLERANCE = 1e-5


def verify(options: VerifyOptions) -> None:
    """Checks a version directory and prints what was checked.

    Raises:
        InputError: If the directory is not an export of this project, does not load in a fresh
            process, or answers differently there.
    """
    for line in check_version(Path(options.directory)):
        print(line)


def check_version(
    directory: Path,
    *,
    expected: Sequence[Sequence[float]] | None = None,
    hidden_paths: Sequence[str] = (),
) -> list[str]:
    """Loads an export as Python and as TensorFlow Serving do, and compares.

    Args:
        directory: Path. A version directory.
        expected: Probabilities for `PROBES` of the model in memory, where there is one.
        hidden_paths: Paths of this machine that must not stand in the graph.

    Returns:
        A line for each thing checked.

    Raises:
        InputError: On the first failure.
    """
    description = _read_description(directory)
    answer = _load_in_fresh_process(directory)
    foreign = sorted(set(answer["foreign_operations"]) - SERVED_TEXT_OPERATIONS)
    if foreign:
        raise InputError(
            f"{directory}: TensorFlow Serving does not have the operation {', '.join(foreign)}"
        )
    declared = {name: value["inputs"] for name, value in description["signatures"].items()}
    if answer["signatures"] != declared:
        raise InputError(
            f"{directory}: the signatures differ from {DESCRIPTION}. "
            f"Received: {answer['signatures']}"
        )
    for name, reply in answer["python"].items():
        _check_probabilities(f"{directory}: {name}", reply["probabilities"])
        _compare(f"{directory}: {name}", "the session loader", reply, answer["session"][name])
    if expected is not None:
        reply = answer["python"]["serving_default"]
        in_memory = {**reply, "probabilities": expected}
        _compare(str(directory), "the model in memory", reply, in_memory)
    _check_paths(directory, hidden_paths)
    operations = ", ".join(answer["foreign_operations"])
    return [
        f"{directory}: signatures {', '.join(declared)}",
        f"loads in Python and in a session, in a process with nothing but TensorFlow and "
        f"tensorflow-text; every signature answers probes alike, {len(PROBES)} texts among them",
        f"text operations, all of which TensorFlow Serving has: {operations}",
    ]


def _read_description(directory: Path) -> dict[str, Any]:
    for name in ("saved_model.pb", "variables/variables.index", DESCRIPTION):
        if not (directory / name).is_file():
            raise InputError(f"{directory / name}: no such file; a version of an export has it")
    try:
        return json.loads((directory / DESCRIPTION).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{directory / DESCRIPTION}: damaged: {error}") from error


def _load_in_fresh_process(directory: Path) -> dict[str, Any]:
    script = Path(__file__).with_name("fresh_process.py")
    # Isolated: neither the current directory nor PYTHONPATH lends the process our modules.
    result = subprocess.run(
        [sys.executable, "-I", str(script), str(directory.resolve())],
        input=json.dumps(_CALLS),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        reason = lines[-1] if lines else f"exit code {result.returncode}"
        raise InputError(f"{directory}: does not load in a fresh process: {reason}")
    answer = json.loads(result.stdout.splitlines()[-1])
    if answer["modules"]:
        raise RuntimeError(f"the fresh process imported {answer['modules']}")
    return answer


def _check_probabilities(place: str, rows: Sequence[Sequence[float]]) -> None:
    for index, row in enumerate(rows):
        if not all(map(math.isfinite, row)) or abs(sum(row) - 1) > _TOLERANCE:
            raise InputError(f"{place}: probe {index} is answered by probabilities {row}")


def _compare(place: str, whose: str, reply: dict[str, Any], other: dict[str, Any]) -> None:
    same_text = all(reply[name] == other[name] for name in ("label", "labels"))
    pairs = zip(reply["probabilities"], other["probabilities"], strict=True)
    difference = max(abs(a - b) for row, twin in pairs for a, b in zip(row, twin, strict=True))
    if not same_text or difference > _TOLERANCE:
        raise InputError(
            f"{place}: {whose} answers otherwise: probabilities differ by {difference:.1e}"
        )


def _check_paths(directory: Path, hidden_paths: Sequence[str]) -> None:
    graph = (directory / "saved_model.pb").read_bytes()
    for path in (*hidden_paths, str(Path(__file__).parents[1]), sys.prefix):
        if path.encode() in graph:
            raise InputError(f"{directory}: the graph holds a path of this machine: {path}")
