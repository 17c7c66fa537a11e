"""BERT's initialiser."""

import keras


def truncated_normal(standard_deviation: float) -> keras.initializers.Initializer:
    """Returns BERT's initialiser for kernels and tables; biases start at zero."""
    return keras.initializers.TruncatedNormal(stddev=standard_deviation)
