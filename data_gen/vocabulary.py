"""`python -m data_gen vocab`: WordPiece vocabularies."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from data_gen.findings import findings, lost_mark_rates, warn_of
from data_gen.options import VocabularyOptions
from data_gen.progress import corpus_progress
from data_gen.scripts import ScriptCounter
from data_gen.sources import Corpus
from data_gen.words import WordCounter
from keras_bert.atomic import new_file, write_json
from keras_bert.errors import InputError
from keras_bert.failures import reason_of
from keras_bert.outputs import check_file
from keras_bert.text.character_rules import rules_of
from keras_bert.text.vocabulary import SPECIAL_TOKENS, UNKNOWN, Vocabulary

_WORDS_TO_A_STRING = 4096
_PARAGRAPHS_AT_A_TIME = 64


def learn(options: VocabularyOptions) -> Vocabulary:
    """Learns a vocabulary from files and writes it.

    Args:
        options: `VocabularyOptions`. They are kept beside the vocabulary, in
            `<output>.config.json`.

    Raises:
        InputWarning: For each number that is out of its usual range (`data_gen.findings`).
        InputError: If the corpus cannot be read, an option is out of range, the size is too small
            for the characters of the text, or the output cannot be written.
    """
    configuration = f"{options.output}.config.json"
    check_file(options.output, "--output")
    check_file(configuration, "--output")
    corpus = Corpus(
        options.input,
        options.text_field,
        outputs={"--output": options.output, "--output's configuration": configuration},
    )
    with corpus_progress("reading", corpus.bytes) as update:
        counter = WordCounter(not options.cased)
        scripts = ScriptCounter(enabled=not options.cased)
        counter.add(_counted(_paragraphs(corpus, update), scripts))
    vocabulary = vocabulary_of(
        counter.counts,
        size=options.size,
        minimum_frequency=options.minimum_frequency,
        characters=options.characters,
    )
    try:
        with new_file(configuration) as temporary:
            write_json(temporary, dataclasses.asdict(options))
            vocabulary.save(options.output)
    except OSError as error:
        raise InputError(f"{options.output}: cannot write: {reason_of(error)}") from error
    print(f"{options.output}: {len(vocabulary)} tokens")
    warn_of(options.output, findings(_statistics(counter, scripts, vocabulary)))
    return vocabulary


def _counted(paragraphs: Iterable[str], scripts: ScriptCounter) -> Iterator[str]:
    paragraphs = iter(paragraphs)
    while batch := list(itertools.islice(paragraphs, _PARAGRAPHS_AT_A_TIME)):
        scripts.add(batch)
        yield from batch


def _statistics(
    counter: WordCounter, scripts: ScriptCounter, vocabulary: Vocabulary
) -> dict[str, int | float]:
    """What tells whether the vocabulary fits its text."""
    letters = {token for token in vocabulary.tokens if len(token) == 1}
    words = counter.counts.total()
    rare = sum(count for word, count in counter.counts.items() if not letters.issuperset(word))
    return {
        "characters": counter.characters,
        "words": words,
        "long_word_rate": counter.long_characters / max(counter.characters, 1),
        "rare_character_word_rate": rare / max(words, 1),
        **lost_mark_rates(scripts.counts()),
    }


def _paragraphs(corpus: Corpus, update: Callable[[int, int, str], None]) -> Iterator[str]:
    for number, document in enumerate(corpus, start=1):
        yield from document.paragraphs
        update(corpus.bytes_read, number, "documents")


def learn_vocabulary(
    paragraphs: Iterable[str],
    *,
    size: int,
    lowercase: bool = True,
    minimum_frequency: int = 2,
    characters: int = 1000,
) -> Vocabulary:
    """Learns a WordPiece vocabulary whose words are split as `BertTokenizer` splits them.

    The same text gives the same vocabulary, in any process. Words that are too long for the
    tokenizer, such as encoded data, change nothing. Time grows with the text, memory does not
    (`data_gen.words.MOST_WORDS`).

    Args:
        paragraphs: Iterable of str.
        size: int. Tokens, special tokens counted; fewer if the text has not so many pieces.
        lowercase: bool. Lower-case and strip accents first.
        minimum_frequency: int. Occurrences that a merged piece must have.
        characters: int. Distinct characters to keep, the most frequent ones.

    Raises:
        InputError: If `size` does not hold the special tokens and the characters of the text.

    Example:

    ```python
    learn_vocabulary(["some text", "more text"], size=100)
    ```

    References:
        - Schuster and Nakajima 2012; the learner is that of the `tokenizers` library.
    """
    counter = WordCounter(lowercase)
    counter.add(paragraphs)
    return vocabulary_of(
        counter.counts, size=size, minimum_frequency=minimum_frequency, characters=characters
    )


def vocabulary_of(
    counter: Counter[str], *, size: int, minimum_frequency: int = 2, characters: int = 1000
) -> Vocabulary:
    """Learns a WordPiece vocabulary from counted words; see `learn_vocabulary`."""
    words = sorted(counter)
    if not words:
        raise InputError(
            f"`--input`: the corpus has no words of at most {rules_of('bert').max_characters} "
            "characters; longer ones are [UNK] to the tokenizer"
        )
    alphabet = Counter()
    for word in words:
        alphabet.update(dict.fromkeys(set(word), counter[word]))
    kept = sorted(alphabet, key=lambda character: (-alphabet[character], character))[:characters]
    inner = {character for word in words for character in word[1:]} & set(kept)
    letters = [*sorted(kept), *(f"##{character}" for character in sorted(inner))]
    smallest = len(SPECIAL_TOKENS) + len(letters)
    if size < smallest:
        raise InputError(
            f"`--size` must be at least {smallest}, for the special tokens and the characters of "
            f"the text. Received: {size}"
        )
    learner = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    # The words are split already, by the tokenizer's own rules.
    learner.pre_tokenizer = pre_tokenizers.Split(" ", behavior="removed")
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=minimum_frequency,
        # The learner numbers the letters inside words in the order of a hash table, which differs
        # between processes, and breaks ties by number. Given first, they have fixed numbers.
        special_tokens=[*SPECIAL_TOKENS, *letters],
        initial_alphabet=kept,
        limit_alphabet=len(kept),
        show_progress=False,
    )
    learner.train_from_iterator(_repeated(words, counter), trainer)
    ids = learner.get_vocab()
    return Vocabulary(tuple(sorted(ids, key=ids.get)))


def _repeated(words: list[str], counter: Counter[str]) -> Iterator[str]:
    """Each word as often as it occurs, some thousands to a string."""
    for word in words:
        left = counter[word]
        while left:
            count = min(left, _WORDS_TO_A_STRING)
            yield " ".join([word] * count)
            left -= count
