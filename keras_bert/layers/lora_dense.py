"""A dense layer whose LoRA additions are saved as they are."""

from typing import Any

import keras
import numpy as np
from keras import ops

_ADDITIONS = ("lora_kernel_a", "lora_kernel_b")
_SCALE = "lora_scale"


@keras.saving.register_keras_serializable("keras_bert")
class LoraDense(keras.layers.Dense):
    """`keras.layers.Dense` that goes on with its LoRA additions after loading.

    Keras adds them to the kernel when it saves, and starts both factors from zeros when it loads:
    neither gets a gradient then, and training stands still.

    Args:
        *args, **kwargs: Arguments of `keras.layers.Dense`.

    Call arguments:
        inputs: floats `(..., width)`.

    Returns:
        Floats `(..., units)`.

    Example:

    ```python
    layer = LoraDense(768)
    layer.build((None, 768))
    layer.enable_lora(8, lora_alpha=16)
    ```

    References:
        - Hu et al. 2021, arXiv:2106.09685.
    """

    def quantize(self, mode: Any = None, type_check: bool = True, config: Any = None) -> None:
        # Keras asks for its own class, because other ones may compute something else.
        super().quantize(mode, type_check=False, config=config)

    def save_own_variables(self, store: Any) -> None:
        if not self.lora_enabled or self.quantization_mode is not None:
            super().save_own_variables(store)
            return
        # A store takes each name once.
        values: dict[str, Any] = {}
        super().save_own_variables(values)
        values["0"] = self._kernel
        values |= {name: getattr(self, name) for name in _ADDITIONS}
        values[_SCALE] = np.array(self.lora_alpha / self.lora_rank, "float32")
        for name, value in values.items():
            store[name] = value

    def load_own_variables(self, store: Any) -> None:
        names = list(store.keys())
        own = {name: store[name] for name in names if name not in (*_ADDITIONS, _SCALE)}
        if _SCALE not in names:
            # Written without additions: they start anew, so that the sum is the kernel.
            started = [getattr(self, name) for name in _ADDITIONS] if self.lora_enabled else []
            values = [np.array(variable) for variable in started]
            super().load_own_variables(own)
            for variable, value in zip(started, values, strict=True):
                variable.assign(value)
            return
        super().load_own_variables(own)
        first, second = (np.array(store[name]) for name in _ADDITIONS)
        if self.lora_enabled and self.lora_kernel_a.shape == first.shape:
            self.lora_kernel_a.assign(first)
            self.lora_kernel_b.assign(second)
            return
        change = np.array(store[_SCALE]) * (first @ second)
        self._kernel.assign(ops.cast(self._kernel, "float32") + change)
