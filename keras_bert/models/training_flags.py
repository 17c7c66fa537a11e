"""What is set on a model after it was made: frozen or quantized layers, LoRA, recomputation.

It travels with the model's configuration, so that a model that was saved goes on training as it
did. Layers go by the attributes that hold them, such as `encoder.blocks.0.attention`.
"""

from collections.abc import Iterator
from typing import Any

import keras

from keras_bert.errors import InputError

# Attributes of Keras for all layers and variables together, whatever they are called.
_BOOKKEEPING = (
    "_layers",
    "_trainable_variables",
    "_non_trainable_variables",
    "_metrics",
    "_seed_generators",
)


def training_flags(model: keras.Layer) -> dict[str, Any]:
    """Returns the flags as JSON: `trainable` where it is not that of the layer around it."""
    flags: dict[str, Any] = {
        "trainable": {},
        "lora": {},
        "quantized": {},
        "gradient_checkpointing": [],
    }
    for path, part, around in _walk(model):
        if part is not model and part.trainable != around.trainable:
            flags["trainable"][path] = part.trainable
        if getattr(part, "lora_enabled", False):
            flags["lora"][path] = {"rank": part.lora_rank, "alpha": part.lora_alpha}
        if getattr(part, "quantization_mode", None):
            flags["quantized"][path] = part.dtype_policy.name
        if getattr(part, "gradient_checkpointing", False):
            flags["gradient_checkpointing"].append(path)
    return flags


def restore_training_flags(model: keras.Layer, flags: dict[str, Any]) -> None:
    """Sets the flags of another model of the same layers; its variables must be there.

    Raises:
        InputError: If a flag is about a layer that the model lacks.
    """
    layers = {path: part for path, part, _ in _walk(model)}
    for path, lora in flags["lora"].items():
        _known(path, layers).enable_lora(lora["rank"], lora_alpha=lora["alpha"])
    for path, policy in flags["quantized"].items():
        _known(path, layers).dtype_policy = policy
    for path in flags["gradient_checkpointing"]:
        _known(path, layers).gradient_checkpointing = True
    # Variables that LoRA and quantization add too.
    parts = list(_walk(model))
    layers = {path: part for path, part, _ in parts}
    for path in flags["trainable"]:
        _known(path, layers)
    # From the outside to the inside: a layer's flag sets those of all in it.
    for path, part, around in parts:
        trainable = flags["trainable"].get(path, around.trainable)
        if part is not model and part.trainable != trainable:
            part.trainable = trainable


def _known(path: str, layers: dict[str, Any]) -> Any:
    if path not in layers:
        raise InputError(
            f"`training_flags` must name layers that the model has. Received: {path!r}"
        )
    return layers[path]


def _walk(model: keras.Layer) -> Iterator[tuple[str, Any, Any]]:
    """All layers and variables, each after the layer around it: path, itself, that layer."""
    seen: set[int] = set()

    def walk(path, part, around):
        if id(part) in seen:
            return
        seen.add(id(part))
        yield path, part, around
        if isinstance(part, keras.Layer):
            for name, inner in _inner(part):
                yield from walk(f"{path}.{name}" if path else name, inner, part)

    yield from walk("", model, model)


def _inner(layer: keras.Layer) -> Iterator[tuple[str, Any]]:
    """The layers and variables that a layer's attributes hold."""
    attributes = [item for item in vars(layer).items() if item[0] not in _BOOKKEEPING]
    # Public names first, where two hold the same.
    for name, value in sorted(attributes, key=lambda item: (item[0].startswith("_"), item[0])):
        members = {name: value}
        if isinstance(value, (list, tuple)):
            members = {f"{name}.{index}": member for index, member in enumerate(value)}
        elif isinstance(value, dict):
            members = {f"{name}.{key}": member for key, member in value.items()}
        for path, member in members.items():
            if isinstance(member, (keras.Layer, keras.Variable)):
                yield path, member
