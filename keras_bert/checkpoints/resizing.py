"""Tables of tokens with more rows: for new words, or padded to a multiple."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from keras_bert.checkpoints.checkpoint import UNTIED, Checkpoint
from keras_bert.errors import InputError
from keras_bert.reading import shown

INITIALIZERS = ("mean", "random")
_TABLE = "bert/embeddings/word_embeddings"
_BIAS = "cls/predictions/output_bias"
# Logit of a padding row: no softmax gives it anything, in half precision too.
_NEVER = -1e4


def resized(
    checkpoint: Checkpoint,
    num_tokens: int,
    *,
    pieces: Mapping[int, Sequence[int]] | None = None,
    pad_to: int = 1,
    initialize: str = "mean",
    seed: int = 12345,
) -> Checkpoint:
    """Returns a checkpoint whose tables have a row for each token; the other rows stay.

    The bias of the masked language model has as many. Rows that only pad the table are zeros, with
    a bias of -10000, so that they are never predicted.

    Args:
        checkpoint: `Checkpoint`.
        num_tokens: int. Tokens of the new vocabulary.
        pieces: dict or None. The ids of the pieces that stood for a new token until now, by the
            new token's id. Ids from the old number of rows on are new tokens in any case.
        pad_to: int. The number of rows is the next multiple of it.
        initialize: str. `"mean"` of the rows of the token's pieces, of the whole table where it
            has none; or `"random"`, as the table of a new model.
        seed: int. Of random rows.

    Raises:
        InputError: If an argument breaks a rule; the message names it.
    """
    old = checkpoint.config.vocabulary_size
    pieces = dict(pieces or {})
    _check(num_tokens, pieces, pad_to, initialize, old)
    rows = math.ceil(num_tokens / pad_to) * pad_to
    new_ids = sorted({*pieces, *range(old, num_tokens)})
    random = np.random.default_rng(seed)
    arrays = dict(checkpoint.arrays)
    for name in (_TABLE, _BIAS, UNTIED):
        if name not in arrays:
            continue
        before = arrays[name]
        # The decoder has its rows where every kernel has its columns.
        table = before.T if name == UNTIED else before
        padding = _NEVER if name == _BIAS else 0
        after = np.full((rows, *table.shape[1:]), padding, table.dtype)
        after[: min(old, rows)] = table[:rows]
        for token_id in new_ids:
            if initialize == "mean":
                own = table[list(pieces.get(token_id) or range(old))]
                after[token_id] = own.astype("float32").mean(axis=0)
            elif name == _BIAS:
                after[token_id] = 0
            else:
                deviation = checkpoint.config.initializer_range
                after[token_id] = random.normal(0, deviation, table.shape[1:])
        arrays[name] = after.T if name == UNTIED else after
    config = dataclasses.replace(checkpoint.config, vocabulary_size=rows)
    return dataclasses.replace(checkpoint, config=config, arrays=arrays)


def _check(num_tokens, pieces, pad_to, initialize, old) -> None:
    for name, value in (("num_tokens", num_tokens), ("pad_to", pad_to)):
        if type(value) is not int or value < 1:
            raise InputError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    if initialize not in INITIALIZERS:
        raise InputError(
            f"`initialize` must be one of {', '.join(INITIALIZERS)}. "
            f"Received: initialize={shown(initialize)}"
        )
    for token_id, ids in pieces.items():
        if not 0 <= token_id < num_tokens:
            raise InputError(
                f"`pieces` must be those of ids below num_tokens={num_tokens}. "
                f"Received: {token_id!r}"
            )
        if not all(0 <= piece < old and piece not in pieces for piece in ids):
            raise InputError(
                f"`pieces` must be old tokens, with ids below {old}. "
                f"Received: {shown(list(ids))} of {token_id}"
            )
