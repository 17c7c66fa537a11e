"""The options of `python -m data_gen`."""

import dataclasses
from typing import Literal

from keras_bert.command_line import Options, option
from keras_bert.page import PAGE_HELP, PageForm
from keras_bert.ranges import Bytes, Count, CountOrZero, Seed, Share, ShareAboveZero
from keras_bert.text.mask_options import MaskUnits

Objective = Literal[
    "nsp", "sop", "full_sentences", "document_sentences", "single_sequence", "left_to_right"
]

_INPUT = (
    "files to read, as a glob (** descends): text with a blank line between documents and a "
    "paragraph per line, JSON lines or lists, tables (.csv, .tsv, Parquet), articles as "
    "WikiExtractor writes them; packed by gzip, bzip2, xz or Zstandard too. Or "
    "tfds:NAME[/CONFIG][:VERSION][@SPLIT][#FIELD], a data set that TensorFlow Datasets has prepared"
)
_TEXT_FIELD = (
    "field or column of the text, in JSON, tables and data sets; default: text. #FIELD behind "
    "--input says the same"
)


@dataclasses.dataclass(frozen=True)
class VocabularyOptions(Options):
    """Options of `python -m data_gen vocab`."""

    input: str = option(help=_INPUT)
    output: str = option(help="vocabulary file to write, usually vocab.txt")
    text_field: str | None = option(None, help=_TEXT_FIELD)
    size: Count = option(30522, help="tokens, special tokens counted")
    cased: bool = option(False, help="keep capitals and accents")
    minimum_frequency: Count = option(2, help="occurrences that a merged piece must have")
    characters: Count = option(
        1000,
        help="distinct characters to keep, the most frequent ones; rarer ones become [UNK]. "
        "Chinese needs some thousands",
    )


@dataclasses.dataclass(frozen=True)
class DeduplicationOptions(Options):
    """Options of `python -m data_gen deduplicate`."""

    input: str = option(help=_INPUT)
    output: str = option(help="directory to make, with compressed text and report.json")
    text_field: str | None = option(None, help=_TEXT_FIELD)
    near: bool = option(False, help="drop paragraphs too that resemble an earlier one")
    threshold: ShareAboveZero = option(
        0.8,
        help="with --near: the share of common runs of five words from which a paragraph is "
        "dropped, 0 to 1 (Jaccard similarity, estimated)",
    )
    # In 10 files of books, 1 in 8 lines below this length repeats, most of them chapter numbers,
    # exclamations and stage directions; of the longer ones 1 in 10,000.
    minimum_characters: CountOrZero = option(
        60,
        help="shorter paragraphs are kept: headings and dialogue repeat rightly. Chinese says the "
        "same in a third of the characters",
    )


@dataclasses.dataclass(frozen=True)
class PretrainingDataOptions(Options):
    """Options of `python -m data_gen pretrain`."""

    input: str = option(help=_INPUT)
    vocab: str = option(help="vocabulary file, one token per line")
    output: str = option(help="shard directory to make")
    text_field: str | None = option(None, help=_TEXT_FIELD)
    cased: bool = option(False, help="keep capitals and accents, as the vocabulary does")
    language: str = option(
        "en", help="language code for sentence boundaries, such as en or zh; unknown: as en"
    )
    sentences: Literal["split", "lines"] = option(
        "split", help="split: find sentences in paragraphs; lines: each line is a sentence already"
    )
    segmentation: Literal["none", "jieba", "given"] = option(
        "none",
        help="units to mask as a whole, kept with the tokens: jieba, Chinese words as it finds "
        'them; given, those of the fields "words" or "spans"; none, whatever training asks for',
    )
    lexicon: str | None = option(
        None,
        help="file of phrases or entities, one per line, each masked as a whole wherever it occurs",
    )
    sequence_length: Count = option(128, help="tokens of an example, at most, special ones counted")
    objective: Objective = option(
        "nsp",
        help="nsp: next or random sentences (BERT); sop: sentences in order or swapped (ALBERT); "
        "full_sentences: as many as fit, across documents; document_sentences: the same within a "
        "document (RoBERTa); single_sequence: one long run of text (SpanBERT); left_to_right: the "
        "same, to predict each next token (GPT)",
    )
    short_sequence_probability: Share | None = option(
        None,
        help="share of shorter target lengths, 0 to 1; default: 0.1 for nsp and sop, 0 for others",
    )
    duplicates: Count = option(
        1, help="passes over each document, each with other cuts and, if static, other masks"
    )
    packed: bool = option(
        False,
        help="put several short examples into a row, apart for attention; not with nsp and sop",
    )
    static_masks: bool = option(
        False, help="draw masks now, once and for all, as BERT did; otherwise while training"
    )
    mask_units: MaskUnits = option("token", help="static masks: what is masked as a whole")
    max_predictions: Count | None = option(
        None,
        help="static masks: masked tokens in a row, at most; default: --mask-rate of its length",
    )
    mask_rate: ShareAboveZero = option(0.15, help="static masks: share of tokens to mask, 0 to 1")
    mask_token_rate: Share = option(0.8, help="static masks: share of them that become [MASK]")
    random_token_rate: Share = option(
        0.1, help="static masks: share of them that become a random token"
    )
    partition_bytes: Bytes = option(
        8_000_000, help="text that becomes one shard, in bytes; random sentences come from within"
    )
    seed: Seed = option(12345, help="seed of lengths, pairs, order and static masks")
    workers: Count = option(1, help="processes, of the local runner")
    runner: Literal["local", "beam"] = option(
        "local", help="local: processes of this machine; beam: a cluster, by Apache Beam"
    )
    beam_options: str = option(
        "", help="Beam's own options in one string, such as '--runner=FlinkRunner'"
    )


@dataclasses.dataclass(frozen=True)
class VerifyOptions(Options):
    """Options of `python -m data_gen verify`."""

    directory: str = option(help="shard directory", positional=True)


@dataclasses.dataclass(frozen=True)
class ReportOptions(Options):
    """Options of `python -m data_gen report`."""

    directory: str = option(help="shard directory", positional=True)
    output: str | None = option(
        None, help="directory to make; default: report in the shard directory"
    )
    samples: CountOrZero = option(12, help="examples to show as text, spread over the shards")
    examples: CountOrZero = option(
        100_000, help="examples to count, at most, spread over the shards; 0 for all"
    )
    page: PageForm = option("one_file", help=f"form of the page: {PAGE_HELP}")
