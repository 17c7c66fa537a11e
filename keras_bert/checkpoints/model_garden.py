"""Checkpoint folders of the TensorFlow Model Garden (`official.nlp` of tf-models-official).

A folder holds `bert_config.json`, or the `params.yaml` of a training run, `bert_model.ckpt` and
`vocab.txt`. The checkpoint is object-based: an encoder's, or a pre-trainer's with heads. Reading
and writing needs TensorFlow, under any backend.

`BertPretrainerV2` predicts the next sentence with a pooler of its own, and its encoder's is not
trained then; that head's pooler is the one which is read.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from keras_bert.atomic import write_json
from keras_bert.checkpoints import google, object_graph
from keras_bert.checkpoints.checkpoint import Checkpoint, join_heads
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.published_configurations import SHARED_FIELDS, TANH_ACTIVATIONS, Format
from keras_bert.reading import shown

PARAMETERS = "params.yaml"
# Published names of the tensors that the format has a place for begin so.
PREFIXES = ("bert/", "cls/predictions/", "cls/seq_relationship/")

# Names by which a checkpoint or a model holds the encoder or the model around it.
_HOLDERS = ("model", "encoder", "encoder_network", "_network")


# The keys of `task.model.encoder.bert` of `params.yaml`; these are as in `bert_config.json`.
_SHARED = (
    *("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size"),
    *("max_position_embeddings", "type_vocab_size", "initializer_range"),
)
_ENCODER = Format(
    "a Model Garden encoder's configuration",
    fields={
        **{key: SHARED_FIELDS[key] for key in _SHARED},
        "num_layers": "num_layers",
        "dropout_rate": "dropout",
        "attention_dropout_rate": "attention_dropout",
    },
    activation="hidden_activation",
    activations=TANH_ACTIVATIONS,
    only={"norm_first": False, "output_range": None},
    harmless=(
        *("embedding_size", "return_all_encoder_outputs", "return_attention_scores"),
        "return_word_embeddings",
    ),
)


def _variables(name: str, path: str) -> dict[str, str]:
    """The paths of a layer's two variables by their published names."""
    parts = ("gamma", "beta") if name.endswith("LayerNorm") else ("kernel", "bias")
    return {f"{name}/{part}": f"{path}/{part}" for part in parts}


_BLOCK = {
    "attention/self/query": "_attention_layer/_query_dense",
    "attention/self/key": "_attention_layer/_key_dense",
    "attention/self/value": "_attention_layer/_value_dense",
    "attention/output/dense": "_attention_layer/_output_dense",
    "attention/output/LayerNorm": "_attention_layer_norm",
    "intermediate/dense": "_intermediate_dense",
    "output/dense": "_output_dense",
    "output/LayerNorm": "_output_layer_norm",
}
_MASKED_LM = {
    **_variables("cls/predictions/transform/dense", "masked_lm/dense"),
    **_variables("cls/predictions/transform/LayerNorm", "masked_lm/layer_norm"),
    "cls/predictions/output_bias": "masked_lm/bias",
}
_PAIR = "cls/seq_relationship/output_weights"
_NEXT_SENTENCE = {
    **_variables("bert/pooler/dense", "classification_heads/0/dense"),
    _PAIR: "classification_heads/0/out_proj/kernel",
    "cls/seq_relationship/output_bias": "classification_heads/0/out_proj/bias",
}


def is_checkpoint(directory: str | os.PathLike) -> bool:
    """Whether a directory is a checkpoint folder of this format.

    One of google-research/bert has the same `bert_config.json`; the checkpoints differ.
    """
    folder = google.folder_of(directory)
    if not (folder / google.CONFIG).is_file():
        return (folder / PARAMETERS).is_file()
    try:
        with google.open_checkpoint(directory) as (_, reader):
            return reader.has_tensor(object_graph.KEY)
    except InputError:
        return False


