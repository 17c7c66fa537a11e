"""Rules about sizes that only a call tells, and the sentence that says them wherever it is made.

Where shapes are known (outside of graphs, and in them as far as they are static) the sentence is an
`InputError`. A graph can only assert: the message of its error holds the same sentence, with names
of nodes around it that `keras_bert.errors.sentence_of` takes away.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from keras_bert.errors import InputError


def check_sizes(rule: str, tensors: Sequence[Any], axes: int = 1) -> list[Any]:
    """Returns tensors of the same size, once that is checked.

    Args:
        rule: str. What must hold, such as "`a` and `b` must have the same number of strings".
        tensors: dense or ragged tensors.
        axes: int. How many of the first axes must have the same size.

    Returns:
        The tensors, in a graph such that nothing is computed of them before the check.

    Raises:
        InputError: If they are known to have other sizes; the message is the rule and the sizes.
        tf.errors.InvalidArgumentError: The same, when a graph runs.

    Example:

    ```python
    first, second = check_sizes("`text` must be pairs", [first, second])
    ```
    """
    if check_shapes(rule, [tuple(tensor.shape) for tensor in tensors], axes):
        return list(tensors)
    sizes = [_sizes(tensor, axes) for tensor in tensors]
    is_same = tf.reduce_all([tf.reduce_all(size == sizes[0]) for size in sizes[1:]])
    with tf.control_dependencies([assertion(is_same, rule, [_told(size) for size in sizes])]):
        return [tf.identity(tensor) for tensor in tensors]


def check_shapes(rule: str, shapes: Sequence[tuple[int | None, ...]], axes: int = 1) -> bool:
    """Compares the first axes of shapes as far as they are known, and returns whether they are.

    Args:
        rule: str. What must hold.
        shapes: of tensors; None is an unknown size.
        axes: int. How many of the first axes must have the same size.

    Raises:
        InputError: If sizes differ.
    """
    sizes = [set(size) for size in zip(*(shape[:axes] for shape in shapes), strict=True)]
    if any(len(size - {None}) > 1 for size in sizes):
        raise InputError(f"{rule}. Received: {' and '.join(map(_shown, shapes))}")
    return not any(None in size for size in sizes)


def assertion(holds: tf.Tensor, rule: str, received: Sequence[tf.Tensor]) -> tf.Operation | None:
    """Returns the check that something holds; its message is one sentence.

    Args:
        holds: bool scalar.
        rule: str. What must hold.
        received: string scalars. What there is in its place.

    Raises:
        InputError: If it does not hold, outside of graphs.
    """
    parts = [f"{rule}. Received: ", received[0]]
    for value in received[1:]:
        parts += [" and ", value]
    if tf.executing_eagerly():
        if not holds:
            raise InputError("".join(tf.strings.join(parts).numpy().decode()))
        return None
    return tf.debugging.Assert(holds, [tf.strings.join(parts)])


def _sizes(tensor: Any, axes: int) -> tf.Tensor:
    if isinstance(tensor, tf.RaggedTensor):
        return tf.cast(tensor.nrows(), tf.int32)[tf.newaxis]
    return tf.shape(tensor)[:axes]


def _told(size: tf.Tensor) -> tf.Tensor:
    text = tf.strings.reduce_join(tf.strings.as_string(size), separator=", ")
    return text if size.shape[0] == 1 else tf.strings.join(["(", text, ")"])


def _shown(shape: tuple[int | None, ...]) -> str:
    return str(shape[0]) if len(shape) == 1 else str(shape)
