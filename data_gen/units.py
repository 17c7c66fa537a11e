"""Where masking units begin: words, phrases and entities."""

import functools
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from data_gen.paragraphs import Spans, clip
from keras_bert.errors import InputError


def sentence_spans(paragraph: str, sentences: Sequence[str], spans: Spans) -> Iterator[Spans]:
    """Yields the spans of each sentence of a paragraph, in characters of the sentence.

    Args:
        paragraph: str.
        sentences: Sequence of str, in order, each of them part of the paragraph.
        spans: units of the paragraph. One that goes on in another sentence becomes two.

    Example:

    ```python
    list(sentence_spans("Ah. My dog.", ["Ah.", "My dog."], [(4, 10)]))      # [[], [(0, 6)]]
    ```
    """
    end = 0
    for sentence in sentences:
        begin = paragraph.index(sentence, end)
        end = begin + len(sentence)
        yield clip(spans, begin, end)


def chinese_word_spans(sentences: Sequence[str]) -> list[Spans]:
    """Returns the words of each sentence as jieba finds them.

    Raises:
        InputError: If jieba is not installed.
    """
    cut = _load_jieba()
    spans = []
    for sentence in sentences:
        ends = np.cumsum([len(word) for word in cut(sentence)]).tolist()
        spans.append(list(zip([0, *ends], ends, strict=False)))
    return spans


@functools.lru_cache(maxsize=1)
def _load_jieba() -> Callable[[str], Iterator[str]]:
    with warnings.catch_warnings():
        # Old escapes in its strings, and pkg_resources.
        warnings.simplefilter("ignore")
        try:
            import jieba
        except ImportError as error:
            raise InputError(
                "`--segmentation jieba` needs the package jieba (the extra `chinese`)"
            ) from error
    jieba.setLogLevel(logging.WARNING)
    tokenizer = jieba.Tokenizer()
    # It would read its dictionary from a file in the common temporary directory, whoever wrote it.
    with tempfile.TemporaryDirectory() as directory:
        tokenizer.tmp_dir = directory
        tokenizer.initialize()
    return tokenizer.cut


def continues_span(
    sentences: Sequence[str], spans: Sequence[Spans], lengths: np.ndarray, starts: np.ndarray
) -> np.ndarray:
    """Says which tokens belong to the same span as the token before them.

    Args:
        sentences: Sequence of str.
        spans: for each sentence, its units in characters.
        lengths: int64 `(sentences,)`. Tokens of each sentence.
        starts: int64 `(tokens,)`. Where each token begins, in bytes of its sentence.

    Returns:
        A bool array `(tokens,)`.
    """
    # All in one coordinate: bytes of the sentences' concatenation.
    points = np.frombuffer("".join(sentences).encode("utf-32-le"), np.uint32)
    sizes = 1 + (points > 0x7F).astype(np.int64) + (points > 0x7FF) + (points > 0xFFFF)
    places = np.concatenate([[0], np.cumsum(sizes)])
    firsts = np.cumsum([0, *map(len, sentences)])[:-1]
    counts = [len(row) for row in spans]
    flat = np.array([span for row in spans for span in row], np.int64).reshape(-1, 2)
    flat = places[flat + np.repeat(firsts, counts)[:, np.newaxis]]
    token_places = starts + np.repeat(places[firsts], lengths)
    owner = np.searchsorted(flat[:, 0], token_places, side="right") - 1
    # A last end at 0 stands for the tokens before all spans.
    owner[token_places >= np.append(flat[:, 1], 0)[owner]] = -1
    return (owner >= 0) & (owner == np.concatenate([[-1], owner])[:-1])
