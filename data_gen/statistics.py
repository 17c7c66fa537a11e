"""What is counted while shards are made, and the rates that follow."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from data_gen.documents import TokenizedDocuments
from data_gen.encoding import Fields
from data_gen.examples import Example
from keras_bert.text.vocabulary import Vocabulary


def count_documents(documents: TokenizedDocuments, vocabulary: Vocabulary) -> Counter[str]:
    """Counts documents, sentences, tokens and unknown tokens."""
    return Counter(
        documents=len(documents),
        sentences=len(documents.sentence_starts) - 1,
        tokens=len(documents.token_ids),
        unknown_tokens=int(np.count_nonzero(documents.token_ids == vocabulary.unknown_id)),
    )


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
    counts: Mapping[str, int], *, objective: str, sequence_length: int, packed: bool, masked: bool
) -> dict[str, int | float]:
    """Returns counts and measured rates for the manifest.

    Args:
        counts: `Counter` of all shards.
        objective: str.
        sequence_length: int.
        packed: bool. Whether rows hold several examples.
        masked: bool. Whether masks were drawn.

    Returns:
        A dictionary: `documents`, `sentences`, `tokens` and `unknown_tokens` of the text;
        `examples` and `example_tokens` of the shards; `tokens_per_example`, `fill_rate` (real
        tokens among all places), `unknown_token_rate`, `short_example_rate`,
        `trimmed_example_rate` and `trimmed_tokens`; for pairs `random_next_rate` or
        `swapped_rate`; for packed rows `packed_examples` and `unpacked_fill_rate`; with masks
        `masked_tokens` and `mask_rate`.
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
    }
    if objective in LABEL_RATES:
        result[LABEL_RATES[objective]] = counts["labels_of_one"] / cut
    if packed:
        result["packed_examples"] = counts["cut_examples"]
        result["unpacked_fill_rate"] = counts["example_tokens"] / cut / sequence_length
    if masked:
        result["masked_tokens"] = counts["masked_tokens"]
        result["mask_rate"] = counts["masked_tokens"] / max(counts["example_tokens"], 1)
    return result
