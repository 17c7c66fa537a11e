"""The variables that the next training step depends on, besides the weights."""

from typing import Any

import keras
import numpy as np

from keras_bert.errors import InputError

_METRICS = "metrics"


def capture_state(model: Any) -> dict[str, np.ndarray]:
    """Copies what a model's weight file lacks: seeds of dropout, optimizer, counts and metrics.

    Args:
        model: A compiled `BertModel` that has taken a step.

    Returns:
        Arrays by `"<group>/<number>"`, in memory of their own: training can go on at once.
    """
    return {
        name: array
        for group, variables in _groups(model).items()
        for name, array in _copies(group, variables).items()
    }


def capture_metrics(model: Any) -> dict[str, np.ndarray]:
    """Copies the metrics alone, which an evaluation resets."""
    return _copies(_METRICS, list(model.metrics_variables))


def _copies(group: str, variables: list) -> dict[str, np.ndarray]:
    return {
        f"{group}/{index:04d}": own(keras.ops.convert_to_numpy(variable))
        for index, variable in enumerate(variables)
    }


def own(array: np.ndarray) -> np.ndarray:
    """Returns an array that no later step can change; a view may be the variable's own memory."""
    return array if array.flags.owndata else array.copy()


def restore_state(model: Any, arrays: dict[str, np.ndarray], place: str) -> None:
    """Gives seeds, optimizer and counts the values that `capture_state` copied.

    Args:
        model: A compiled `BertModel` of the same configuration; its optimizer is built.
        arrays: A result of `capture_state`.
        place: str. Where it was read, for messages.

    Raises:
        InputError: If the arrays are another model's or another optimizer's.
    """
    with model.distribute_strategy.scope():
        model.optimizer.build(model.trainable_variables)
        for group, variables in _groups(model).items():
            if group != _METRICS:
                _assign(group, variables, arrays, place)


def restore_metrics(model: Any, arrays: dict[str, np.ndarray], place: str) -> None:
    """Gives metrics the values that `capture_state` copied; they exist once `fit` has begun."""
    with model.distribute_strategy.scope():
        _assign(_METRICS, _groups(model)[_METRICS], arrays, place)


def _groups(model: Any) -> dict[str, list[Any]]:
    weights = {id(variable) for variable in model.weights}
    return {
        "seeds": [variable for variable in model.variables if id(variable) not in weights],
        "optimizer": list(model.optimizer.variables),
        "skips": [model.skips.total, model.skips.in_a_row],
        _METRICS: list(model.metrics_variables),
    }


def _assign(group: str, variables: list, arrays: dict[str, np.ndarray], place: str) -> None:
    saved = {name: array for name, array in arrays.items() if name.startswith(f"{group}/")}
    expected = {
        f"{group}/{index:04d}": (tuple(variable.shape), keras.backend.standardize_dtype(v.dtype))
        for index, variable in enumerate(variables)
        for v in (variable,)
    }
    found = {name: (array.shape, str(array.dtype)) for name, array in saved.items()}
    if found != expected:
        name = min(name for name in {*found, *expected} if found.get(name) != expected.get(name))
        raise InputError(
            f"{place}: the state of another model or optimizer: {name} must be "
            f"{_described(expected.get(name))}. Received: {_described(found.get(name))}"
        )
    for variable, name in zip(variables, expected, strict=True):
        variable.assign(saved[name])


def _described(shape_and_dtype: tuple | None) -> str:
    return "absent" if shape_and_dtype is None else "{1} of shape {0}".format(*shape_and_dtype)
