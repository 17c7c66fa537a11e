"""The unit of work: a partition of documents in, one shard out."""

import dataclasses
import functools
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from data_gen.options import PretrainingDataOptions
from data_gen.pairs import Document, NextSentencePairs
from data_gen.sentences import split_sentences
from keras_bert.errors import InputError
from keras_bert.records import Shard, encode_example, write_shard
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import Vocabulary

_SENTENCES_AT_A_TIME = 8192


@dataclasses.dataclass
class Statistics:
    """Counts of one shard or, added up, of all."""

    documents: int = 0
    sentences: int = 0
    tokens: int = 0
    unknown_tokens: int = 0
    examples: int = 0
    example_tokens: int = 0
    random_next: int = 0

    def __add__(self, other: "Statistics") -> "Statistics":
        mine, others = dataclasses.astuple(self), dataclasses.astuple(other)
        return Statistics(*(a + b for a, b in zip(mine, others, strict=True)))

    def summary(self, sequence_length: int) -> dict[str, float]:
        """Returns counts and measured rates for the manifest."""
        examples = max(self.examples, 1)
        return {
            **dataclasses.asdict(self),
            "tokens_per_example": self.example_tokens / examples,
            "fill_rate": self.example_tokens / examples / sequence_length,
            "random_next_rate": self.random_next / examples,
            "unknown_token_rate": self.unknown_tokens / max(self.tokens, 1),
        }


@dataclasses.dataclass(frozen=True)
class Partition:
    """Documents that become one shard.

    Args:
        index: int. Number of the shard.
        documents: list of documents, each a list of paragraphs.
    """

    index: int
    documents: list[list[str]]


def partitions(documents: Iterable[list[str]], partition_bytes: int) -> Iterator[Partition]:
    """Cuts a stream of documents into partitions of about `partition_bytes` of UTF-8.

    Each holds at least two documents, since a random next sentence comes from another document of
    the partition.

    Args:
        documents: Iterable of documents, each a list of paragraphs.
        partition_bytes: int. A partition ends with the document that reaches this size.

    Raises:
        InputError: If the corpus has only one document.
    """
    index = 0
    ready: list[list[str]] = []
    current: list[list[str]] = []
    size = 0
    for document in documents:
        current.append(document)
        size += sum(len(paragraph.encode()) for paragraph in document)
        if size >= partition_bytes and len(current) >= 2:
            # One partition is held back: a single last document joins it.
            if ready:
                yield Partition(index, ready)
                index += 1
            ready, current, size = current, [], 0
    if len(current) == 1 and ready:
        ready, current = ready + current, []
    for rest in (ready, current):
        if len(rest) == 1:
            raise InputError(
                "`--input`: next-sentence prediction needs at least two documents, with a blank "
                "line between them. Received: 1"
            )
        if rest:
            yield Partition(index, rest)
            index += 1


@functools.lru_cache(maxsize=1)
def _tokenizer(vocabulary: Vocabulary, lowercase: bool) -> BertTokenizer:
    return BertTokenizer(vocabulary, lowercase=lowercase)


def build_shard(
    partition: Partition,
    options: PretrainingDataOptions,
    *,
    vocabulary: Vocabulary,
    directory: Path,
) -> tuple[Shard, Statistics]:
    """Tokenises documents, pairs their sentences and writes one shard.

    The result depends on the partition, its number, the options, the vocabulary and nothing else.

    Args:
        partition: `Partition`.
        options: `PretrainingDataOptions`.
        vocabulary: `Vocabulary`. Read once for all shards, so that all agree whatever happens to
            the file meanwhile.
        directory: Path. Where the shard is written.

    Returns:
        The shard, which holds no example if fewer than two documents hold tokens, and its counts.
    """
    tokenizer = _tokenizer(vocabulary, not options.cased)
    documents, statistics = tokenize(partition.documents, tokenizer, options.language)
    rng = random.Random(f"{options.seed}-{partition.index}")
    rng.shuffle(documents)
    pairs = NextSentencePairs(
        options.sequence_length,
        start_id=vocabulary.start_id,
        end_id=vocabulary.end_id,
        short_sequence_probability=options.short_sequence_probability,
    )
    examples = []
    # All the text may have been of no tokens, or of one document's alone.
    if len(documents) >= 2:
        for _ in range(options.duplicates):
            examples.extend(pairs(documents, rng))
    rng.shuffle(examples)
    statistics.examples = len(examples)
    statistics.example_tokens = sum(len(example.token_ids) for example in examples)
    statistics.random_next = sum(example.next_sentence_label for example in examples)
    shard = write_shard(
        directory / f"shard-{partition.index:05d}.tfrecord",
        (
            encode_example(example.token_ids, example.segment_ids, example.next_sentence_label)
            for example in examples
        ),
    )
    return shard, statistics


def tokenize(
    documents: list[list[str]], tokenizer: BertTokenizer, language: str
) -> tuple[list[Document], Statistics]:
    """Splits documents into sentences and those into ids; drops what has no tokens.

    Args:
        documents: list of documents, each a list of paragraphs.
        tokenizer: `BertTokenizer`.
        language: str. Language code for sentence boundaries.
    """
    statistics = Statistics()
    sentences: list[str] = []
    owners: list[int] = []
    for number, paragraphs in enumerate(documents):
        for paragraph in paragraphs:
            parts = split_sentences(paragraph, language)
            sentences += parts
            owners += [number] * len(parts)
    tokenized: list[list[list[int]]] = [[] for _ in documents]
    unknown_id = tokenizer.vocabulary.unknown_id
    for start in range(0, len(sentences), _SENTENCES_AT_A_TIME):
        batch = slice(start, start + _SENTENCES_AT_A_TIME)
        rows = tokenizer(sentences[batch]).to_list()
        for owner, ids in zip(owners[batch], rows, strict=True):
            if ids:
                tokenized[owner].append(ids)
                statistics.sentences += 1
                statistics.tokens += len(ids)
                statistics.unknown_tokens += ids.count(unknown_id)
    kept = [document for document in tokenized if document]
    statistics.documents = len(kept)
    return kept, statistics
