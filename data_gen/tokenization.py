"""Documents of text to documents of tokens."""

from typing import Literal

import numpy as np
import tensorflow as tf

from data_gen.documents import Document, TokenizedDocuments
from data_gen.lexicon import Lexicon
from data_gen.paragraphs import Spans
from data_gen.sentences import split_sentences
from data_gen.units import chinese_word_spans, continues_span, sentence_spans
from keras_bert.errors import InputError
from keras_bert.text.tokenizer import BertTokenizer

_SENTENCES_AT_A_TIME = 8192


def tokenize_documents(
    documents: list[Document],
    tokenizer: BertTokenizer,
    language: str,
    *,
    split: bool = True,
    segmentation: Literal["none", "jieba", "given"] = "none",
    lexicon: Lexicon | None = None,
) -> TokenizedDocuments:
    """Splits documents into sentences and those into ids; drops what has no tokens.

    Where units are asked for, one begins at each sentence and at each token that is no `##` piece,
    except that a word, phrase or entity is one unit. One that begins or ends inside a word of the
    tokenizer takes in the whole word; one that goes on in the next sentence becomes two.

    Args:
        documents: list of `Document`.
        tokenizer: `BertTokenizer`.
        language: str. Language code for sentence boundaries.
        split: bool. False if each paragraph is a sentence already.
        segmentation: `"none"`; `"jieba"` for Chinese words, in text without spaces; `"given"` for
            the units that came with the documents.
        lexicon: `Lexicon` or None. Its entries are units above all others.

    Returns:
        `TokenizedDocuments`; `unit_starts` is None without segmentation and lexicon.

    Raises:
        InputError: If units must be given and a document has none, or jieba is not installed.

    Example:

    ```python
    tokenize_documents([Document(["It rains. It pours."])], tokenizer, "en")
    ```
    """
    sentences: list[str] = []
    owners: list[int] = []
    spans: list[Spans] = []
    for number, document in enumerate(documents):
        if segmentation == "given" and document.units is None:
            raise InputError(
                '`--segmentation given` needs "words" or "spans" with every document. '
                f"Received: none with {document.paragraphs[0][:60]!r}"
            )
        for index, paragraph in enumerate(document.paragraphs):
            parts = split_sentences(paragraph, language) if split else [paragraph]
            sentences += parts
            owners += [number] * len(parts)
            if segmentation == "given":
                spans += sentence_spans(paragraph, parts, document.units[index])
    if segmentation == "jieba":
        spans = chinese_word_spans(sentences)
    ids, lengths, continues = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)], []
    for start in range(0, len(sentences), _SENTENCES_AT_A_TIME):
        batch = slice(start, start + _SENTENCES_AT_A_TIME)
        # A tensor: Keras would look at every string of a list.
        text = tf.constant(sentences[batch])
        if segmentation == "none":
            rows = tokenizer(text)
        else:
            rows, starts, _ = tokenizer.tokenize_with_offsets(text)
            starts, counts = starts.flat_values.numpy(), rows.row_lengths().numpy()
            continues.append(continues_span(sentences[batch], spans[batch], counts, starts))
        ids.append(rows.flat_values.numpy())
        lengths.append(rows.row_lengths().numpy())
    result = assemble(np.concatenate(ids), np.concatenate(lengths), np.array(owners, np.int64))
    if segmentation == "none" and lexicon is None:
        return result
    unit_starts = tokenizer.vocabulary.starts_word[result.token_ids]
    if segmentation != "none":
        unit_starts &= ~np.concatenate([np.zeros(0, bool), *continues])
    unit_starts[result.sentence_starts[:-1]] = True
    lexicon_tokens = None
    if lexicon is not None:
        lexicon_tokens = lexicon.mark(result.token_ids, result.sentence_starts, unit_starts)
    return TokenizedDocuments(
        result.token_ids,
        result.sentence_starts,
        result.document_starts,
        unit_starts,
        lexicon_tokens,
    )


def assemble(token_ids: np.ndarray, lengths: np.ndarray, owners: np.ndarray) -> TokenizedDocuments:
    """Puts sentences side by side, without the empty ones.

    Args:
        token_ids: int32 `(tokens,)`, of all sentences.
        lengths: int64 `(sentences,)`. Tokens of each sentence.
        owners: int64 `(sentences,)`, ascending. The document of each sentence.
    """
    kept = lengths > 0
    lengths, owners = lengths[kept], owners[kept]
    document_starts = np.flatnonzero(np.diff(owners, prepend=-1))
    return TokenizedDocuments(
        token_ids=token_ids,
        sentence_starts=np.concatenate([[0], np.cumsum(lengths)]),
        document_starts=np.append(document_starts, len(owners)),
    )
