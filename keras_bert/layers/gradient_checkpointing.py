"""Memory for time: a block's inner tensors are computed again for its gradient."""

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_bert import keras_internals
from keras_bert.layers.transformer_block import TransformerBlock
from keras_bert.layers.unpadding import RealTokens


def recomputed(
    block: TransformerBlock, hidden: Any, attention_mask: Any, real: RealTokens | None
) -> Any:
    """Calls a block for training; only its input is kept until the gradient.

    Args:
        block: `TransformerBlock`.
        hidden, attention_mask, real: as the block takes them.

    Returns:
        The block's `output`.

    References:
        - Chen et al. 2016, arXiv:1604.06174.
    """

    # Seeds are drawn here, once: the second computation must drop what the first one dropped.
    seeds = {
        generator.state.path: generator.next()
        for layer in keras_internals.layers_of(block)
        if (generator := getattr(layer, "seed_generator", None)) is not None
    }
    # Copies, because TensorFlow would count a variable's gradient twice: as an argument, and as a
    # variable that the call has used.
    trainable = [ops.copy(variable) for variable in block.trainable_variables]
    non_trainable = [
        seeds.get(variable.path, variable) for variable in block.non_trainable_variables
    ]
    non_trainable = [ops.convert_to_tensor(value) for value in non_trainable]
    inputs = (hidden, attention_mask, *(real or ()), *trainable, *non_trainable)
    if keras.backend.backend() == "tensorflow":
        return _recomputed_by_tensorflow()(block, *inputs)
    return keras.remat(functools.partial(_output, block))(*inputs)


def _output(block: TransformerBlock, hidden: Any, attention_mask: Any, *tensors: Any) -> Any:
    """The output of a block for its tensors: those of `real`, and the values of its variables."""
    trainable, others = len(block.trainable_variables), len(block.non_trainable_variables)
    tensors = list(tensors)
    start = len(tensors) - trainable - others
    result, _ = block.stateless_call(
        tensors[start : start + trainable],
        tensors[start + trainable :],
        hidden,
        attention_mask,
        RealTokens(*tensors[:start]) if start else None,
        training=True,
    )
    return result["output"]


@functools.cache
def _recomputed_by_tensorflow() -> Callable[..., Any]:
    from keras_bert.layers import tensorflow_gradients

    # Not by Keras, whose own keeps each graph for ever.
    return tensorflow_gradients.recomputing("TransformerBlock", _output)
