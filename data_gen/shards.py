"""The unit of work: a partition of documents in, one shard out."""

import dataclasses
import functools
import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from data_gen.documents import TokenizedDocuments
from data_gen.encoding import Encoder, Masker, with_masks
from data_gen.examples import Example, Objective
from data_gen.lexicon import Lexicon
from data_gen.options import PretrainingDataOptions
from data_gen.packing import pack
from data_gen.pairs import NextSentencePairs, SentenceOrderPairs
from data_gen.partitions import Partition
from data_gen.repeats import sample_of
from data_gen.scripts import ScriptCounter
from data_gen.sequences import FullSentences, SingleSequence
from data_gen.statistics import (
    count_documents,
    count_examples,
    count_fields,
    count_texts,
    count_units,
    largest_document,
)
from data_gen.tokenization import tokenize_documents
from keras_bert.atomic import sha256_of_file, write_json
from keras_bert.records import Shard, encode_example, write_shard
from keras_bert.text.masking import MaskedLMMasker, most_predictions
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import Vocabulary

OBJECTIVES: Mapping[str, Callable[..., Objective]] = {
    "nsp": NextSentencePairs,
    "sop": SentenceOrderPairs,
    "full_sentences": FullSentences,
    "document_sentences": functools.partial(FullSentences, across_documents=False),
    "single_sequence": SingleSequence,
    # The same text; what differs is what the model sees of it.
    "left_to_right": SingleSequence,
}

UNFINISHED = ".unfinished"
"""Directory, inside that of the shards, of what a run has finished before it is whole."""


# They name what has a fingerprint of its own.
_NAMES = ("input", "vocab", "lexicon")


@dataclasses.dataclass(frozen=True)
class Result:
    """What a partition became.

    Args:
        shard: `Shard`, or None if it gave no example.
        counts: Counter of what was seen and made.
        text: tuple of str. Name and fingerprint of the partition.
        largest: int. Tokens of its largest document.
        repeats: Counter. How often each paragraph of a sample occurs (`data_gen.repeats`).
    """

    shard: Shard | None
    counts: Counter[str]
    text: tuple[str, str]
    largest: int = 0
    repeats: Counter[str] = dataclasses.field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Returns what `of_json` reads back."""
        shard = self.shard and dataclasses.asdict(self.shard)
        return {**vars(self), "shard": shard}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> "Result":
        shard = values["shard"]
        return cls(
            shard and Shard(**shard),
            Counter(values["counts"]),
            tuple(values["text"]),
            values["largest"],
            Counter(values["repeats"]),
        )


def objective_of(options: PretrainingDataOptions) -> Objective:
    """Makes the objective that the options name."""
    chosen = {"sequence_length": options.sequence_length}
    if options.short_sequence_probability is not None:
        chosen["short_sequence_probability"] = options.short_sequence_probability
    return OBJECTIVES[options.objective](**chosen)


def predictions_of(options: PretrainingDataOptions) -> int:
    """Returns the most masked tokens of a row whose masks are drawn now."""
    if options.max_predictions is not None:
        return options.max_predictions
    return most_predictions(options.sequence_length, options.mask_rate)


def content_settings(options: PretrainingDataOptions) -> dict[str, Any]:
    """The options that decide about the content of shards: not where it goes and how it is made."""
    settings = dataclasses.asdict(options)
    for name in ("output", "workers", "runner", "beam_options"):
        del settings[name]
    return settings


def binding_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns those of `content_settings` that are no names of something."""
    return {name: value for name, value in settings.items() if name not in _NAMES}


def inputs_of(
    options: PretrainingDataOptions, vocabulary: Vocabulary, texts: Iterable[tuple[str, str]]
) -> dict[str, str]:
    """Returns fingerprints of what the options name, wherever it stands.

    Args:
        options: `PretrainingDataOptions`.
        vocabulary: `Vocabulary`.
        texts: Names and fingerprints of all partitions, in any order.
    """
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(texts))
    found = {"input": hashlib.sha256(lines.encode()).hexdigest(), "vocab": vocabulary.sha256}
    return {**found, "lexicon": sha256_of_file(options.lexicon)} if options.lexicon else found


