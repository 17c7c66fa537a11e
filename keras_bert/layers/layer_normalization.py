"""LayerNorm, alone and after a residual sum."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_bert")
class LayerNormalization(keras.layers.LayerNormalization):
    """`keras.layers.LayerNormalization` over the last axis, faster under TensorFlow.

    Call arguments:
        inputs: floats `(..., width)`.
        training: bool.

    Returns:
        Floats like `inputs`.

    Example:

    ```python
    LayerNormalization(epsilon=1e-12)(hidden)
    ```

    References:
        - Ba et al. 2016, arXiv:1607.06450.
    """

    def call(self, inputs, training=None):
        if keras.backend.backend() != "tensorflow":
            return super().call(inputs)
        from keras_bert.layers import tensorflow_kernels

        shape = ops.shape(inputs)
        outputs = tensorflow_kernels.layer_normalization(
            # (..., width) -> (rows, width)
            ops.reshape(inputs, (-1, shape[-1])),
            self.gamma,
            self.beta,
            self.epsilon,
            training=bool(training),
        )
        # (rows, width) -> (..., width)
        return ops.cast(ops.reshape(outputs, shape), self.compute_dtype)


@keras.saving.register_keras_serializable("keras_bert")
class ResidualLayerNormalization(LayerNormalization):
    """LayerNorm of the sum of a layer's input and its output, the latter after dropout.

    Args:
        dropout: float. Rate on the output before the sum.
        **kwargs: Arguments of `keras.layers.LayerNormalization`.

    Call arguments:
        inputs: floats `(rows, width)`, the layer's output.
        residual: floats `(rows, width)`, its input.
        training: bool.

    Returns:
        Floats `(rows, width)`.

    Example:

    ```python
    hidden = ResidualLayerNormalization(0.1, epsilon=1e-12)(dense(hidden), hidden)
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, appendix A.2 (dropout on all layers).
    """

    def __init__(self, dropout: float = 0.1, **kwargs: Any):
        super().__init__(**kwargs)
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def call(self, inputs, residual, training=None):
        # Keras' LayerNorm takes its inputs as they come.
        inputs, residual = (ops.cast(x, self.compute_dtype) for x in (inputs, residual))
        if keras.backend.backend() != "tensorflow" or not training:
            summed = residual + self.dropout(inputs, training=training)
            return super().call(summed, training=training)
        from keras_bert.layers import tensorflow_kernels

        return tensorflow_kernels.trained_residual_normalization(
            inputs,
            residual,
            self.gamma,
            self.beta,
            self.epsilon,
            tensorflow_kernels.dropout_bits(ops.shape(inputs), self.dropout),
        )

    def get_config(self):
        return {**super().get_config(), "dropout": self.dropout.rate}
