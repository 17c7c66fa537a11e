"""How much arithmetic a training step is, and how much this machine can do."""

import functools
import time

import tensorflow as tf

from keras_bert.config import BertConfig

_SIZES = (256, 512, 1024, 2048, 4096, 8192)
_LONG_ENOUGH = 0.02  # seconds of one product


def training_operations(
    config: BertConfig,
    *,
    sequences: float,
    tokens: float,
    length: float,
    predictions: int = 0,
) -> float:
    """Returns the floating-point operations of the products of forward and backward passes.

    Six for each weight that meets a token: a multiplication and an addition forward, twice that
    backward. With L layers of width H, intermediate size I and V words in the vocabulary, the
    weights are `L (4 H² + 2 H I)` for every token, `H² + H V` for every prediction and `H²` (the
    pooler) for every sequence. Attention adds `12 L H length` for every token. What a step spends
    on anything else, or on padding, or computes again to save memory, is not counted.

    Args:
        config: `BertConfig`.
        sequences: float. Rows.
        tokens: float. Real tokens of all rows.
        length: float. Places in a row, padding included: each token attends to all of them.
        predictions: int. Slots for masked tokens in a row; 0 for a model without that head.
    """
    width, layers = config.hidden_dim, config.num_layers
    block = 4 * width**2 + 2 * width * config.intermediate_dim
    row = width**2 + predictions * (width**2 + width * config.vocabulary_size)
    attention = 2 * layers * width * length * tokens
    return 6 * (tokens * layers * block + sequences * row + attention)


@functools.cache
def product_rate(dtype: str) -> float:
    """Returns the operations a second of a large product on the first device, measured once.

    The product grows until it takes long enough to tell; the fastest of ten counts.

    Args:
        dtype: str. Type of the factors, for example `"bfloat16"`.
    """
    multiply = tf.function(tf.matmul)
    for size in _SIZES:
        factor = tf.cast(tf.random.stateless_normal((size, size), seed=(0, 0)), dtype)
        seconds = _seconds(multiply, factor)
        if seconds > _LONG_ENOUGH:
            break
    return 2 * size**3 / seconds


def _seconds(multiply, factor) -> float:
    times = []
    for _ in range(11):
        started = time.perf_counter()
        # A number on the host is there only when the device has finished.
        multiply(factor, factor)[0, 0].numpy()
        times.append(time.perf_counter() - started)
        if times[0] > 1:
            break  # Arithmetic that the machine emulates.
    return min(times)
