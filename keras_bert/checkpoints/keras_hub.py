"""KerasHub's presets: `BertBackbone` (the encoder with its pooler) and `BertTextClassifier`.

KerasHub has no next-sentence head, and its masked LM head is another function: exact GELU and
epsilon 1e-5 after an encoder with the tanh approximation and 1e-12. These heads are left out.
"""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_bert.checkpoints.checkpoint import Checkpoint, join_heads, label_settings
from keras_bert.config import BertConfig
from keras_bert.errors import InputError

_LOGGER = logging.getLogger(__name__)
_CONFIG = "config.json"
_TASK = "task.json"
_CLASSIFIER = {"architectures": ["BertForSequenceClassification"]}


def is_checkpoint(path: str | os.PathLike) -> bool:
    """Whether a path is a preset's folder, or no folder but a preset's name or address."""
    if not Path(path).is_dir():
        import keras_hub

        return "://" in str(path) or str(path) in keras_hub.models.BertBackbone.presets
    try:
        return _registered_name(Path(path) / _CONFIG).startswith("keras_hub>")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def prefixes(settings: dict[str, Any]) -> tuple[str, ...]:
    """Returns how the published names of the tensors begin that a preset has a place for.

    Taggers and multiple choice have tensors of the same names as a classifier of texts.

    Args:
        settings: dict. `Checkpoint.settings`.
    """
    is_classifier = settings.get("architectures") == _CLASSIFIER["architectures"]
    return ("bert/", "output_") if is_classifier else ("bert/",)


def read(path: str | os.PathLike) -> Checkpoint:
    """Reads a preset: a folder, a name (`"bert_base_en_uncased"`) or an address (`"hf://..."`).

    Class weights are read from folders that `BertTextClassifier.save_to_preset` made.

    Raises:
        InputError: If it cannot be loaded or is no BERT.
    """
    import keras_hub

    classifier = None
    try:
        task = _task(Path(path))
        if task == "BertTextClassifier":
            classifier = keras_hub.models.TextClassifier.from_preset(str(path), preprocessor=None)
            backbone = classifier.backbone
        else:
            backbone = keras_hub.models.Backbone.from_preset(str(path))
    except Exception as error:  # KerasHub raises many kinds, down to those of h5py.
        raise InputError(f"{path}: KerasHub cannot load the preset: {error}") from error
    if not isinstance(backbone, keras_hub.models.BertBackbone):
        raise InputError(f"{path}: must be a BertBackbone. Received: {type(backbone).__name__}")
    config = BertConfig(
        vocabulary_size=backbone.vocabulary_size,
        num_layers=backbone.num_layers,
        hidden_dim=backbone.hidden_dim,
        num_heads=backbone.num_heads,
        intermediate_dim=backbone.intermediate_dim,
        max_sequence_length=backbone.max_sequence_length,
        num_segments=backbone.num_segments,
        dropout=backbone.dropout,
        attention_dropout=backbone.dropout,
    )
    arrays = {
        name: join_heads(name, np.asarray(variable))
        for name, variable in _variables(backbone).items()
    }
    settings: dict[str, Any] = {}
    if classifier is not None:
        arrays |= {n: np.asarray(v) for n, v in _head_variables(classifier).items()}
        labels = [f"LABEL_{index}" for index in range(classifier.num_classes)]
        settings = {**_CLASSIFIER, **label_settings(labels)}
    elif task == "BertMaskedLM":
        _LOGGER.warning(
            "%s: the masked LM head is left out: it has exact GELU and epsilon 1e-5, where the "
            "encoder has the tanh approximation and 1e-12",
            path,
        )
    return Checkpoint(config, arrays, settings, place=str(path))


def make_backbone(config: BertConfig, **kwargs: Any) -> Any:
    """Returns a `BertBackbone` of this shape with random weights.

    Args:
        config: `BertConfig`.
        **kwargs: Further arguments of `keras_hub.models.BertBackbone`, such as `dtype`.
    """
    import keras_hub

    return keras_hub.models.BertBackbone(
        vocabulary_size=config.vocabulary_size,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        hidden_dim=config.hidden_dim,
        intermediate_dim=config.intermediate_dim,
        dropout=config.dropout,
        max_sequence_length=config.max_sequence_length,
        num_segments=config.num_segments,
        **kwargs,
    )


