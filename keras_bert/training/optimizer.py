"""BERT's optimizer: Adam with decoupled decay, warm-up and linear decay."""

import re
from typing import Any

import keras
from keras import ops

from keras_bert.models.summed_gradients import known_norm
from keras_bert.ranges import Range, check_number

# What a variable is called within its layer: a bias, or the factor or offset of a normalisation.
_UNDECAYED_NAME = re.compile(r"(.+_)?bias|gamma|beta")
_LAYER_NORM = re.compile(r"(.+_)?layer_norm(alization)?(_\d+)?")
# Within the encoder of the first group; a layer of the user's may be called block_0 too.
_BLOCK = re.compile(
    r"((?:.*/)?)block_(\d+)/"
    r"(?:attention/(?:query_key_value|output)|(?:attention|output)_layer_norm)/.*"
)


@keras.saving.register_keras_serializable("keras_bert")
class WarmUpLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to the peak, then falls linearly to zero at `total_steps`.

    As in the reference the fall is counted from step 0, so that the rate drops a little when the
    warm-up ends: by `warmup_steps / total_steps` of the peak. With `continuous` it begins there, as
    in the recipes for fine-tuning of transformers; otherwise a warm-up of a tenth of the steps
    takes a tenth of the rate.

    Args:
        peak: float. Highest learning rate.
        total_steps: int. Optimizer steps of the whole run.
        warmup_steps: int. Steps of the rise; 0 for none.
        continuous: bool. Count the fall from the end of the warm-up.

    Raises:
        ValueError: If a number is out of range.

    Example:

    ```python
    WarmUpLinearDecay(1e-4, total_steps=1_000_000, warmup_steps=10_000)
    ```

    References:
        - `create_optimizer` in `optimization.py` of google-research/bert.
    """

    def __init__(
        self, peak: float, *, total_steps: int, warmup_steps: int = 0, continuous: bool = False
    ):
        check_number("`peak`", float, Range(0), peak)
        if not total_steps >= 1 or not 0 <= warmup_steps <= total_steps:
            raise ValueError(
                "`total_steps` must be positive and `warmup_steps` lie between 0 and it. "
                f"Received: total_steps={total_steps}, warmup_steps={warmup_steps}"
            )
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.continuous = continuous

    def __call__(self, step):
        step = ops.cast(step, "float32")
        start = self.warmup_steps if self.continuous else 0
        steps = max(self.total_steps - start, 1)
        decayed = self.peak * ops.maximum(1.0 - (step - start) / steps, 0.0)
        if not self.warmup_steps:
            return decayed
        rising = self.peak * step / self.warmup_steps
        return ops.where(step < self.warmup_steps, rising, decayed)

    def get_config(self):
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "continuous": self.continuous,
        }


@keras.saving.register_keras_serializable("keras_bert")
class BertAdamW(keras.optimizers.AdamW):
    """Adam as BERT was trained with it.

    It differs from Keras' AdamW in every default: epsilon 1e-6, decay 0.01 except on LayerNorm and
    biases (`gamma`, `beta` and `bias` of any layer), gradients clipped to a global norm of 1, and,
    unless asked for, no correction of the moments' start at zero. Fine-tuning of small data is
    steadier with the correction (Mosbach et al. 2021, arXiv:2006.04884). With it epsilon is added
    to the corrected deviation, as in the algorithm of the paper and in torch. Keras adds it to the
    uncorrected one, which is 30 times smaller at the first step and 1.6 times at the 500th: small
    gradients, of which large models have many, would then count for less until the 1,000th.

    The norm of the latest gradient, before clipping, is in the variable `gradient_norm`.

    Args:
        learning_rate: float or schedule.
        weight_decay: float.
        bias_correction: bool.
        layer_decay: float in (0, 1]. Factor on the learning rate from each layer to the one below:
            heads and pooler learn at the full rate, the last block at `layer_decay` times it, the
            embeddings at `layer_decay ** (num_layers + 1)` times it. Weight decay goes along.
        epsilon: float.
        global_clipnorm: float or None.
        **kwargs: Further arguments of `keras.optimizers.AdamW`.

    Example:

    ```python
    model.compile(BertAdamW(WarmUpLinearDecay(1e-4, total_steps=1000, warmup_steps=100)), ...)
    ```

    Raises:
        ValueError: If a number is out of range.

    References:
        - Howard and Ruder 2018, arXiv:1801.06146, section 3.2 (discriminative fine-tuning).
        - `AdamWeightDecayOptimizer` in `optimization.py` of google-research/bert.
    """

    def __init__(
        self,
        learning_rate: Any = 1e-4,
        *,
        weight_decay: float = 0.01,
        bias_correction: bool = False,
        layer_decay: float = 1.0,
        epsilon: float = 1e-6,
        global_clipnorm: float | None = 1.0,
        name: str = "bert_adamw",
        **kwargs: Any,
    ):
        if isinstance(learning_rate, int | float):
            check_number("`learning_rate`", float, Range(0), learning_rate)
        check_number("`weight_decay`", float, Range(0), weight_decay or 0)
        check_number("`epsilon`", float, Range(0), epsilon)
        if global_clipnorm is not None:
            check_number("`global_clipnorm`", float, Range(0, open_below=True), global_clipnorm)
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            epsilon=epsilon,
            global_clipnorm=global_clipnorm,
            name=name,
            **kwargs,
        )
        if not 0 < layer_decay <= 1:
            raise ValueError(
                f"`layer_decay` must be above 0 and at most 1. Received: layer_decay={layer_decay}"
            )
        self.bias_correction = bias_correction
        self.layer_decay = layer_decay
        self._rate_factors: list[float] = []
        self._is_undecayed: list[bool] = []
        self._is_decayed: list[bool] = []
        self.gradient_norm = keras.Variable(
            0.0, trainable=False, aggregation="mean", name="gradient_norm"
        )

    def build(self, variables):
        self._is_undecayed = [is_undecayed(variable.path) for variable in variables]
        self._rate_factors = _rate_factors([v.path for v in variables], self.layer_decay)
        super().build(variables)
        self._is_decayed = [
            bool(self.weight_decay) and self._use_weight_decay(v) for v in variables
        ]

    def _use_weight_decay(self, variable):
        # By path: Keras' own patterns see only a variable's last name. Besides what users exclude.
        is_undecayed = self._is_undecayed[self._get_variable_index(variable)]
        return not is_undecayed and super()._use_weight_decay(variable)

    def _clip_gradients(self, grads):
        # Dense, because the tables' gradients come as sparse rows with repetitions.
        grads = [None if g is None else ops.convert_to_tensor(g) for g in grads]
        norm = known_norm()
        if norm is None:
            norm = ops.sqrt(sum(_squared_norm(g) for g in grads if g is not None))
        self.gradient_norm.assign(norm)
        if not self.global_clipnorm:
            return super()._clip_gradients(grads)
        scale = ops.minimum(1.0, self.global_clipnorm / ops.maximum(norm, 1e-12))
        return [None if g is None else g * ops.cast(scale, g.dtype) for g in grads]

    def _apply_weight_decay(self, variables):
        if self._updates_in_one_pass():
            return  # It is done with the update.
        # The base class knows one rate for all and what to do under each strategy: it is called
        # for the variables of one layer after the other.
        weight_decay = self.weight_decay
        groups: dict[float, list] = {}
        for variable in variables:
            groups.setdefault(self._rate_factor(variable), []).append(variable)
        try:
            for factor, group in groups.items():
                self.weight_decay = weight_decay and weight_decay * factor
                super()._apply_weight_decay(group)
        finally:
            self.weight_decay = weight_decay

    def _rate_factor(self, variable) -> float:
        return self._rate_factors[self._get_variable_index(variable)]

    def update_step(self, gradient, variable, learning_rate):
        learning_rate = learning_rate * self._rate_factor(variable)
        if self._updates_in_one_pass():
            self._update_in_one_pass(gradient, variable, learning_rate)
            return
        if not self.bias_correction:
            # The base class multiplies its rate by this factor, which therefore cancels.
            step = ops.cast(self.iterations + 1, "float32")
            factor = self._deviation_share() / (1.0 - ops.power(self.beta_1, step))
            super().update_step(gradient, variable, learning_rate / factor)
            return
        epsilon = self.epsilon
        try:
            self.epsilon = epsilon * self._deviation_share()
            super().update_step(gradient, variable, learning_rate)
        finally:
            self.epsilon = epsilon

    def _deviation_share(self) -> Any:
        """How much of the gradients' deviation Adam's second moment holds so far."""
        step = ops.cast(self.iterations + 1, "float32")
        return ops.sqrt(1.0 - ops.power(self.beta_2, step))

    def _updates_in_one_pass(self) -> bool:
        return keras.backend.backend() == "tensorflow" and not self.amsgrad

    def _update_in_one_pass(self, gradient, variable, learning_rate):
        """The update as one operation of TensorFlow; Keras' takes a dozen passes over memory."""
        import tensorflow as tf

        index = self._get_variable_index(variable)
        states = self._momentums[index].value, self._velocities[index].value
        dtype = tf.as_dtype(variable.dtype)

        def power(beta):
            # The operation corrects the bias by 1 - power: by nothing where the power is zero.
            if not self.bias_correction:
                return tf.zeros([], dtype)
            return tf.cast(tf.pow(beta, tf.cast(self.iterations + 1, tf.float32)), dtype)

        epsilon = self.epsilon * (self._deviation_share() if self.bias_correction else 1)
        variable = variable.value if isinstance(variable, keras.Variable) else variable
        if self._is_decayed[index]:
            # The product becomes the variable's memory; a subtraction would read it once more.
            variable.assign(variable * tf.cast(1 - self.weight_decay * learning_rate, dtype))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=states[0].handle,
            v=states[1].handle,
            beta1_power=power(self.beta_1),
            beta2_power=power(self.beta_2),
            lr=tf.cast(learning_rate, dtype),
            beta1=tf.cast(self.beta_1, dtype),
            beta2=tf.cast(self.beta_2, dtype),
            epsilon=tf.cast(epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )

    def get_config(self):
        config = super().get_config()
        return {
            **config,
            "bias_correction": self.bias_correction,
            "layer_decay": self.layer_decay,
        }


