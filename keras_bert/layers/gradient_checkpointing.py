"""Memory for time: a block's inner tensors are computed again for its gradient."""

from typing import Any

import keras
from keras import ops

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

    def call(hidden, trainable, non_trainable):
        result, _ = block.stateless_call(
            trainable, non_trainable, hidden, attention_mask, real, training=True
        )
        return result["output"]

    # Seeds are drawn here, once: the second computation must drop what the first one dropped.
    seeds = {
        generator.state.path: generator.next()
        for layer in block._flatten_layers()
        if (generator := getattr(layer, "seed_generator", None)) is not None
    }
    # Copies, because TensorFlow would count a variable's gradient twice: as an argument, and as a
    # variable that the call has used.
    trainable = [ops.copy(variable) for variable in block.trainable_variables]
    non_trainable = [
        seeds.get(variable.path, variable) for variable in block.non_trainable_variables
    ]
    non_trainable = [ops.convert_to_tensor(value) for value in non_trainable]
    return keras.remat(call)(hidden, trainable, non_trainable)