def write(checkpoint: Checkpoint, directory: str | os.PathLike) -> None:
    """Writes a preset's folder: a `BertTextClassifier` if that is what the model is.

    For raw strings, KerasHub's `from_preset` needs a `preprocessor` then.

    Raises:
        InputError: If KerasHub cannot say what the model is: its GELU is the tanh approximation,
            its epsilon 1e-12 and its two dropout rates are one; or if the pooler is missing.
    """
    import keras_hub

    config = checkpoint.config
    config.to_google()  # Raises for another GELU or epsilon.
    if config.dropout != config.attention_dropout:
        raise InputError(
            "KerasHub has one rate for `dropout` and `attention_dropout`. "
            f"Received: {config.dropout} and {config.attention_dropout}"
        )
    backbone = make_backbone(config)
    variables, model = _variables(backbone), backbone
    if "output_weights" in checkpoint.arrays and "output_" in prefixes(checkpoint.settings):
        model = keras_hub.models.BertTextClassifier(
            backbone,
            num_classes=checkpoint.arrays["output_weights"].shape[1],
            dropout=config.dropout,
        )
        variables |= _head_variables(model)
    if missing := [name for name in variables if name not in checkpoint.arrays]:
        raise InputError(f"{checkpoint.place}: {checkpoint.name_of(missing[0])} is missing")
    for name, variable in variables.items():
        variable.assign(checkpoint.arrays[name].reshape(variable.shape))
    model.save_to_preset(str(directory))


def read_vocabulary(path: str | os.PathLike) -> tuple[list[str], bool] | None:
    """Returns the tokens of a preset and whether it is uncased, or None if it has none."""
    import keras_hub

    try:
        tokenizer = keras_hub.models.BertTokenizer.from_preset(str(path))
    except (ValueError, FileNotFoundError):
        return None
    return list(tokenizer.get_vocabulary()), tokenizer.lowercase


def write_vocabulary(tokens: Sequence[str], lowercase: bool, directory: str | os.PathLike) -> None:
    """Adds a tokenizer to a preset's folder."""
    import keras_hub

    tokenizer = keras_hub.models.BertTokenizer(list(tokens), lowercase=lowercase)
    tokenizer.save_to_preset(str(directory))


def _registered_name(path: Path) -> str:
    return json.loads(path.read_text(encoding="utf-8"))["registered_name"]


def _task(path: Path) -> str | None:
    """The class of the model that a folder holds besides its backbone."""
    file = path / _TASK
    return _registered_name(file).removeprefix("keras_hub>") if file.is_file() else None


def _head_variables(classifier: Any) -> dict[str, Any]:
    dense = classifier.output_dense
    return {"output_weights": dense.kernel, "output_bias": dense.bias}


def _variables(backbone: Any) -> dict[str, Any]:
    """The variables of a backbone under the published names of their tensors."""
    embeddings = "bert/embeddings"
    variables = {
        f"{embeddings}/word_embeddings": backbone.token_embedding.embeddings,
        f"{embeddings}/position_embeddings": backbone.position_embedding.position_embeddings,
        f"{embeddings}/token_type_embeddings": backbone.segment_embedding.embeddings,
        **_layer_norm(embeddings, backbone.embeddings_layer_norm),
        **_dense("bert/pooler/dense", backbone.pooled_dense),
    }
    for index, layer in enumerate(backbone.transformer_layers):
        name, attention = f"bert/encoder/layer_{index}", layer._self_attention_layer
        variables |= {
            **_dense(f"{name}/attention/self/query", attention.query_dense),
            **_dense(f"{name}/attention/self/key", attention.key_dense),
            **_dense(f"{name}/attention/self/value", attention.value_dense),
            **_dense(f"{name}/attention/output/dense", attention.output_dense),
            **_layer_norm(f"{name}/attention/output", layer._self_attention_layer_norm),
            **_dense(f"{name}/intermediate/dense", layer._feedforward_intermediate_dense),
            **_dense(f"{name}/output/dense", layer._feedforward_output_dense),
            **_layer_norm(f"{name}/output", layer._feedforward_layer_norm),
        }
    return variables


def _dense(name: str, layer: Any) -> dict[str, Any]:
    return {f"{name}/kernel": layer.kernel, f"{name}/bias": layer.bias}


def _layer_norm(name: str, layer: Any) -> dict[str, Any]:
    return {f"{name}/LayerNorm/gamma": layer.gamma, f"{name}/LayerNorm/beta": layer.beta}
