"""Entities from tags of words, in operations of TensorFlow alone."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_bert.tasks import tag_schemes
from keras_bert.tasks.tag_schemes import is_plain
from keras_bert.text.ragged import row_ids


def find_entities(
    tags: tf.RaggedTensor,
    scores: tf.RaggedTensor,
    starts: tf.RaggedTensor,
    ends: tf.RaggedTensor,
    *,
    names: Sequence[str],
    has_entities: bool = True,
) -> dict[str, tf.RaggedTensor]:
    """Finds the entities that the tags of words spell, as `TagPredictor` reads them.

    Whether an entity begins, or ends, between two words depends on nothing but their two tags, so
    that seqeval's rules become two constant tables of the graph. They cover broken tags too, such
    as an `I-` without its `B-`. Each tag but `O` belongs to exactly one entity. The end of a
    sentence ends its last one.

    Args:
        tags: int32 or int64 `(batch, (words))`. Indices of `names`.
        scores: float32 `(batch, (words))`. Of each tag, such as its probability.
        starts: int64 `(batch, (words))`. Where each word begins in its text.
        ends: int64 `(batch, (words))`. Exclusive ends.
        names: The tags, such as `("O", "B-PER", "I-PER")`, in any scheme of
            `keras_bert.tasks.tag_schemes`. Where they are plain classes there are no entities.

        has_entities: bool. Whether tags that are spelled like those of entities are.

    Returns:
        A dictionary of ragged tensors `(batch, (entities))`, in the order of the text: `type`,
        string; `first_word` and `last_word`, int64, counted from 0 in each sentence; `start` of
        the first word and `end` of the last one, of the types given; `score`, float32, the mean
        of its words'.

    Example:

    ```python
    names = ("O", "B-PER", "I-PER")
    find_entities(
        tf.ragged.constant([[1, 2, 0]]),
        tf.ragged.constant([[0.9, 0.7, 1.0]]),
        tf.ragged.constant([[0, 5, 13]], tf.int64),
        tf.ragged.constant([[4, 12, 17]], tf.int64),
        names=names,
    )       # [["PER"]], words 0 to 1, 0 to 12, score .8
    ```

    References:
        - `get_entities` of seqeval, which reads tags as conlleval of CoNLL-2000 does.
    """
    begins_table, ends_table, types = _tables(names, has_entities and not is_plain(names))
    outside = len(names)
    tag, row = tf.cast(tags.flat_values, tf.int32), row_ids(tags)
    # Whether the word before is of the same sentence; never so of the first word of all.
    continues = tf.concat([row[:1] < 0, row[1:] == row[:-1]], 0)
    before = tf.where(continues, tf.roll(tag, 1, 0), outside)
    after = tf.where(tf.roll(continues, -1, 0), tf.roll(tag, -1, 0), outside)
    begins = tf.gather_nd(begins_table, tf.stack([before, tag], axis=1))
    stops = tf.gather_nd(ends_table, tf.stack([tag, after], axis=1))
    # An entity begins where another has ended, so that both are in the same order: (entities,)
    first, last = tf.where(begins)[:, 0], tf.where(stops)[:, 0]
    row = tf.gather(row, first)
    sentence = tf.gather(tags.row_starts(), row)
    kind = tf.gather(types, tf.gather(tag, first))
    # The words of entities, each with the number of its own.
    inside = tf.not_equal(tf.gather(types, tag), "")
    number = tf.boolean_mask(tf.cumsum(tf.cast(begins, tf.int32)) - 1, inside)
    flat = {
        "type": kind,
        "first_word": first - sentence,
        "last_word": last - sentence,
        "start": tf.gather(starts.flat_values, first),
        "end": tf.gather(ends.flat_values, last),
        "score": tf.math.segment_mean(tf.boolean_mask(scores.flat_values, inside), number),
    }
    return {
        name: tf.RaggedTensor.from_value_rowids(values, row, nrows=tags.nrows(), validate=False)
        for name, values in flat.items()
    }


def _tables(names: Sequence[str], has_entities: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where entities begin and end, and of which type they are.

    Returns:
        Bools `(before, tag)`, whether an entity begins with a tag; bools `(tag, after)`, whether
        one ends with it; strings `(tags,)`, empty outside of entities. The last row and column
        stand for the edges of a sentence.
    """
    shape = (len(names) + 1, len(names) + 1)
    begins, ends = np.zeros(shape, bool), np.zeros(shape, bool)
    types = np.full(len(names), "", object)
    if has_entities:
        for i, name in enumerate(names):
            types[i] = "".join(kind for kind, _, _ in tag_schemes.find_entities([name]))
        for i, before in enumerate([*names, "O"]):
            for j, tag in enumerate([*names, "O"]):
                found = tag_schemes.find_entities([before, tag])
                begins[i, j] = any(first == 1 for _, first, _ in found)
                ends[i, j] = any(last == 0 for _, _, last in found)
    return begins, ends, types
