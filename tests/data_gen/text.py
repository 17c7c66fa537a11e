"""Tokenized documents for tests: every token has an id of its own, hence tells where it was."""

import random

import numpy as np

from data_gen.documents import TokenizedDocuments
from data_gen.encoding import Encoder
from keras_bert.text.vocabulary import SPECIAL_TOKENS, Vocabulary

VOCABULARY = Vocabulary(SPECIAL_TOKENS)
START, END = VOCABULARY.start_id, VOCABULARY.end_id
FIRST_ID = 10


def make_documents(count, sentences, *, length=(3, 9), seed=0):
    """Documents of `sentences` sentences each; ids ascend from `FIRST_ID`."""
    rng = random.Random(seed)
    lengths = [rng.randint(*length) for _ in range(count * sentences)]
    return TokenizedDocuments(
        np.arange(sum(lengths), dtype=np.int32) + FIRST_ID,
        np.concatenate([[0], np.cumsum(lengths)]),
        np.arange(0, count * sentences + 1, sentences),
    )


def examples_of(objective, documents, seed=0):
    """The fields of all examples, beside the examples."""
    examples = list(objective(documents, random.Random(seed)))
    encode = Encoder(documents, VOCABULARY)
    return [(example, encode((example,))) for example in examples]


def document_of(documents):
    """The document of each token."""
    bounds = documents.sentence_starts[documents.document_starts]
    return lambda token: int(np.searchsorted(bounds, token - FIRST_ID, side="right")) - 1


def is_run(tokens):
    return list(tokens) == list(range(tokens[0], tokens[0] + len(tokens)))
