"""Which tensors of a checkpoint are weights, and which are left over from training them.

Optimizers keep slots beside each weight, under names of their own making: `adam_m`, `BERTAdam_1`,
`vr`, `ExponentialMovingAverage`. They are told by structure, not by these names: a slot stands
below the name of a weight, and has its shape or, where it is factored, that shape without one axis.
"""

from collections.abc import Iterable, Mapping, Sequence


def weights_among(shapes: Mapping[str, Sequence[int]], *, separator: str = "/") -> list[str]:
    """Returns the names of the tensors that are weights.

    Args:
        shapes: dict. The shape of each tensor by its name.
        separator: str. Between the parts of a name.

    Example:

    ```python
    weights_among({"a/kernel": (2, 3), "a/kernel/Adam": (2, 3), "global_step": ()})  # ["a/kernel"]
    ```
    """
    shapes = {name: tuple(shape) for name, shape in shapes.items()}
    return [name for name in shapes if not _is_left_over(name, shapes, separator)]


def _is_left_over(name: str, shapes: Mapping[str, tuple[int, ...]], separator: str) -> bool:
    shape = shapes[name]
    # Counters of steps, powers of beta, learning rates, scales of the loss: BERT has no scalars.
    # The factor of a mix of layers is one of ours.
    if not shape:
        return not name.startswith("feature_")
    *parts, _ = name.split(separator)
    for parent in _parents(parts, separator):
        if parent in shapes and shape in _slot_shapes(shapes[parent]):
            return True
    return False


def _parents(parts: Sequence[str], separator: str) -> Iterable[str]:
    """Names that a slot may stand below: `scope/a/kernel/Adam/Average` below `a/kernel`, too."""
    for end in range(len(parts), 0, -1):
        for start in range(end):
            yield separator.join(parts[start:end])


def _slot_shapes(shape: tuple[int, ...]) -> set[tuple[int, ...]]:
    # Adafactor keeps a placeholder of one number where it does not factor.
    factored = {shape[:axis] + shape[axis + 1 :] for axis in range(len(shape))}
    return {shape, (1,), *(factored if len(shape) > 1 else ())}
