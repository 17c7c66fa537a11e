"""The shape of a BERT model, its named sizes, and the published configuration files."""

import dataclasses
import math
import os
from pathlib import Path
from typing import Any

from keras_bert import published_configurations as published
from keras_bert.errors import InputError
from keras_bert.reading import read_json_object

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
        classifier_dropout: float or None. Rate before the layer of classes, tags or scores, if it
            is not `dropout`.

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
    classifier_dropout: float | None = None

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type is int and (type(value) is not int or value < 1):
                raise InputError(
                    f"`{field.name}` must be a positive integer. Received: {field.name}={value!r}"
                )
            is_unset = value is None and field.default is None
            if (
                field.type is not int
                and field.type is not str
                and not (is_unset or _is_number(value))
            ):
                raise InputError(
                    f"`{field.name}` must be a number. Received: {field.name}={value!r}"
                )
        if self.hidden_dim % self.num_heads:
            raise InputError(
                "`hidden_dim` must be a multiple of `num_heads`. "
                f"Received: hidden_dim={self.hidden_dim}, num_heads={self.num_heads}"
            )
        for name in ("dropout", "attention_dropout", "classifier_dropout"):
            if getattr(self, name) is not None and not 0 <= getattr(self, name) < 1:
                raise InputError(
                    f"`{name}` must be at least 0 and below 1. "
                    f"Received: {name}={getattr(self, name)}"
                )
        for name in ("layer_norm_epsilon", "initializer_range"):
            if not getattr(self, name) > 0:
                raise InputError(
                    f"`{name}` must be above 0. Received: {name}={getattr(self, name)}"
                )
        if not isinstance(self.activation, str) or self.activation not in ACTIVATIONS:
            raise InputError(
                f"`activation` must be one of {', '.join(ACTIVATIONS)}. "
                f"Received: activation={self.activation!r}"
            )

    @property
    def head_dropout(self) -> float:
        """The rate before the layer of classes, tags or scores."""
        return self.dropout if self.classifier_dropout is None else self.classifier_dropout

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
        values = read_json_object(path)
        # A bare configuration beside weights of Hugging Face's is theirs, and its GELU exact.
        is_hugging_face = any(
            (Path(path).parent / name).exists()
            for name in ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
        )
        try:
            return cls.from_dict(values, hugging_face=is_hugging_face)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, hugging_face: bool = False) -> "BertConfig":
        """Reads a dictionary in this project's, Google's or Hugging Face's form.

        Args:
            values: dict.
            hugging_face: bool. The form is known to be Hugging Face's, unless it is this
                project's. Otherwise the keys decide.

        Raises:
            InputError: If a key is missing or unknown, or its value is not one of this network's.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        if "vocabulary_size" in values or not (hugging_face or _is_published(values)):
            if unknown := sorted(set(values) - known):
                raise InputError(
                    f"unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}"
                )
            return cls(**values)
        hugging_face = hugging_face or published.is_hugging_face(values)
        return cls.from_published(
            values, published.HUGGING_FACE if hugging_face else published.GOOGLE
        )

    @classmethod
    def from_published(cls, values: dict[str, Any], form: published.Format) -> "BertConfig":
        """Reads a dictionary in one of the published forms, see `published_configurations`."""
        fields = form.fields_of(values)
        try:
            return cls(**fields)
        except InputError as error:
            raise InputError(form.in_its_words(str(error))) from error

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields by this project's names."""
        return dataclasses.asdict(self)

    def to_hugging_face(self) -> dict[str, Any]:
        """Returns the fields by Hugging Face's names, as in a model directory's `config.json`."""
        activation = {"gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu"}[self.activation]
        fields = {key: getattr(self, name) for key, name in published.SHARED_FIELDS.items()}
        return {
            "model_type": "bert",
            **fields,
            "hidden_act": activation,
            "layer_norm_eps": self.layer_norm_epsilon,
            "classifier_dropout": self.classifier_dropout,
            "position_embedding_type": "absolute",
            "pad_token_id": 0,
        }

    def to_google(self, *, target: str = "Google's format") -> dict[str, Any]:
        """Returns the fields of a Google `bert_config.json`.

        Args:
            target: str. What is written, for messages.

        Raises:
            InputError: If Google's format cannot say it: it has no exact GELU, no epsilon and no
                dropout of its own before the classifier.
        """
        if self.head_dropout != self.dropout:
            raise InputError(
                f"{target} has one rate for `dropout` and `classifier_dropout`, which must be "
                f"equal in the source's configuration. Received: dropout={self.dropout}, "
                f"classifier_dropout={self.classifier_dropout}"
            )
        if self.activation == "gelu" or self.layer_norm_epsilon != 1e-12:
            raise InputError(
                f"{target} fixes the tanh GELU and epsilon 1e-12. With "
                '`"hidden_act": "gelu_new", "layer_norm_eps": 1e-12` in its `config.json` a source '
                "can be written, and its outputs change. Received: "
                f"activation={self.activation!r}, layer_norm_epsilon={self.layer_norm_epsilon}"
            )
        fields = {key: getattr(self, name) for key, name in published.SHARED_FIELDS.items()}
        return {**fields, "hidden_act": "relu" if self.activation == "relu" else "gelu"}


def _is_published(values: dict[str, Any]) -> bool:
    return not {"vocab_size", "model_type", "architectures"}.isdisjoint(values)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -math.inf < value < math.inf
