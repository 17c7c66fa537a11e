"""Tags of words, such as named entities."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from keras_bert.models.feature_tagger import BertFeatureTagger
from keras_bert.models.tagger import BertTagger
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.predictor import Predictor
from keras_bert.tasks.rows import Rows, unpadded
from keras_bert.tasks.tag_schemes import find_entities, is_plain
from keras_bert.text.word_windows import WordWindows
from keras_bert.text.words import split_words


class TagPredictor(Predictor):
    """A tag for each word. Targets are lists with an index of a tag for every word.

    Of each word the first token is tagged; the others and the special ones have no weight in the
    loss. Sentences longer than a row become several, see `WordWindows`. With `document_context` a
    row is filled with words of the same document, which have no weight either: the columns
    `before` and `after` hold them.

    An answer is `{"tokens": [...], "tags": [...], "entities": [{"text", "type", "start", "end",
    "score"}]}`. The tokens are the given `words`, or those of `split_words`. For a `text`, `start`
    and `end` are characters and `text` is `text[start:end]`; for `words` they are words, and
    `text` is the words with spaces between them. Ends are exclusive. An entity is what conlleval
    and seqeval read, in any scheme of `keras_bert.tasks.tag_schemes`: one that begins with `I-`
    counts as well. `score` is the mean probability of its tags. There are no entities where tags
    are plain classes, or the option `entities` is off.
    """

    name = "tagging"
    model_class = BertTagger
    forms = (("text",), ("words",))
    defaults: ClassVar[Mapping[str, Any]] = {"document_context": False, "entities": True}
    has_token_outputs = True

    def __init__(self, model, tokenizer, **options):
        super().__init__(model, tokenizer, **options)
        self._windows = WordWindows(tokenizer, self.sequence_length)

    @property
    def has_entities(self) -> bool:
        """Whether the tags spell entities."""
        return bool(self.options["entities"]) and not is_plain(self.model.labels)

    def encode(self, examples: Examples) -> Rows:
        columns = examples.columns
        if "words" in columns:
            words = _ragged(columns["words"], tf.string)
        else:
            words, _, _ = split_words(tf.constant(columns["text"], tf.string))
        context = {}
        if self.options["document_context"]:
            sides = [side for side in ("before", "after") if side in columns]
            context = {side: _ragged(columns[side], tf.string) for side in sides}
        inputs = self._windows(words, **context)
        features = unpadded(inputs)
        word = tf.RaggedTensor.from_tensor(
            inputs["word"], lengths=features["token_ids"].row_lengths()
        )
        example = inputs["example"].numpy()
        targets = weights = None
        if examples.targets is not None:
            tags = _ragged(examples.targets, tf.int32)
            starts = tf.gather(tags.row_starts(), tf.gather(example, word.value_rowids()))
            has_tag = word.flat_values >= 0
            places = tf.where(has_tag, starts + tf.cast(word.flat_values, tf.int64), 0)
            # A tag to read where there is none, for sentences without words.
            flat = tf.concat([tags.flat_values, [0]], 0)
            targets = word.with_flat_values(tf.where(has_tag, tf.gather(flat, places), 0))
            weights = word.with_flat_values(tf.cast(has_tag, tf.float32))
        return Rows(
            features,
            example=example,
            sequence_length=self.sequence_length,
            pad_id=self.tokenizer.vocabulary.pad_id,
            targets=targets,
            weights=weights,
            maps={"word": word},
        )

    def decode(self, examples, rows, outputs):
        labels = self.model.labels
        sentences = _sentences(examples)
        sizes = [len(tokens) for tokens, _ in sentences]
        shares = tf.nn.softmax(np.concatenate(outputs)).numpy()  # (all tokens, tags)
        word = rows.maps["word"]
        has_tag = word.flat_values.numpy() >= 0
        starts = np.concatenate([[0], np.cumsum(sizes)])
        example = rows.example[word.value_rowids().numpy()[has_tag]]
        places = starts[example] + word.flat_values.numpy()[has_tag]
        # Words without tokens have no output.
        best = np.full(starts[-1], labels.index("O") if "O" in labels else 0)
        score = np.ones(starts[-1])
        best[places] = shares[has_tag].argmax(axis=1)
        score[places] = shares[has_tag].max(axis=1)
        has_entities = self.has_entities
        answers = []
        for number, (tokens, spans) in enumerate(sentences):
            place = slice(starts[number], starts[number + 1])
            tags = [labels[index] for index in best[place]]
            entities = []
            for kind, first, last in find_entities(tags) if has_entities else ():
                if spans is None:
                    start, end = first, last + 1
                    text = " ".join(tokens[start:end])
                else:
                    start, end = spans[first][0], spans[last][1]
                    text = examples.columns["text"][number][start:end]
                mean = round(float(score[place][first : last + 1].mean()), 6)
                entity = {"text": text, "type": kind, "start": start, "end": end, "score": mean}
                entities.append(entity)
            answers.append({"tokens": tokens, "tags": tags, "entities": entities})
        return answers

    def loss(self):
        # The mean over tags, however much padding there is.
        return keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        )


class FeatureTagPredictor(TagPredictor):
    """A tag for each word by a BiLSTM on the features of a frozen encoder.

    `mix` says which, see `BertFeatureTagger`. Nothing pre-trained is changed, so that a learning
    rate as for any new network is right: 1e-3 rather than the 5e-5 of fine-tuning.
    """

    name = "feature_tagging"
    model_class = BertFeatureTagger
    defaults: ClassVar[Mapping[str, Any]] = {
        **TagPredictor.defaults,
        "mix": "concat_last_4",
        "lstm_dim": 768,
    }

    @classmethod
    def model_arguments(cls, labels, options):
        options = {**cls.defaults, **options}
        chosen = {name: options[name] for name in ("mix", "lstm_dim")}
        return {**super().model_arguments(labels, options), **chosen}


def _ragged(lists: list[list[Any]], dtype: tf.DType) -> tf.RaggedTensor:
    flat = [value for values in lists for value in values]
    lengths = np.array([len(values) for values in lists], np.int64)
    return tf.RaggedTensor.from_row_lengths(tf.constant(flat, dtype, shape=[len(flat)]), lengths)


def _sentences(examples: Examples) -> list[tuple[list[str], list[tuple[int, int]] | None]]:
    """The words of each example and, of a text, the characters where each begins and ends."""
    if "words" in examples.columns:
        return [(list(words), None) for words in examples.columns["words"]]
    texts = examples.columns["text"]
    _, starts, ends = split_words(tf.constant(texts, tf.string))
    sentences = []
    for text, begins, stops in zip(texts, starts.to_list(), ends.to_list(), strict=True):
        encoded, byte, character, spans = text.encode(), 0, 0, []
        for begin, stop in zip(begins, stops, strict=True):
            first = character + len(encoded[byte:begin].decode())
            byte, character = stop, first + len(encoded[begin:stop].decode())
            spans.append((first, character))
        sentences.append(([text[first:last] for first, last in spans], spans))
    return sentences
