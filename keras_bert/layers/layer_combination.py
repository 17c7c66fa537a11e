"""Features from several layers of an encoder."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_bert.errors import InputError

MODES = ("weighted_sum", "concatenation")


@keras.saving.register_keras_serializable("keras_bert")
class LayerCombination(keras.layers.Layer):
    """Joins some of an encoder's hidden states, for feature-based use without fine-tuning.

    Args:
        layers: sequence of int. Places in `hidden_states`: 0 is the embeddings, -1 the last layer.
        mode: str. `"concatenation"`, or `"weighted_sum"`: weights that are trained, positive and 1
            together, times one factor for all.

    Call arguments:
        hidden_states: list of floats `(batch, length, hidden_dim)`, as the encoder returns them
            for `return_hidden_states=True`.

    Returns:
        Floats `(batch, length, hidden_dim)`, or `(batch, length, len(layers) * hidden_dim)` for a
        concatenation.

    Raises:
        InputError: If `layers` is empty or `mode` unknown.

    Example:

    ```python
    states = encoder(features, return_hidden_states=True)["hidden_states"]
    last_four = LayerCombination([-4, -3, -2, -1], mode="concatenation")(states)
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 5.3 and table 7.
        - Peters et al. 2018, arXiv:1802.05365, equation 1 (the weights).
    """

    def __init__(self, layers: Sequence[int], mode: str = "weighted_sum", **kwargs: Any):
        super().__init__(**kwargs)
        if not layers:
            raise InputError("`layers` must name one layer at least. Received: layers=[]")
        if mode not in MODES:
            raise InputError(f"`mode` must be one of {', '.join(MODES)}. Received: mode={mode!r}")
        # Not `layers`, which Keras takes for the layers inside of this one.
        self.places = list(layers)
        self.mode = mode

    def build(self, hidden_states_shape):
        if self.mode == "weighted_sum":
            self.weighting = self.add_weight((len(self.places),), "zeros", name="weighting")
            self.factor = self.add_weight((1,), "ones", name="factor")

    def call(self, hidden_states):
        chosen = [hidden_states[layer] for layer in self.places]
        if self.mode == "concatenation":
            return ops.concatenate(chosen, axis=-1)
        shares = ops.unstack(ops.softmax(self.weighting), len(chosen))
        weighted = (share * state for share, state in zip(shares, chosen, strict=True))
        return self.factor * sum(weighted)

    def compute_output_shape(self, hidden_states_shape):
        *shape, width = hidden_states_shape[0]
        if self.mode == "concatenation" and width is not None:
            width *= len(self.places)
        return (*shape, width)

    def get_config(self):
        return {**super().get_config(), "layers": self.places, "mode": self.mode}
