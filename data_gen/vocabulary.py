"""`python -m data_gen vocab`: WordPiece vocabularies."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator

import rich.console
import tensorflow as tf
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from data_gen.options import VocabularyOptions
from data_gen.sources import read_documents
from keras_bert.atomic import write_json
from keras_bert.errors import InputError
from keras_bert.text.normalization import normalize
from keras_bert.text.vocabulary import SPECIAL_TOKENS, UNKNOWN, Vocabulary

_PARAGRAPHS_AT_A_TIME = 4096
# Characters seen less often than the thousand most frequent ones become [UNK].
_ALPHABET = 1000


def learn(options: VocabularyOptions) -> Vocabulary:
    """Learns a vocabulary from files and writes it.

    Raises:
        InputError: If the corpus cannot be read or the size is too small for its characters.
    """
    paragraphs = itertools.chain.from_iterable(read_documents(options.input))
    vocabulary = learn_vocabulary(
        paragraphs,
        size=options.size,
        lowercase=not options.cased,
        minimum_frequency=options.minimum_frequency,
    )
    vocabulary.save(options.output)
    write_json(f"{options.output}.config.json", dataclasses.asdict(options))
    rich.console.Console().print(f"{options.output}: {len(vocabulary)} tokens")
    return vocabulary


def learn_vocabulary(
    paragraphs: Iterable[str], *, size: int, lowercase: bool = True, minimum_frequency: int = 2
) -> Vocabulary:
    """Learns a WordPiece vocabulary whose words are split as `BertTokenizer` splits them.

    Args:
        paragraphs: Iterable of str.
        size: int. Tokens, special tokens counted; fewer if the text has not so many pieces.
        lowercase: bool. Lower-case and strip accents first.
        minimum_frequency: int. Occurrences that a merged piece must have.

    Raises:
        InputError: If `size` does not hold the special tokens and the characters of the text.

    Example:

    ```python
    learn_vocabulary(["some text", "more text"], size=100)
    ```

    References:
        - Schuster and Nakajima 2012; the learner is that of the `tokenizers` library.
    """
    learner = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    # The text arrives normalised; only Chinese characters still have to stand alone.
    learner.normalizer = normalizers.BertNormalizer(
        clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False
    )
    learner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    counter: Counter[str] = Counter()
    for text in _normalized(paragraphs, lowercase):
        for word, _ in learner.pre_tokenizer.pre_tokenize_str(
            learner.normalizer.normalize_str(text)
        ):
            counter[word] += 1
    # In sorted order, because the learner breaks ties by order of appearance.
    words = sorted(counter)
    alphabet = Counter()
    for word in words:
        alphabet.update(dict.fromkeys(set(word), counter[word]))
    kept = sorted(alphabet, key=lambda character: (-alphabet[character], character))[:_ALPHABET]
    inner = {character for word in words for character in word[1:]} & set(kept)
    smallest = len(SPECIAL_TOKENS) + len(kept) + len(inner)
    if size < smallest:
        raise InputError(
            f"`--size` must be at least {smallest}, for the special tokens and the characters of "
            f"the text. Received: {size}"
        )
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=minimum_frequency,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=kept,
        limit_alphabet=len(kept),
        show_progress=False,
    )
    learner.train_from_iterator(_repeated(words, counter), trainer)
    ids = learner.get_vocab()
    return Vocabulary(tuple(sorted(ids, key=ids.get)))


def _normalized(paragraphs: Iterable[str], lowercase: bool) -> Iterator[str]:
    paragraphs = iter(paragraphs)
    while batch := list(itertools.islice(paragraphs, _PARAGRAPHS_AT_A_TIME)):
        for text in normalize(tf.constant(batch), lowercase=lowercase).numpy():
            yield text.decode("utf-8")


def _repeated(words: list[str], counter: Counter[str]) -> Iterator[str]:
    """Each word as often as it occurs, some thousands to a string."""
    for word in words:
        left = counter[word]
        while left:
            count = min(left, 4096)
            yield " ".join([word] * count)
            left -= count
