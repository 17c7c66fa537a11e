"""A tag on every token without fine-tuning: a BiLSTM on features of the frozen encoder."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_bert.checkpoints.published import PublishedTensor, feature_tagger_tensors
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.layers.layer_combination import LayerCombination
from keras_bert.models.feature_mixes import MIXES
from keras_bert.models.labels import LabelledModel, checked_labels

_NUM_LSTM_LAYERS = 2


@keras.saving.register_keras_serializable("keras_bert")
class BertFeatureTagger(LabelledModel):
    """A frozen encoder, a mix of its layers, a two-layer BiLSTM and a dense layer on every token.

    The BiLSTM reads all tokens of a row, those inside words too: the paper does not say, and so
    the model's inputs are those of a `BertTagger`. Padding, which must follow the tokens, has no
    part in either direction. The encoder runs without dropout and gets no gradient.

    Logits outside `padding_mask` mean nothing; give them no weight in the loss.

    Args:
        config: `BertConfig`.
        num_tags: int. Taken from `labels` where those are given.
        labels: sequence of str or None. Names of the tags; they travel with the checkpoint.
        mix: str. The features of a token: `"embeddings"`, `"second_to_last"`, `"last"`,
            `"weighted_sum_last_4"`, `"concat_last_4"` or `"weighted_sum_all"` (all layers but the
            embeddings). The last four are all where there are fewer.
        lstm_dim: int. Units of each direction.
        unpadding: bool or None. See `BertEncoder`.

    Call arguments:
        inputs: the encoder's dictionary.
        training: bool.

    Returns:
        Logits, float32 `(batch, length, num_tags)`.

    Raises:
        InputError: If `num_tags` and `labels` do not agree, `mix` is unknown or `lstm_dim` is not
            positive.

    Example:

    ```python
    model = BertFeatureTagger.from_checkpoint("my-bert", labels=["O", "B-PER", "I-PER"])
    model.compile(keras.optimizers.Adam(1e-3), loss)
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 5.3 and table 7.
    """

    architecture = "BertFeatureTagger"
    new_heads = (("output_", "feature_lstm/", "feature_mix/"),)
    needs_padding_mask = True

    def __init__(
        self,
        config: BertConfig,
        *,
        num_tags: int | None = None,
        labels: Sequence[str] | None = None,
        mix: str = "concat_last_4",
        lstm_dim: int = 768,
        unpadding: bool | None = None,
        **kwargs: Any,
    ):
        labels = checked_labels(labels, num_tags, "num_tags")
        if not isinstance(mix, str) or mix not in MIXES:
            raise InputError(f"`mix` must be one of {', '.join(MIXES)}. Received: mix={mix!r}")
        if type(lstm_dim) is not int or lstm_dim < 1:
            raise InputError(
                f"`lstm_dim` must be a positive integer. Received: lstm_dim={lstm_dim!r}"
            )
        super().__init__(config, labels=labels, unpadding=unpadding, pooler=False, **kwargs)
        self.num_tags = len(labels)
        self.mix = mix
        self.lstm_dim = lstm_dim
        self.encoder.trainable = False
        self.combination = combination_of(mix, self.config.num_layers, dtype=self.dtype_policy)
        self.lstm_layers = [
            keras.layers.Bidirectional(
                keras.layers.LSTM(
                    lstm_dim,
                    # TensorFlow cannot make an orthogonal kernel, Keras' default, in bfloat16.
                    recurrent_initializer="glorot_uniform",
                    return_sequences=True,
                    dtype=self.dtype_policy,
                ),
                dtype=self.dtype_policy,
                name=f"lstm_{index}",
            )
            for index in range(_NUM_LSTM_LAYERS)
        ]
        self.classification_head = self._make_head(
            self.num_tags, "classification_head", dropout=self.config.head_dropout
        )
        self._build_weights()

    def _build_layers(self):
        hidden = (None, None, self.config.hidden_dim)
        states = [hidden] * (self.config.num_layers + 1)
        self.combination.build(states)
        hidden = self.combination.compute_output_shape(states)
        for layer in self.lstm_layers:
            layer.build(hidden)
            hidden = layer.compute_output_shape(hidden)
        self.classification_head.build(hidden)

    def call(self, inputs, training=None):
        outputs = self.encoder(inputs, training=False, return_hidden_states=True)
        hidden = self.combination([ops.stop_gradient(x) for x in outputs["hidden_states"]])
        # Or the direction from the end would begin with the padding.
        mask = ops.cast(inputs["padding_mask"], "bool")
        for layer in self.lstm_layers:
            hidden = layer(hidden, mask=mask, training=training)
        # A new tensor: Keras would hand the mask on to the loss.
        hidden = hidden * ops.cast(ops.expand_dims(mask, -1), hidden.dtype)
        return self.classification_head(hidden, training=training)

    @classmethod
    def _settings_of(cls, checkpoint):
        own = (checkpoint.settings.get("task_specific_params") or {}).get("feature_tagger") or {}
        if unknown := sorted(set(own) - {"mix", "lstm_dim"}):
            raise InputError(
                f"{checkpoint.place}: `task_specific_params.feature_tagger` has mix and lstm_dim. "
                f"Received: {unknown[0]!r}"
            )
        return {**super()._settings_of(checkpoint), **own}

    def checkpoint_settings(self):
        own = {"feature_tagger": {"mix": self.mix, "lstm_dim": self.lstm_dim}}
        settings = super().checkpoint_settings()
        return {**settings, "task_specific_params": {**self.task_specific_params, **own}}

    def published_tensors(self) -> list[PublishedTensor]:
        return feature_tagger_tensors(self)

    def get_config(self):
        return {**super().get_config(), "mix": self.mix, "lstm_dim": self.lstm_dim}


def combination_of(mix: str, num_layers: int, **kwargs: Any) -> LayerCombination:
    """Returns the layer that makes a mix, see `BertFeatureTagger`, of `num_layers + 1` states.

    Args:
        mix: str.
        num_layers: int. Of the encoder.
        **kwargs: Further arguments of the layer.
    """
    last_four = range(-min(4, num_layers), 0)
    layers = {
        "embeddings": [0],
        "second_to_last": [-2],
        "last": [-1],
        "weighted_sum_last_4": last_four,
        "concat_last_4": last_four,
        "weighted_sum_all": range(1, num_layers + 1),
    }
    mode = "weighted_sum" if mix.startswith("weighted_sum") else "concatenation"
    return LayerCombination(layers[mix], mode, name="combination", **kwargs)
