"""One example in a shard: its fields, as bytes and as tensors."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import tensorflow as tf

from keras_bert.errors import InputError

if TYPE_CHECKING:
    from keras_bert.records.manifest import Manifest

TOKEN_FIELDS = ("token_ids", "segment_ids", "unit_starts")
"""Fields with an integer for each token: ids with `[CLS]` and `[SEP]`, without padding; segments, 0
or 1; and 1 where a masking unit (a word, a phrase, an entity) begins, 0 elsewhere."""

MASK_FIELDS = ("masked_positions", "masked_ids")
"""Fields of examples whose masks were drawn beforehand: where, and what stood there."""

LABEL = "next_sentence_label"
"""Field of a pair of segments: 0 when the second one follows the first, 1 when it does not."""

LENGTHS = "example_lengths"
"""Field of packed rows: the number of tokens of each example in the row."""

FIELDS = (*TOKEN_FIELDS, *MASK_FIELDS, LABEL, LENGTHS)

_BAD_EXAMPLE = "wrong example in a shard"


def encode_example(fields: Mapping[str, Sequence[int]]) -> bytes:
    """Serialises one example.

    Args:
        fields: dictionary of lists of integers; its keys are among `FIELDS`.

    Example:

    ```python
    encode_example({"token_ids": [2, 7, 3], "segment_ids": [0, 0, 0]})
    ```
    """
    example = tf.train.Example()
    features = example.features.feature
    for name, values in fields.items():
        features[name].int64_list.value.extend(values)
    return example.SerializeToString(deterministic=True)


def parse_examples(serialized: tf.Tensor, manifest: "Manifest") -> dict[str, tf.Tensor]:
    """Parses a batch of serialised examples.

    Args:
        serialized: string tensor `(batch,)`.
        manifest: `Manifest` of their shards.

    Returns:
        A dictionary of `token_ids` and `segment_ids`, int32 `(batch, sequence_length)`, and
        `padding_mask`, bool `(batch, sequence_length)`; where the shards hold them, also

        - `next_sentence_label`, int32 `(batch,)`;
        - `unit_starts`, bool `(batch, sequence_length)`;
        - `masked_positions` and `masked_ids`, int32, and `masked_weights`, float32, each
          `(batch, max_predictions)`;
        - for packed rows, `position_ids`, int32 `(batch, sequence_length)`, which begin anew in
          each example, and `attention_mask`, bool `(batch, sequence_length, sequence_length)`,
          block-diagonal.

    Raises:
        tf.errors.InvalidArgumentError: If an example has no or too many tokens, or ids that are not
            in the vocabulary, which no layer would notice.
    """
    length = manifest.sequence_length
    rows = tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64)
    parsed = tf.io.parse_example(serialized, dict.fromkeys(manifest.fields, rows))
    with tf.control_dependencies(_checks(parsed["token_ids"], manifest)):
        parsed["token_ids"] = tf.identity(parsed["token_ids"])

    def dense(name: str, columns: int | None) -> tf.Tensor:
        return tf.cast(parsed[name].to_tensor(shape=[None, columns]), tf.int32)

    examples = {
        "token_ids": dense("token_ids", length),
        "segment_ids": dense("segment_ids", length),
        "padding_mask": tf.sequence_mask(parsed["token_ids"].row_lengths(), length),
    }
    if LABEL in parsed:
        examples[LABEL] = tf.reshape(dense(LABEL, 1), [-1])  # (batch, 1) -> (batch,)
    if "unit_starts" in parsed:
        examples["unit_starts"] = dense("unit_starts", length) > 0
    if "masked_positions" in parsed:
        predictions = manifest.max_predictions
        examples |= {name: dense(name, predictions) for name in MASK_FIELDS}
        counts = parsed["masked_positions"].row_lengths()
        examples["masked_weights"] = tf.sequence_mask(counts, predictions, tf.float32)
    if LENGTHS in parsed:
        examples |= _blocks(dense(LENGTHS, None), examples["padding_mask"])
    return examples


def _checks(token_ids: tf.RaggedTensor, manifest: "Manifest") -> list[tf.Operation]:
    lengths, ids = token_ids.row_lengths(), token_ids.flat_values
    rule = f"{_BAD_EXAMPLE}: 1 to {manifest.sequence_length} tokens are expected"
    id_rule = f"{_BAD_EXAMPLE}: ids must lie in 0..{manifest.vocabulary_size - 1}"
    return [
        tf.debugging.assert_positive(lengths, rule),
        tf.debugging.assert_less_equal(
            lengths, tf.constant(manifest.sequence_length, tf.int64), rule
        ),
        tf.debugging.assert_non_negative(ids, id_rule),
        tf.debugging.assert_less(ids, tf.constant(manifest.vocabulary_size, tf.int64), id_rule),
    ]


def damage_in(directory: str | os.PathLike, error: tf.errors.OpError) -> InputError | None:
    """Returns an error of one line for what TensorFlow says of damaged shards; None of others."""
    # Around the message stand the nodes of the graph.
    found = re.search(rf"{_BAD_EXAMPLE}[^\]\"'\n]*|corrupted record[^\n\[]*", str(error))
    if not found:
        return None
    return InputError(
        f"{directory}: damaged shards: {found[0].strip()}; `python -m data_gen verify` names the "
        "place"
    )


def _blocks(lengths: tf.Tensor, padding_mask: tf.Tensor) -> dict[str, tf.Tensor]:
    """Positions and attention of rows with several examples of `lengths`, `(batch, examples)`."""
    ends = tf.cumsum(lengths, axis=1)
    batch, columns = tf.unstack(tf.shape(padding_mask))
    places = tf.broadcast_to(tf.range(columns), [batch, columns])
    # (batch, length): the number of the example that each token belongs to; padding has its own.
    numbers = tf.searchsorted(ends, places, side="right")
    numbers = tf.where(padding_mask, numbers, -1)
    starts = tf.pad(ends, [[0, 0], [1, 0]])
    position_ids = places - tf.gather(starts, tf.maximum(numbers, 0), batch_dims=1)
    same = numbers[:, :, tf.newaxis] == numbers[:, tf.newaxis, :]
    position_ids = tf.where(padding_mask, position_ids, 0)
    return {
        "position_ids": tf.ensure_shape(position_ids, padding_mask.shape),
        "attention_mask": tf.logical_and(same, padding_mask[:, tf.newaxis, :]),
    }


def verify_example(record: bytes, manifest: "Manifest", place: str) -> None:
    """Checks one serialised example against its manifest.

    Raises:
        InputError: On the first fault; `place` begins the message.
    """
    try:
        features = tf.train.Example.FromString(record).features.feature
    except Exception as error:  # the protocol buffer library's own error class varies
        raise InputError(f"{place}: not a tf.train.Example: {error}") from error
    values = {}
    for name in manifest.fields:
        if features[name].WhichOneof("kind") != "int64_list":
            raise InputError(f"{place}: field {name!r} must be a list of integers")
        values[name] = list(features[name].int64_list.value)
    count = len(values["token_ids"])
    if not 0 < count <= manifest.sequence_length:
        raise InputError(
            f"{place}: 1 to {manifest.sequence_length} tokens expected. Received: {count}"
        )
    for name in ("token_ids", "masked_ids"):
        _check_range(values.get(name), manifest.vocabulary_size, f"{place}: ids")
    _check_range(values.get("masked_positions"), count, f"{place}: masked positions")
    for name in ("segment_ids", "unit_starts"):
        if name in values and (len(values[name]) != count or not set(values[name]) <= {0, 1}):
            raise InputError(
                f"{place}: one integer of {name!r}, 0 or 1, is expected for each token"
            )
    if LABEL in values and list(values[LABEL]) not in ([0], [1]):
        raise InputError(f"{place}: the label must be 0 or 1. Received: {list(values[LABEL])}")
    if LENGTHS in values and (sum(values[LENGTHS]) != count or min(values[LENGTHS]) < 1):
        raise InputError(
            f"{place}: lengths of examples must sum to {count} tokens. "
            f"Received: {list(values[LENGTHS])}"
        )
    if "masked_ids" in values:
        predictions = [len(values[name]) for name in MASK_FIELDS]
        if predictions[0] != predictions[1] or predictions[0] > manifest.max_predictions:
            raise InputError(
                f"{place}: as many masked positions as masked ids are expected, at most "
                f"{manifest.max_predictions}. Received: {predictions[0]} and {predictions[1]}"
            )


def _check_range(values: Sequence[int] | None, end: int, what: str) -> None:
    if values and not 0 <= min(values) <= max(values) < end:
        raise InputError(f"{what} must lie in 0..{end - 1}. Received: {min(values)}..{max(values)}")