def _squared_norm(gradient: Any) -> Any:
    """The sum of a tensor's squares in float32."""
    gradient = ops.cast(gradient, "float32")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return 2 * tf.nn.l2_loss(gradient)  # One pass over memory instead of three.
    return ops.sum(ops.square(gradient))


def is_undecayed(path: str) -> bool:
    """Whether weight decay leaves a variable out: biases, and whatever LayerNorm has.

    The names of the layers and models around it do not count.

    Args:
        path: str. As `keras.Variable.path`.
    """
    *layers, name = path.split("/")
    is_layer_norm = bool(layers) and _LAYER_NORM.fullmatch(layers[-1])
    return bool(_UNDECAYED_NAME.fullmatch(name) or is_layer_norm)


def _rate_factors(paths: list[str], layer_decay: float) -> list[float]:
    """Learning rate of each variable as a share of the full one."""
    layers: dict[str, int] = {}  # of each encoder, by its own path
    for found in filter(None, map(_BLOCK.fullmatch, paths)):
        layers[found[1]] = max(layers.get(found[1], 0), int(found[2]) + 1)
    return [layer_decay ** _layers_above(path, layers) for path in paths]


def _layers_above(path: str, layers: dict[str, int]) -> int:
    """By how many layers a variable is below what stands on an encoder; 0 for all other ones."""
    for encoder, count in layers.items():
        if path.startswith(encoder):
            inner = path.removeprefix(encoder)
            if inner.startswith("embeddings/"):
                return count + 1
            if block := re.match(r"block_(\d+)/", inner):
                return count - int(block[1])
    return 0
