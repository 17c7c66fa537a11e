"""BERT for TensorFlow and Keras: from raw text to a model that answers raw strings.

Names load on first use, so that importing the package costs nothing and the models work on a
machine without TensorFlow (`KERAS_BACKEND=jax`).
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "BertConfig": "keras_bert.config",
    "BertTokenizer": "keras_bert.text.tokenizer",
    "BytePairTokenizer": "keras_bert.text.byte_pair",
    "SentencePieceTokenizer": "keras_bert.text.sentence_piece",
    "AddedToken": "keras_bert.text.added_tokens",
    "load_tokenizer": "keras_bert.text.loading",
    "BertPreprocessor": "keras_bert.text.preprocessor",
    "SlidingWindows": "keras_bert.text.windows",
    "WordWindows": "keras_bert.text.word_windows",
    "pack_examples": "keras_bert.text.example_packing",
    "MaskedLMMasker": "keras_bert.text.masking",
    "UnitSelector": "keras_bert.text.ragged_masking",
    "StatelessMaskValuesChooser": "keras_bert.text.ragged_masking",
    "BertEncoder": "keras_bert.models.encoder",
    "BertPretrainer": "keras_bert.models.pretrainer",
    "BertClassifier": "keras_bert.models.classifier",
    "BertTagger": "keras_bert.models.tagger",
    "BertFeatureTagger": "keras_bert.models.feature_tagger",
    "BertSpanPredictor": "keras_bert.models.span_predictor",
    "BertMultipleChoice": "keras_bert.models.multiple_choice",
    "BertEmbedder": "keras_bert.models.embedder",
    "LayerCombination": "keras_bert.layers.layer_combination",
    "InferenceFunction": "keras_bert.inference",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'keras_bert' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__():
    return sorted(__all__)
