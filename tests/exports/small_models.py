"""Small models of random weights, one for each family."""

import dataclasses

import keras

from keras_bert.tasks.families import FAMILIES
from keras_bert.text.tokenizer import BertTokenizer

LABELS = {
    "classification": ("no", "yes", "perhaps"),
    "multi_label": ("short", "long"),
    "tagging": ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
    "feature_tagging": ("O", "B-PER", "I-PER"),
}
OPTIONS = {
    "question_answering": {
        "stride": 5,
        "query_length": 8,
        "max_answer_length": 6,
        "n_best": 4,
        "unanswerable": True,
    },
    "feature_tagging": {"lstm_dim": 8},
    "fill_mask": {"top_k": 3},
}
# Features are mixed from layers.
LAYERS = {"feature_tagging": 4}


def predictor_of(name, config, vocabulary):
    family = FAMILIES[name]
    # Weights large enough for different texts to have clearly different answers.
    config = dataclasses.replace(config, initializer_range=0.3, num_layers=LAYERS.get(name, 1))
    options = OPTIONS.get(name, {})
    arguments = family.model_arguments(LABELS.get(name, ()), {**family.defaults, **options})
    keras.utils.set_random_seed(1)
    model = family.model_class(config, **arguments)
    return family(model, BertTokenizer(vocabulary, sequence_length=24), **options)
