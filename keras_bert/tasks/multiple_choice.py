"""The best of several continuations or answers."""

import dataclasses
import itertools

import keras
import numpy as np
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.predictor import Predictor
from keras_bert.tasks.rows import Rows, grouped, unpadded
from keras_bert.text.preprocessor import BertPreprocessor


class ChoicePredictor(Predictor):
    """One choice of those that an example has. Targets are their indices.

    A row is `[CLS] context [SEP] choice [SEP]` for each choice; a context that is too long is cut,
    so that choices stay whole while they fit. Examples may have different numbers of choices.

    An answer is `{"choice": index, "text": the choice, "probabilities": [one for each]}`.

    Raises:
        InputError: If an example has no choice, or one that is no string.

    References:
        - Devlin et al. 2019, arXiv:1810.04805, section 4.4.
    """

    name = "multiple_choice"
    model_class = BertMultipleChoice
    forms = (("context", "choices"),)

    def __init__(self, model, tokenizer, **options):
        super().__init__(model, tokenizer, **options)
        self.preprocessor = BertPreprocessor(
            tokenizer, self.sequence_length, padding="longest", truncation="only_first"
        )

    def encode(self, examples: Examples) -> Rows:
        choices = examples.columns["choices"]
        for texts in choices:
            is_list = isinstance(texts, list) and texts
            if not is_list or not all(isinstance(text, str) for text in texts):
                raise InputError(
                    f"`choices` must be a list of one string or more. Received: {texts!r}"
                )
        counts = [len(texts) for texts in choices]
        contexts = tf.repeat(tf.constant(examples.columns["context"], tf.string), counts)
        texts = tf.constant(list(itertools.chain(*choices)), tf.string)
        targets = None
        if examples.targets is not None:
            targets = tf.constant(examples.targets, tf.int32)
        return Rows(
            grouped(unpadded(self.preprocessor((contexts, texts))), counts),
            example=np.arange(len(examples)),
            sequence_length=self.sequence_length,
            pad_id=self.tokenizer.vocabulary.pad_id,
            targets=targets,
        )

    def forward(self, rows, *, batch_size=32):
        # A choice is a row of its own: memory does not depend on how many an example has.
        counts = rows.features["token_ids"].row_lengths().numpy()
        ones = np.ones(counts.sum(), int)
        features = {name: tokens.values for name, tokens in rows.features.items()}
        alone = dataclasses.replace(
            rows, features=grouped(features, ones), example=np.arange(len(ones)), targets=None
        )
        logits = super().forward(alone, batch_size=batch_size)
        return np.split(np.concatenate(logits), np.cumsum(counts)[:-1])

    def decode(self, examples, rows, outputs):
        answers = []
        for choices, logits in zip(examples.columns["choices"], outputs, strict=True):
            # Other examples of its batch may have had more.
            shares = tf.nn.softmax(logits[: len(choices)]).numpy()
            best = int(shares.argmax())
            probabilities = [round(float(share), 6) for share in shares]
            answers.append({"choice": best, "text": choices[best], "probabilities": probabilities})
        return answers

    def loss(self):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def metrics(self):
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