def read(directory: str | os.PathLike) -> Checkpoint:
    """Reads the encoder and the pre-training heads of a folder with one checkpoint.

    Raises:
        InputError: If there is no checkpoint or more than one, it is damaged or has no BERT
            encoder, or the configuration describes another network.
    """
    config = read_config(directory)
    with google.open_checkpoint(directory) as (path, reader):
        graph = object_graph.ObjectGraph(reader)
        encoder = graph.holder_of("layer_with_weights-5", "_transformer_layers", within=_HOLDERS)
        if encoder is None:
            raise InputError(f"{path}: must hold a BertEncoder of the Model Garden")
        paths = _encoder_paths(_layers_of(graph, encoder))
        keys = graph.keys(encoder, paths) | _head_keys(graph, reader.get_variable_to_shape_map())
        arrays = {name: reader.get_tensor(key) for name, key in keys.items()}
    for name, array in arrays.items():
        if name.endswith("attention/self/query/bias") and len(array) != config.num_heads:
            raise InputError(
                f"{path}: {paths[name]} has {len(array)} heads, expected {config.num_heads}"
            )
    return Checkpoint(
        config,
        {name: join_heads(name, array) for name, array in arrays.items()},
        place=str(path),
        name_of=lambda name: ({**_MASKED_LM, **_NEXT_SENTENCE} | paths).get(name, name),
    )


def write(checkpoint: Checkpoint, directory: str | os.PathLike) -> None:
    """Writes the weights, then `bert_config.json`.

    Both of the Model Garden's encoders open it, and its pre-trainer if there are heads:

    ```python
    tf.train.Checkpoint(encoder=encoder).read(path).expect_partial()
    tf.train.Checkpoint(model=pretrainer).read(path).expect_partial()
    ```

    Raises:
        InputError: If the format cannot say what the model is: it has no exact GELU; or if a
            tensor is missing.
    """
    import tensorflow as tf

    config = checkpoint.google_settings("the Model Garden's format")
    num_layers, num_heads = checkpoint.config.num_layers, checkpoint.config.num_heads
    root, model = tf.Module(), tf.Module()

    def hold_variables(holder: tf.Module, paths: dict[str, str]) -> None:
        for name, path in paths.items():
            if name not in checkpoint.arrays:
                raise InputError(f"{checkpoint.place}: {checkpoint.name_of(name)} is missing")
            array = _split_heads(name, checkpoint.arrays[name], num_heads)
            object_graph.hold(holder, path, tf.Variable(array))

    root.encoder = tf.Module()
    numbered = _numbered_layers(num_layers)
    hold_variables(root.encoder, _encoder_paths(numbered))
    for path, layer in zip(_named_layers(num_layers), numbered, strict=True):
        object_graph.hold(root.encoder, path, getattr(root.encoder, layer))
    if "cls/predictions/output_bias" in checkpoint.arrays:
        hold_variables(model, _MASKED_LM)
        root.masked_lm = model.masked_lm
    if "cls/seq_relationship/output_bias" in checkpoint.arrays:
        hold_variables(model, _NEXT_SENTENCE)
        pooler = getattr(model.classification_heads, "0").dense
        setattr(root, "next_sentence.pooler_dense", pooler)
    if model.variables:
        model.encoder_network = root.encoder
        root.model = model
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tf.train.Checkpoint(root=root).write(str(directory / google.CHECKPOINT))
    write_json(directory / google.CONFIG, config)


def _head_keys(
    graph: object_graph.ObjectGraph, shapes: Mapping[str, Sequence[int]]
) -> dict[str, str]:
    """The keys of the pre-training heads, and of the pooler below the second."""
    keys = {}
    holder = graph.holder_of("masked_lm", within=_HOLDERS)
    if holder is not None:
        keys |= graph.keys(holder, _MASKED_LM)
    holder = graph.holder_of("classification_heads", within=_HOLDERS)
    # Of several heads none says which one is next-sentence prediction.
    if holder is not None and graph.names(holder, "classification_heads") == ["0"]:
        found = graph.keys(holder, _NEXT_SENTENCE)
        # One of more classes, or of one score, is a task's.
        is_pair = len(found) == len(_NEXT_SENTENCE) and shapes[found[_PAIR]][-1] == 2
        keys |= found if is_pair else {}
    return keys


