"""The options of `python -m data_gen`."""

import dataclasses
from typing import Literal

from keras_bert.command_line import option

_INPUT = (
    "files to read, as a glob (** descends): text with a blank line between documents and a "
    'paragraph per line, or .jsonl with a field "text"; .gz too'
)


@dataclasses.dataclass(frozen=True)
class VocabularyOptions:
    """Options of `python -m data_gen vocab`."""

    input: str = option(help=_INPUT)
    output: str = option(help="vocabulary file to write, usually vocab.txt")
    size: int = option(30522, help="tokens, special tokens counted")
    cased: bool = option(False, help="keep capitals and accents")
    minimum_frequency: int = option(2, help="occurrences that a merged piece must have")
    characters: int = option(
        1000,
        help="distinct characters to keep, the most frequent ones; rarer ones become [UNK]. "
        "Chinese needs some thousands",
    )


@dataclasses.dataclass(frozen=True)
class PretrainingDataOptions:
    """Options of `python -m data_gen pretrain`."""

    input: str = option(help=_INPUT)
    vocab: str = option(help="vocabulary file, one token per line")
    output: str = option(help="shard directory to make")
    cased: bool = option(False, help="keep capitals and accents, as the vocabulary does")
    language: str = option(
        "en", help="language code for sentence boundaries, such as en or zh; unknown: as en"
    )
    sequence_length: int = option(128, help="tokens of an example, at most, special ones counted")
    objective: Literal["nsp"] = option("nsp", help="second segment: nsp, next or random sentences")
    short_sequence_probability: float = option(
        0.1, help="share of examples with a shorter target length, 0 to 1"
    )
    duplicates: int = option(
        1, help="passes over each document, each with other pairs; masks are drawn while training"
    )
    partition_bytes: int = option(
        8_000_000, help="text that becomes one shard, in bytes; random sentences come from within"
    )
    seed: int = option(12345, help="seed of lengths, pairs and order")
    workers: int = option(1, help="processes")


@dataclasses.dataclass(frozen=True)
class VerifyOptions:
    """Options of `python -m data_gen verify`."""

    directory: str = option(help="shard directory", positional=True)
