"""Models that take ids: how they are read, and what they say."""

from typing import Any

from keras import ops

from keras_bert.checkpoints.formats import format_of, read_settings
from keras_bert.errors import InputError
from keras_bert.models.base import BertModel
from keras_bert.models.embedder import BertEmbedder
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.feature_tagger import BertFeatureTagger
from keras_bert.models.tagger import BertTagger
from keras_bert.tasks.families import family_of

# Protocol buffers and flatbuffers count their bytes in 32 bits.
LARGEST_FILE = 2**31 - 2**20


def load(path: str, *, encoder_only: bool = False) -> BertModel:
    """Reads a model directory.

    Args:
        path: str.
        encoder_only: bool. Leave out what stands on the encoder.

    Returns:
        `BertModel`, with `unpadding=False`.

    Raises:
        InputError: If it is no model directory, or of a model that has no portable form.
    """
    kind = BertEncoder if encoder_only else _kind_of(path)
    if kind is BertFeatureTagger:
        raise InputError(
            f"{path}: a model with a BiLSTM cannot be exported so; `--encoder-only` exports the "
            "encoder that it stands on"
        )
    arguments = {}
    if kind is BertEncoder:
        arrays = format_of(path).read(path).arrays
        # Where there is none, it would start from random weights.
        arguments["pooler"] = any(name.startswith("bert/pooler/") for name in arrays)
    # Dropping padding takes operators that phones' accelerators do not have.
    model = kind.from_checkpoint(path, unpadding=False, **arguments)
    size = 4 * model.count_params()
    if size > LARGEST_FILE:
        raise InputError(
            f"{path}: the weights must have less than 2 GiB, which a file can hold. "
            f"Received: {size / 2**30:.1f} GiB"
        )
    return model


def answer(model: BertModel, features: dict[str, Any]) -> dict[str, Any]:
    """Returns what a model says, by the names of the exported outputs.

    Those of models with one output are `logits`, or `embedding`. Hidden states and tags' logits
    are zeros outside `padding_mask`.

    Args:
        model: `BertModel`.
        features: its dictionary.
    """
    outputs = model(features, training=False)
    # (batch, length) -> (batch, length, 1)
    is_real = ops.expand_dims(ops.cast(features["padding_mask"], "bool"), -1)
    match model:
        case BertEncoder():
            tokens = outputs["sequence_output"]
            return {**outputs, "sequence_output": ops.where(is_real, tokens, 0.0)}
        case BertTagger():
            return {"logits": ops.where(is_real, outputs, 0.0)}
        case BertEmbedder():
            return {"embedding": outputs}
    return outputs if isinstance(outputs, dict) else {"logits": outputs}


def _kind_of(path: str) -> type[BertModel]:
    try:
        return family_of(path)[0].model_class
    except InputError:
        # An encoder is of no family.
        architectures = read_settings(path).get("architectures") or []
        if BertEncoder.architecture not in architectures:
            raise
        return BertEncoder