def build_shard(
    partition: Partition,
    options: PretrainingDataOptions,
    *,
    vocabulary: Vocabulary,
    directory: Path,
) -> Result:
    """Tokenises documents, cuts them into examples and writes one shard.

    The shard depends on the partition, its name, the options, the vocabulary and nothing else. A
    note beside it says from what it was made; where shard and note stand already, as after a run
    that was killed, nothing is done again.

    Args:
        partition: `Partition`.
        options: `PretrainingDataOptions`.
        vocabulary: `Vocabulary`. Read once for all shards, so that all agree whatever happens to
            the file meanwhile.
        directory: Path. Where the shard is written.
    """
    path = directory / f"shard-{partition.name}.tfrecord"
    note = directory / UNFINISHED / f"{path.stem}.json"
    text = (partition.name, partition.sha256)
    content = [vocabulary.sha256, *text]
    if options.lexicon:
        content.append(sha256_of_file(options.lexicon))
    settings = binding_settings(content_settings(options))
    fingerprint = hashlib.sha256(json.dumps([settings, *content]).encode()).hexdigest()
    finished = _read_note(note, fingerprint, directory)
    if finished is not None:
        return finished
    rng = random.Random(f"{options.seed}-{partition.name}")
    texts = list(partition.documents)
    rng.shuffle(texts)
    tokenizer = _tokenizer(vocabulary, not options.cased)
    documents = tokenize_documents(
        texts,
        tokenizer,
        options.language,
        split=options.sentences == "split",
        segmentation=options.segmentation,
        lexicon=options.lexicon and _lexicon(options.lexicon, tokenizer),
    )
    counts = count_documents(documents, vocabulary)
    count_texts(texts, counts)
    count_units(documents, vocabulary, counts, segmentation=options.segmentation != "none")
    scripts = ScriptCounter(enabled=not options.cased)
    scripts.add(paragraph for each in texts for paragraph in each.paragraphs)
    counts.update(scripts.counts())
    rows = _rows(documents, options, rng, counts)
    shard = None
    if rows:
        fields = map(Encoder(documents, vocabulary, packed=options.packed), rows)
        if options.static_masks:
            fields = with_masks(
                list(fields),
                _masker(vocabulary, options),
                sequence_length=options.sequence_length,
                seed=rng.getrandbits(63),
            )
        shard = write_shard(path, map(encode_example, count_fields(fields, counts)))
    repeats = sample_of(paragraph for each in texts for paragraph in each.paragraphs)
    result = Result(shard, counts, text, largest_document(documents), repeats)
    write_json(note, {"fingerprint": fingerprint, **result.to_json()})
    return result


def _read_note(note: Path, fingerprint: str, directory: Path) -> Result | None:
    try:
        values = json.loads(note.read_text(encoding="utf-8"))
        if values["fingerprint"] != fingerprint:
            return None
        result = Result.of_json(values)
        shard = result.shard
        if shard and sha256_of_file(directory / shard.name) != shard.sha256:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return result


@functools.lru_cache(maxsize=1)
def _tokenizer(vocabulary: Vocabulary, lowercase: bool) -> BertTokenizer:
    return BertTokenizer(vocabulary, lowercase=lowercase)


@functools.lru_cache(maxsize=1)
def _lexicon(path: str, tokenizer: BertTokenizer) -> Lexicon:
    return Lexicon.from_file(path, tokenizer)


@functools.lru_cache(maxsize=1)
def _masker(vocabulary: Vocabulary, options: PretrainingDataOptions) -> Masker:
    masker = MaskedLMMasker(
        vocabulary,
        predictions_of(options),
        units=options.mask_units,
        mask_rate=options.mask_rate,
        mask_token_rate=options.mask_token_rate,
        random_token_rate=options.random_token_rate,
    )
    return tf.function(masker, reduce_retracing=True)


def _rows(
    documents: TokenizedDocuments,
    options: PretrainingDataOptions,
    rng: random.Random,
    counts: Counter[str],
) -> list[tuple[Example, ...]]:
    """All rows of a partition, shuffled: usually of one example, of several where packed."""
    objective = objective_of(options)
    # A pair needs another document, which all the text may lack that has tokens.
    if len(documents) < (2 if objective.makes_pairs else 1):
        return []
    examples: list[Example] = []
    for _ in range(options.duplicates):
        examples.extend(objective(documents, rng))
    count_examples(examples, counts)
    if options.packed:
        rows = pack(examples, options.sequence_length)
    else:
        rows = [(example,) for example in examples]
    rng.shuffle(rows)
    return rows
