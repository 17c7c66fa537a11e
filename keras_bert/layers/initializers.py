"""BERT's initialisers."""

import contextlib
import contextvars
from collections.abc import Iterator

import keras
from keras import ops

_LEAVE_OUT = contextvars.ContextVar("leave_out", default=False)


@contextlib.contextmanager
def weights_will_be_loaded() -> Iterator[None]:
    """Leaves out drawing the weights of encoders that are made within: they are zeros.

    Most of the time of opening a large model would otherwise go into random numbers that the
    checkpoint's replace.
    """
    token = _LEAVE_OUT.set(True)
    try:
        yield
    finally:
        _LEAVE_OUT.reset(token)


@keras.saving.register_keras_serializable("keras_bert")
class EncoderInitializer(keras.initializers.TruncatedNormal):
    """BERT's initialiser of weights that every checkpoint holds, see `weights_will_be_loaded`.

    Example:

    ```python
    EncoderInitializer(stddev=0.02)((768, 768))
    ```
    """

    def __call__(self, shape, dtype=None, **kwargs):
        if _LEAVE_OUT.get():
            return ops.zeros(shape, dtype=dtype)
        return super().__call__(shape, dtype=dtype, **kwargs)


def truncated_normal(
    standard_deviation: float, *, of_encoder: bool = False
) -> keras.initializers.Initializer:
    """Returns BERT's initialiser for kernels and tables; biases start at zero.

    What lies beyond two standard deviations is drawn again, so that the weights' own deviation is
    0.88 of the given one.

    Args:
        standard_deviation: float. Before that.
        of_encoder: bool. Every checkpoint holds these weights, as those of heads it may not.
    """
    make = EncoderInitializer if of_encoder else keras.initializers.TruncatedNormal
    return make(stddev=standard_deviation)


def normal(standard_deviation: float) -> keras.initializers.Initializer:
    """Returns the initialiser of new heads, of the whole deviation, as transformers draws them.

    A head that starts smaller learns later: docs/decisions/0013-heads-start-from-a-whole-normal.md.
    """
    return keras.initializers.RandomNormal(stddev=standard_deviation)
