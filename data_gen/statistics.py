"""What is counted while shards are made, and the rates that follow."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from data_gen.documents import Document, TokenizedDocuments
from data_gen.encoding import Fields
from data_gen.examples import Example
from data_gen.findings import lost_mark_rates
from keras_bert.text.vocabulary import Vocabulary

# A book is smaller. Above 2 MB documents are read in pieces.
_GIANT_BYTES = 1_000_000


def count_documents(documents: TokenizedDocuments, vocabulary: Vocabulary) -> Counter[str]:
    """Counts documents, those of one sentence, sentences, tokens and unknown tokens."""
    sentences = np.diff(documents.document_starts)
    return Counter(
        single_sentence_documents=int(np.count_nonzero(sentences == 1)),
        documents=len(documents),
        sentences=len(documents.sentence_starts) - 1,
        tokens=len(documents.token_ids),
        unknown_tokens=int(np.count_nonzero(documents.token_ids == vocabulary.unknown_id)),
    )


def count_texts(texts: Sequence[Document], counts: Counter[str]) -> None:
    """Adds what the text before tokenization tells to `counts`."""
    sizes = [text.bytes for text in texts]
    counts.update(
        all_documents=len(texts),
        bytes=sum(sizes),
        giant_document_bytes=sum(size for size in sizes if size >= _GIANT_BYTES),
    )


def count_units(
    documents: TokenizedDocuments,
    vocabulary: Vocabulary,
    counts: Counter[str],
    *,
    segmentation: bool,
) -> None:
    """Adds words that are joined to larger units, and entries of a lexicon, to `counts`."""
    if segmentation:
        words = vocabulary.starts_word[documents.token_ids]
        counts["words"] += int(np.count_nonzero(words))
        counts["joined_words"] += int(np.count_nonzero(words & ~documents.unit_starts))
    if documents.lexicon_tokens is not None:
        counts["lexicon_text"] += len(documents.token_ids)
        counts["lexicon_tokens"] += documents.lexicon_tokens


def largest_document(documents: TokenizedDocuments) -> int:
    """Returns the tokens of the largest document."""
    bounds = documents.sentence_starts[documents.document_starts]
    return int(np.diff(bounds).max(initial=0))


def count_examples(examples: Sequence[Example], counts: Counter[str]) -> None:
    """Adds what the objective did to `counts`."""
    counts.update(
        cut_examples=len(examples),
        short_examples=sum(example.is_short for example in examples),
        trimmed_examples=sum(example.trimmed > 0 for example in examples),
        trimmed_tokens=sum(example.trimmed for example in examples),
        labels_of_one=sum(example.label or 0 for example in examples),
    )


def count_fields(rows: Iterable[Fields], counts: Counter[str]) -> Iterator[Fields]:
    """Passes rows on and adds their tokens and masks to `counts`."""
    for row in rows:
        counts["examples"] += 1
        counts["example_tokens"] += len(row["token_ids"])
        counts["masked_tokens"] += len(row.get("masked_ids", ()))
        yield row


LABEL_RATES = {"nsp": "random_next_rate", "sop": "swapped_rate"}


def summary(
    counts: Mapping[str, int],
    *,
    objective: str,
    sequence_length: int,
    packed: bool,
    masked: bool,
    largest: int = 0,
    repeats: Mapping[str, int] | None = None,
) -> dict[str, int | float]:
    """Returns counts and measured rates for the manifest.

    Args:
        counts: `Counter` of all shards.
        objective: str.
        sequence_length: int.
        packed: bool. Whether rows hold several examples.
        masked: bool. Whether masks were drawn.
        largest: int. Tokens of the largest document.
        repeats: dictionary or None. How often each paragraph of a sample occurs.

    Returns:
        A dictionary: `documents`, `sentences`, `tokens` and `unknown_tokens` of the text;
        `examples` and `example_tokens` of the shards; `tokens_per_example`, `fill_rate` (real
        tokens among all places), `unknown_token_rate`, `single_sentence_rate`,
        `largest_document_rate`, `giant_document_rate` and `empty_document_rate` of the documents,
        `duplicate_paragraph_rate`, estimated; `short_example_rate`,
        `trimmed_example_rate` and `trimmed_tokens`; for pairs `random_next_rate` or
        `swapped_rate`; for packed rows `packed_examples` and `unpacked_fill_rate`; with masks
        `masked_tokens` and `mask_rate`; with units `joined_unit_rate` and `lexicon_rate`; for
        each script of an uncased text with marks, its `..._lost_mark_rate`.
    """
    names = ("documents", "sentences", "tokens", "unknown_tokens", "examples", "example_tokens")
    result: dict[str, int | float] = {name: counts[name] for name in names}
    examples, cut = max(counts["examples"], 1), max(counts["cut_examples"], 1)
    result |= {
        "tokens_per_example": counts["example_tokens"] / examples,
        "fill_rate": counts["example_tokens"] / examples / sequence_length,
        "unknown_token_rate": counts["unknown_tokens"] / max(counts["tokens"], 1),
        "short_example_rate": counts["short_examples"] / cut,
        "trimmed_example_rate": counts["trimmed_examples"] / cut,
        "trimmed_tokens": counts["trimmed_tokens"],
        "single_sentence_rate": counts["single_sentence_documents"] / max(counts["documents"], 1),
        "largest_document_rate": largest / max(counts["tokens"], 1),
        "giant_document_rate": counts["giant_document_bytes"] / max(counts["bytes"], 1),
        "empty_document_rate": 1 - counts["documents"] / max(counts["all_documents"], 1),
    }
    if repeats:
        compared = sum(repeats.values())
        result["compared_paragraphs"] = compared
        result["duplicate_paragraph_rate"] = 1 - len(repeats) / compared
    if "words" in counts:
        result["joined_unit_rate"] = counts["joined_words"] / max(counts["words"], 1)
    if "lexicon_text" in counts:
        result["lexicon_rate"] = counts["lexicon_tokens"] / max(counts["lexicon_text"], 1)
    result |= lost_mark_rates(counts)
    if objective in LABEL_RATES:
        result[LABEL_RATES[objective]] = counts["labels_of_one"] / cut
    if packed:
        result["packed_examples"] = counts["cut_examples"]
        result["unpacked_fill_rate"] = counts["example_tokens"] / cut / sequence_length
    if masked:
        result["masked_tokens"] = counts["masked_tokens"]
        result["mask_rate"] = counts["masked_tokens"] / max(counts["example_tokens"], 1)
    return result