def _layers_of(graph: object_graph.ObjectGraph, encoder: int) -> list[str]:
    """The paths of an encoder's layers, with all blocks that are there."""
    numbered = [n for n in graph.names(encoder) if n.startswith("layer_with_weights-")]
    if numbered:
        return _numbered_layers(
            sum("_attention_layer" in graph.names(encoder, layer) for layer in numbered)
        )
    return _named_layers(len(graph.names(encoder, "_transformer_layers")))


def _numbered_layers(num_layers: int) -> list[str]:
    """A functional model's, as `BertEncoder` is: embeddings, blocks, pooler."""
    return [f"layer_with_weights-{index}" for index in range(len(_named_layers(num_layers)))]


def _named_layers(num_layers: int) -> list[str]:
    """The same of `BertEncoderV2`."""
    return [
        "_embedding_layer",
        "_position_embedding_layer",
        "_type_embedding_layer",
        "_embedding_norm_layer",
        *(f"_transformer_layers/{index}" for index in range(num_layers)),
        "_pooler_layer",
    ]


def _encoder_paths(layers: Sequence[str]) -> dict[str, str]:
    """The paths of an encoder's variables by their published names."""
    tokens, positions, segments, layer_norm, *blocks, pooler = layers
    paths = {
        "bert/embeddings/word_embeddings": f"{tokens}/embeddings",
        "bert/embeddings/position_embeddings": f"{positions}/embeddings",
        "bert/embeddings/token_type_embeddings": f"{segments}/embeddings",
        **_variables("bert/embeddings/LayerNorm", layer_norm),
    }
    for index, block in enumerate(blocks):
        for name, layer in _BLOCK.items():
            paths |= _variables(f"bert/encoder/layer_{index}/{name}", f"{block}/{layer}")
    return paths | _variables("bert/pooler/dense", pooler)


def _split_heads(name: str, array: np.ndarray, num_heads: int) -> np.ndarray:
    if "/attention/self/" in name:
        # (hidden, hidden) -> (hidden, heads, head); (hidden,) -> (heads, head)
        return array.reshape((*array.shape[:-1], num_heads, -1))
    if name.endswith("attention/output/dense/kernel"):
        # (hidden, hidden) -> (heads, head, hidden)
        return array.reshape((num_heads, -1, array.shape[-1]))
    return array


def read_config(path: str | os.PathLike) -> BertConfig:
    """Reads the shape of the network from `bert_config.json` or `params.yaml`.

    Raises:
        InputError: If the file is missing, damaged, or describes another network than BERT.
    """
    directory = google.folder_of(path)
    if (directory / google.CONFIG).is_file():
        return BertConfig.from_file(directory / google.CONFIG)
    file = directory / PARAMETERS
    try:
        model = yaml.safe_load(file.read_text(encoding="utf-8"))["task"]["model"]
        encoder = model["encoder"]
        values, kind = dict(encoder["bert"]), encoder.get("type", "bert")
        activation = model.get("mlm_activation")
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(repr(error).split())
        raise InputError(f"{file}: must have task.model.encoder.bert: {reason}") from error
    try:
        if kind != "bert":
            raise InputError(f"`type` must be 'bert'. Received: type={shown(kind)}")
        if activation not in (None, values.get("hidden_activation", "gelu")):
            raise InputError(
                "`mlm_activation` must be that of `hidden_activation`. "
                f"Received: mlm_activation={shown(activation)}"
            )
        return BertConfig.from_published(values, _ENCODER)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
