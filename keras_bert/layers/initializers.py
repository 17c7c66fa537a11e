"""BERT's initialisers."""

import keras


def truncated_normal(standard_deviation: float) -> keras.initializers.Initializer:
    """Returns BERT's initialiser for kernels and tables; biases start at zero.

    What lies beyond two standard deviations is drawn again, so that the weights' own deviation is
    0.88 of the given one.
    """
    return keras.initializers.TruncatedNormal(stddev=standard_deviation)


def normal(standard_deviation: float) -> keras.initializers.Initializer:
    """Returns the initialiser of new heads, of the whole deviation, as transformers draws them.

    A head that starts smaller learns later: docs/decisions/0013-heads-start-from-a-whole-normal.md.
    """
    return keras.initializers.RandomNormal(stddev=standard_deviation)
