"""Tags of words, and the entities that they spell."""

import tensorflow as tf

from exports.entities import find_entities
from exports.signatures.base import STRINGS, Signature, TaskSignatures
from keras_bert.tasks.tagging import TagPredictor
from keras_bert.text.characters import Characters
from keras_bert.text.checks import assertion
from keras_bert.text.word_windows import WordWindows
from keras_bert.text.words import split_words

# Texts times the words of the longest, for each of which a reply has a column in a dozen tensors.
_MOST_PLACES = 1 << 20
_WORDS = "; as many columns as the longest text has words, the others empty"
_ENTITIES = "; as many columns as the most entities of a text, the others empty"


class TagSignatures(TaskSignatures):
    """A tag for each word, by fine-tuning or from features."""

    family = TagPredictor

    def __init__(self, predictor, **arguments):
        super().__init__(predictor, **arguments)
        self._windows = WordWindows(
            predictor.tokenizer, predictor.sequence_length, max_windows=self.limits.windows
        )

    def signatures(self):
        return [
            Signature(
                "serving_default",
                self._tag,
                {"text": STRINGS},
                {
                    "tokens": f"the words of the text{_WORDS}",
                    "tags": f"a tag for each word{_WORDS}",
                    "token_starts": "first character of each word",
                    "token_ends": "character after the last one of each word",
                    "token_scores": "probability of each tag",
                    "token_counts": "words of each text",
                    "entities": f"texts of the entities{_ENTITIES}",
                    "entity_types": f"types of the entities, such as PER{_ENTITIES}",
                    "entity_starts": "first character of each entity",
                    "entity_ends": "character after the last one of each entity",
                    "entity_scores": "mean probability of the tags of each entity",
                    "entity_counts": "entities of each text",
                },
                {"text": ["Maria Rossi lives in Rome.", "Nobody was there."]},
            ),
            self.features_signature(
                lambda features: {"probabilities": tf.nn.softmax(self.infer(features))},
                {"probabilities": "of each tag at each token, in the order of the labels"},
            ),
        ]

    def _tag(self, text):
        text = self.bounded(text)
        words, starts, ends = split_words(text)
        tag, score = self._best_tags(words)
        labels = self.predictor.model.labels
        names = tf.constant(labels)
        characters = Characters(text)
        has_entities = self.predictor.has_entities
        entities = find_entities(tag, score, starts, ends, names=labels, has_entities=has_entities)
        reply = {
            "tokens": characters.ragged_pieces(starts, ends),
            "tags": tag.with_flat_values(tf.gather(names, tag.flat_values)),
            "token_starts": characters.count_before(starts),
            "token_ends": characters.count_before(ends),
            "token_scores": score,
            "entities": characters.ragged_pieces(entities["start"], entities["end"]),
            "entity_types": entities["type"],
            "entity_starts": characters.count_before(entities["start"]),
            "entity_ends": characters.count_before(entities["end"]),
            "entity_scores": entities["score"],
        }
        with tf.control_dependencies([_check_places(words)]):
            # Rows as long as the longest one, no earlier than here.
            reply = {name: values.to_tensor() for name, values in reply.items()}
        return {
            **reply,
            "token_counts": tf.cast(words.row_lengths(), tf.int32),
            "entity_counts": tf.cast(entities["type"].row_lengths(), tf.int32),
        }

    def _best_tags(self, words: tf.RaggedTensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """The most probable tag of each word, its index and its probability."""
        rows = dict(self._windows(words))
        word, example = rows.pop("word"), rows.pop("example")
        shares = tf.nn.softmax(self.infer(rows))  # (rows, length, tags)
        places = tf.where(word >= 0)  # (words with tokens, 2)
        shares = tf.gather_nd(shares, places)
        target = tf.gather(words.row_starts(), tf.gather(example, places[:, 0]))
        target += tf.cast(tf.gather_nd(word, places), tf.int64)
        # Words without tokens, and those beyond the last window, are outside of everything.
        labels = self.predictor.model.labels
        size = tf.shape(words.flat_values)
        tag = tf.tensor_scatter_nd_update(
            tf.fill(size, labels.index("O") if "O" in labels else 0),
            target[:, tf.newaxis],
            tf.argmax(shares, axis=1, output_type=tf.int32),
        )
        score = tf.tensor_scatter_nd_update(
            tf.ones(size), target[:, tf.newaxis], tf.reduce_max(shares, axis=1)
        )
        return words.with_flat_values(tag), words.with_flat_values(score)


def _check_places(words: tf.RaggedTensor) -> tf.Operation:
    """Returns the check that the reply, padded as it is, has a bounded size.

    Raises:
        tf.errors.InvalidArgumentError: If it has not; TensorFlow Serving answers with it.
    """
    longest = tf.reduce_max(tf.concat([words.row_lengths(), [0]], 0))
    return assertion(
        words.nrows() * longest <= _MOST_PLACES,
        f"strings in text times words of the longest must be at most {_MOST_PLACES}, as many "
        "places as a reply has; send long texts alone",
        [tf.strings.as_string(words.nrows()), tf.strings.as_string(longest)],
    )
