"""LAMB: Adam for very large batches."""

from typing import Any

import keras
from keras import ops

from keras_bert.training.optimizer import BertAdamW


@keras.saving.register_keras_serializable("keras_bert")
class BertLamb(BertAdamW):
    """Adam whose step for each variable is as long as a share of the variable itself.

    With it BERT trains on batches of 32,768 sequences. It differs from Keras' Lamb: weight decay,
    0.01, is part of the step whose length is set; LayerNorm and biases neither decay nor have their
    step's length set; epsilon is 1e-6; gradients are clipped to a global norm of 1.

    Args:
        learning_rate: float or schedule.
        weight_decay: float.
        bias_correction: bool. As in the paper's algorithm; false as in the code published with it.
        **kwargs: Further arguments of `BertAdamW`.

    Example:

    ```python
    model.compile(BertLamb(WarmUpLinearDecay(2e-3, total_steps=8000, warmup_steps=800)), ...)
    ```

    References:
        - You et al. 2020, arXiv:1904.00962, algorithm 2; `LAMBOptimizer` in `lamb_optimizer.py` of
          google-research/albert.
    """

    def __init__(
        self,
        learning_rate: Any = 2e-3,
        *,
        weight_decay: float = 0.01,
        bias_correction: bool = True,
        name: str = "bert_lamb",
        **kwargs: Any,
    ):
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            bias_correction=bias_correction,
            name=name,
            **kwargs,
        )

    def _apply_weight_decay(self, variables):
        """It is part of the step."""

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        dtype = variable.dtype
        rate = ops.cast(learning_rate * self._rate_factors[index], dtype)
        gradient = ops.cast(gradient, dtype)
        momentum, velocity = self._momentums[index], self._velocities[index]
        self.assign_add(momentum, (gradient - momentum) * (1 - self.beta_1))
        self.assign_add(velocity, (ops.square(gradient) - velocity) * (1 - self.beta_2))
        mean, square = ops.convert_to_tensor(momentum), ops.convert_to_tensor(velocity)
        if self.bias_correction:
            step = ops.cast(self.iterations + 1, dtype)
            mean = mean / (1 - ops.power(ops.cast(self.beta_1, dtype), step))
            square = square / (1 - ops.power(ops.cast(self.beta_2, dtype), step))
        update = mean / (ops.sqrt(square) + self.epsilon)
        if self._is_adapted[index]:
            value = ops.convert_to_tensor(variable)
            if self.weight_decay:
                update = update + self.weight_decay * value
            length, own = ops.norm(update), ops.norm(value)
            ratio = ops.where(
                ops.logical_and(own > 0, length > 0), own / ops.maximum(length, 1e-30), 1.0
            )
            rate = rate * ops.cast(ratio, dtype)
        self.assign_sub(variable, rate * update)

    def build(self, variables):
        super().build(variables)
        self._is_adapted = [self._use_weight_decay(variable) for variable in variables]
