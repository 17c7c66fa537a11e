"""The shape of a BERT model, its named sizes, and the published configuration files."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from keras_bert.errors import InputError

ACTIVATIONS = ("gelu_tanh", "gelu", "relu")

# Tokens that a pair takes at least: [CLS], two [SEP] and a token of each segment.
SHORTEST_SEQUENCE = 5

# Hidden sizes of the 24 published miniatures (Turc et al. 2019, arXiv:1908.08962), which come in
# 2, 4, 6, 8, 10 and 12 layers. Heads are hidden / 64, the intermediate size is 4 times hidden.
_MINIATURE_LAYERS = (2, 4, 6, 8, 10, 12)
_MINIATURE_HIDDEN = (128, 256, 512, 768)
_NAMED = {
    "tiny": (2, 128),
    "mini": (4, 256),
    "small": (4, 512),
    "medium": (8, 512),
    "base": (12, 768),
    "large": (24, 1024),
}

# Google's files say "gelu" and mean the tanh approximation; Hugging Face's "gelu" is exact.
_GOOGLE_ACTIVATIONS = {"gelu": "gelu_tanh", "relu": "relu"}
_HUGGING_FACE_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
}
_PUBLISHED_KEYS = {
    "vocab_size": "vocabulary_size",
    "num_hidden_layers": "num_layers",
    "hidden_size": "hidden_dim",
    "num_attention_heads": "num_heads",
    "intermediate_size": "intermediate_dim",
    "max_position_embeddings": "max_sequence_length",
    "type_vocab_size": "num_segments",
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "attention_dropout",
    "initializer_range": "initializer_range",
}
# Google's Chinese and multilingual files carry these; BERT does not use them.
_GOOGLE_UNUSED = {
    "directionality",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
    # The Model Garden's own.
    "backward_compatible",
}
# Hugging Face settings that change the network, with the only value this network has.
_HUGGING_FACE_REQUIRED = {
    "model_type": "bert",
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
}


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """The shape of a BERT model.

    The defaults are those of BERT-base, uncased.

    Args:
        vocabulary_size: int. Number of WordPiece tokens.
        num_layers: int. Number of transformer blocks.
        hidden_dim: int. Width of a token's representation; a multiple of `num_heads`.
        num_heads: int. Attention heads of each block.
        intermediate_dim: int. Width of the feed-forward layer.
        max_sequence_length: int. Rows of the position table, hence the longest input in tokens.
        num_segments: int. Rows of the segment table ("token types").
        dropout: float. Rate on embeddings and on each block's two outputs, 0 <= rate < 1.
        attention_dropout: float. Rate on attention probabilities, 0 <= rate < 1.
        activation: str. `"gelu_tanh"` (the original's), `"gelu"` (exact) or `"relu"`.
        layer_norm_epsilon: float. Added to the variance in layer normalisation.
        initializer_range: float. Standard deviation of the truncated normal initialiser.

    Raises:
        InputError: If a value breaks a rule; the message names the argument, the rule and the
            value.

    Example:

    ```python
    config = BertConfig.from_name("base")
    small = BertConfig(vocabulary_size=8000, num_layers=4, hidden_dim=256, num_heads=4,
                       intermediate_dim=1024)
    ```

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 3 and appendix A.2.
    """

    vocabulary_size: int = 30522
    num_layers: int = 12
    hidden_dim: int = 768
    num_heads: int = 12
    intermediate_dim: int = 3072
    max_sequence_length: int = 512
    num_segments: int = 2
    dropout: float = 0.1
    attention_dropout: float = 0.1
    activation: str = "gelu_tanh"
    layer_norm_epsilon: float = 1e-12
    initializer_range: float = 0.02

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type is int and (type(value) is not int or value < 1):
                raise InputError(
                    f"`{field.name}` must be a positive integer. Received: {field.name}={value!r}"
                )
            if field.type is float and (
                isinstance(value, bool) or not isinstance(value, int | float)
            ):
                raise InputError(
                    f"`{field.name}` must be a number. Received: {field.name}={value!r}"
                )
        if self.hidden_dim % self.num_heads:
            raise InputError(
                "`hidden_dim` must be a multiple of `num_heads`. "
                f"Received: hidden_dim={self.hidden_dim}, num_heads={self.num_heads}"
            )
        for name in ("dropout", "attention_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(
                    f"`{name}` must be at least 0 and below 1. "
                    f"Received: {name}={getattr(self, name)}"
                )
        for name in ("layer_norm_epsilon", "initializer_range"):
            if not getattr(self, name) > 0:
                raise InputError(
                    f"`{name}` must be above 0. Received: {name}={getattr(self, name)}"
                )
        if self.activation not in ACTIVATIONS:
            raise InputError(
                f"`activation` must be one of {', '.join(ACTIVATIONS)}. "
                f"Received: activation={self.activation!r}"
            )

    @classmethod
    def names(cls) -> list[str]:
        """Returns every name that `from_name` knows."""
        miniatures = [f"L{n}-H{h}" for n in _MINIATURE_LAYERS for h in _MINIATURE_HIDDEN]
        return [*_NAMED, *miniatures]

    @classmethod
    def from_name(cls, name: str, **changes: Any) -> "BertConfig":
        """Returns a published size.

        Args:
            name: str. `"base"`, `"large"`, `"tiny"`, `"mini"`, `"small"`, `"medium"`, or one of
                the 24 miniatures as `"L4-H256"` (layers 2 to 12, hidden 128 to 768).
            **changes: Fields that differ, for example `vocabulary_size=8000`.

        Raises:
            InputError: If the name is unknown.
        """
        if name not in cls.names():
            raise InputError(
                f"`name` must be one of {', '.join(_NAMED)} or a miniature L<2..12>-H<128..768>. "
                f"Received: name={name!r}"
            )
        if name in _NAMED:
            num_layers, hidden_dim = _NAMED[name]
        else:
            num_layers, hidden_dim = (int(part[1:]) for part in name.split("-"))
        size = {
            "num_layers": num_layers,
            "hidden_dim": hidden_dim,
            "num_heads": hidden_dim // 64,
            "intermediate_dim": 4 * hidden_dim,
        }
        return cls(**{**size, **changes})

    @classmethod
    def from_file(cls, path: str | os.PathLike) -> "BertConfig":
        """Reads Google's `bert_config.json`, Hugging Face's `config.json` or `to_dict`'s fields.

        Raises:
            InputError: If the file is missing or damaged, lacks a field, holds an unknown one, or
                describes another network than BERT.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot read the model configuration: {error}") from error
        if not isinstance(values, dict):
            raise InputError(f"{path}: a model configuration must be a JSON object")
        try:
            return cls.from_dict(values)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "BertConfig":
        """Reads a dictionary in this project's, Google's or Hugging Face's form."""
        if "model_type" in values or "layer_norm_eps" in values:
            return cls._from_hugging_face(values)
        if "vocab_size" in values:
            return cls._from_google(values)
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InputError(f"unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
        return cls(**values)

    @classmethod
    def _from_google(cls, values):
        allowed = {*_PUBLISHED_KEYS, *_GOOGLE_UNUSED, "hidden_act", "embedding_size"}
        if unknown := sorted(set(values) - allowed):
            raise InputError(f"unknown key {unknown[0]!r} in a Google BERT configuration")
        # The Model Garden's files say it where embeddings are as wide as the network, too.
        if values.get("embedding_size") not in (None, values.get("hidden_size")):
            raise InputError(
                "`embedding_size` must be that of `hidden_size`, or null. "
                f"Received: embedding_size={values['embedding_size']!r}"
            )
        return cls._from_published(values, _GOOGLE_ACTIVATIONS, {})

    @classmethod
    def _from_hugging_face(cls, values):
        for key, required in _HUGGING_FACE_REQUIRED.items():
            if values.get(key, required) != required:
                raise InputError(
                    f"`{key}` must be {required!r} for a BERT encoder. "
                    f"Received: {key}={values[key]!r}"
                )
        epsilon = {"layer_norm_epsilon": values.get("layer_norm_eps", 1e-12)}
        return cls._from_published(values, _HUGGING_FACE_ACTIVATIONS, epsilon)

    @classmethod
    def _from_published(cls, values, activations, fields):
        fields = dict(fields)
        for key, name in _PUBLISHED_KEYS.items():
            if key in values:
                fields[name] = values[key]
            elif key == "vocab_size":
                raise InputError("the key 'vocab_size' is missing")
        activation = values.get("hidden_act", "gelu")
        if activation not in activations:
            raise InputError(
                f"`hidden_act` must be one of {', '.join(activations)}. "
                f"Received: hidden_act={activation!r}"
            )
        return cls(**fields, activation=activations[activation])

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by this project's names."""
        return dataclasses.asdict(self)

    def to_hugging_face(self) -> dict[str, Any]:
        """Returns the fields by Hugging Face's names, as in a model directory's `config.json`."""
        activation = {"gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu"}[self.activation]
        fields = {key: getattr(self, name) for key, name in _PUBLISHED_KEYS.items()}
        return {
            "model_type": "bert",
            **fields,
            "hidden_act": activation,
            "layer_norm_eps": self.layer_norm_epsilon,
            "position_embedding_type": "absolute",
            "pad_token_id": 0,
        }

    def to_google(self) -> dict[str, Any]:
        """Returns the fields of a Google `bert_config.json`.

        Raises:
            InputError: If Google's format cannot say it: it has no exact GELU and no epsilon.
        """
        if self.activation == "gelu" or self.layer_norm_epsilon != 1e-12:
            raise InputError(
                "Google's format fixes the tanh GELU and epsilon 1e-12. "
                f"Received: activation={self.activation!r}, "
                f"layer_norm_epsilon={self.layer_norm_epsilon}"
            )
        fields = {key: getattr(self, name) for key, name in _PUBLISHED_KEYS.items()}
        return {**fields, "hidden_act": "relu" if self.activation == "relu" else "gelu"}
