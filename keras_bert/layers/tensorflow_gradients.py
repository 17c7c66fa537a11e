"""Functions of TensorFlow with gradients of their own.

`tf.custom_gradient` adds an entry to a global table each time that it is used in a graph, and the
entry keeps the graph for ever: a process that trains several models, or traces one again, never
gives their memory back. Here each function has one entry for the life of the process, which takes
all that it needs from the operation whose gradient is asked for.
"""

import itertools
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf

from keras_bert import keras_internals

_numbers: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
_layers: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
_next_number = itertools.count()


def with_gradient(
    name: str,
    function: Callable[..., tf.Tensor],
    gradient_of: Callable[..., list[tf.Tensor | None]],
) -> Callable[..., tf.Tensor]:
    """Gives a function another gradient than that of its operations.

    Made once for each function, not once for each call.

    Args:
        name: str. Of the gradient, different from all others in the process.
        function: Function of tensors, which returns one tensor. Whatever it depends on must be
            among them.
        gradient_of: Function of the gradient of the result and of the tensors. It returns the
            gradient of each tensor, or None.

    Returns:
        A function of tensors or variables. It works eagerly and in graphs, within conditions, loops
        and functions too. There is no second derivative through it.

    Raises:
        KeyError: If there is a gradient of that name.

    Example:

    ```python
    doubled = with_gradient("Doubled", lambda x: 2 * x, lambda upstream, x: [2 * upstream])
    ```
    """
    entry = f"keras_bert>{name}"

    @tf.RegisterGradient(entry)
    def of_operation(operation, upstream, *_):
        return [None, *gradient_of(tf.convert_to_tensor(upstream), *operation.inputs[1:])]

    def call(*inputs):
        inputs = [tf.convert_to_tensor(tensor) for tensor in inputs]
        with _stopped_tapes():
            output = function(*inputs)
            if not tf.executing_eagerly():
                # The inputs too, for the gradient to find them by the operation.
                graph = tf.compat.v1.get_default_graph()
                with graph.gradient_override_map({"IdentityN": entry}):
                    output = tf.identity_n([output, *inputs])[0]

        def of_tape(upstream):
            return gradient_of(tf.convert_to_tensor(upstream), *inputs)

        _record_on_tapes(name, output, inputs, of_tape)
        return output

    return call


def recomputing(name: str, function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Lets a function of a layer be computed again for its gradient.

    Between the two only its tensors are kept.

    Args:
        name: str. Of the gradient, see `with_gradient`.
        function: Function of a layer and tensors, which returns one tensor. All weights that are
            trained must be among the tensors; the first tensor and all integers (the seeds) are
            what the result changes with.

    Returns:
        A function of the same arguments.
    """

    def forward(number, *inputs):
        return function(_layer_of(number), *inputs)

    def gradient_of(upstream, number, *inputs):
        first, *others = inputs
        zero = _zero_after(upstream)
        with tf.GradientTape() as tape:
            # Otherwise both computations would become one, and its tensors be kept.
            inputs = [first + tf.cast(zero, first.dtype)]
            inputs += [x + tf.cast(zero, x.dtype) if x.dtype.is_integer else x for x in others]
            tape.watch([tensor for tensor in inputs if tensor.dtype.is_floating])
            output = function(_layer_of(number), *inputs)
        return [None, *tape.gradient(output, inputs, upstream)]

    call = with_gradient(name, forward, gradient_of)
    return lambda layer, *inputs: call(_number_of(layer), *inputs)


def _zero_after(upstream: tf.Tensor) -> tf.Tensor:
    """A zero that no compiler knows before `upstream` is there."""
    first = tf.reshape(upstream, [-1])[:1]
    impossible = tf.math.is_nan(first) & tf.math.is_inf(first)
    return tf.reduce_sum(tf.cast(impossible, tf.int32))


def _number_of(layer: Any) -> tf.Tensor:
    """A constant by which the gradient finds the layer, without keeping it."""
    if layer not in _numbers:
        _numbers[layer] = next(_next_number)
        _layers[_numbers[layer]] = layer
    return tf.constant(_numbers[layer], tf.int32)


def _layer_of(number: tf.Tensor) -> Any:
    return _layers[int(tf.get_static_value(number))]


def _stopped_tapes() -> AbstractContextManager:
    """Within it no tape sees any operation."""
    return keras_internals.stopped_tapes()


def _record_on_tapes(
    name: str, output: tf.Tensor, inputs: list[tf.Tensor], gradient_of: Callable
) -> None:
    """Tells all tapes what the gradient of a result is."""
    keras_internals.record_gradient(name, [output], inputs, gradient_of)
