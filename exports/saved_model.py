"""`python -m exports savedmodel`: model directory to a numbered SavedModel."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from exports.limits import Limits
from exports.options import SavedModelOptions
from exports.probes import probes
from exports.serving_kit import check_name, print_kept, write_kit, write_warm_up
from exports.signatures.base import TaskSignatures
from exports.signatures.families import signatures_of
from exports.verification import DESCRIPTION, check_version
from exports.versions import write_version
from keras_bert.atomic import write_json
from keras_bert.errors import InputError
from keras_bert.outputs import check_directory
from keras_bert.tasks.families import load_predictor


def export(options: SavedModelOptions) -> Path:
    """Writes the next version of a model; prints its directory.

    The version appears by one rename, after it has been verified: a server that polls the
    directory never sees half a model, nor one that does not load. Several exports may run at once.

    Raises:
        InputError: If the directory is not that of a fine-tuned model, or the output no place for
            a directory.
    """
    check_name(options.name)
    output = Path(options.output)
    check_directory(options.output, "--output")
    try:
        signatures = signatures_of(
            load_predictor(options.model),
            precision=options.precision,
            limits=Limits(options.max_text_bytes, options.max_windows),
        )
    except InputError as error:
        raise InputError(f"{options.model}: {error}") from error
    functions = signatures.concrete_functions()
    description = signatures.description(functions)
    expected = replies(functions, description)
    checked = None

    def write(temporary: Path) -> None:
        nonlocal checked
        save(signatures, functions, temporary)
        write_json(temporary / DESCRIPTION, description)
        write_warm_up(temporary, options.name, description)
        hidden = [str(Path(options.model).resolve()), str(output.resolve())]
        checked = check_version(temporary, expected=expected, hidden_paths=hidden)

    version = write_version(output, write)
    _, kept = write_kit(output, options.name, description, version, checked.memory)
    print_kept(kept)
    if options.precision != "float32":
        print(_cost(signatures, expected))
    print(version)
    return version


def save(signatures: TaskSignatures, functions: Mapping[str, Any], directory: Path) -> None:
    """Writes a SavedModel.

    Args:
        signatures: `TaskSignatures`.
        functions: Its `concrete_functions`.
        directory: Path.
    """
    module = tf.Module()
    # A tracked list: what Keras layers hold is not tracked, and a server would not find it.
    module.weights = signatures.variables
    tf.saved_model.save(module, str(directory), signatures=functions)


def replies(
    functions: Mapping[str, Any], description: Mapping[str, Any]
) -> dict[str, dict[str, np.ndarray]]:
    """Returns what functions in memory answer to the probes.

    Args:
        functions: `concrete_functions` of a `TaskSignatures`.
        description: Its `description`.
    """
    found = {}
    for name, call in probes(description["signatures"]).items():
        specs = description["signatures"][name]["inputs"]
        inputs = {key: tf.constant(values, specs[key]["dtype"]) for key, values in call.items()}
        found[name] = {key: value.numpy() for key, value in functions[name](**inputs).items()}
    return found


def _cost(signatures: TaskSignatures, found: dict[str, dict[str, np.ndarray]]) -> str:
    """How far the numbers of a lower precision are from those of float32, over the probes."""
    twin = type(signatures)(signatures.predictor, precision="float32", limits=signatures.limits)
    functions = twin.concrete_functions()
    exact = replies(functions, twin.description(functions))["serving_default"]
    differences = []
    for name, array in found["serving_default"].items():
        if array.dtype != object and np.issubdtype(array.dtype, np.floating):
            gap = np.abs(array - exact[name])
            differences.append(f"{name} by {gap.mean():.1e} in the mean, {gap.max():.1e} at most")
    return (
        f"{signatures.precision} against float32, over {len(next(iter(exact.values())))} probes: "
        f"{'; '.join(differences)}. For the cost on your own data: python -m keras_bert evaluate "
        f"--precision {signatures.precision}"
    )
