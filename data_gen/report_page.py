"""The page of a report: one file of HTML with everything inside."""

from collections.abc import Mapping, Sequence
from typing import Any

from data_gen.findings import LOST_MARK_RATE, findings
from data_gen.report import Counts
from data_gen.report_pieces import Piece, VocabularyUse
from data_gen.report_samples import Sample
from data_gen.report_text import sample_html
from keras_bert.page import escaped, figures, table, whole_page

MEANINGS = {
    "documents": "of the text",
    "sentences": "of the text",
    "tokens": "of the text, without special tokens",
    "unknown_tokens": "[UNK]; the manifest's in the text, the shards' in the examples",
    "examples": "rows of the shards",
    "example_tokens": "with [CLS] and [SEP], without padding",
    "tokens_per_example": "mean",
    "fill_rate": "real tokens among all places",
    "unknown_token_rate": "share of [UNK], in the text and in the examples",
    "short_example_rate": "cut for a shorter length on purpose",
    "trimmed_example_rate": "pairs that were too long and lost tokens",
    "trimmed_tokens": "tokens that those pairs lost",
    "single_sentence_rate": "documents of one sentence",
    "largest_document_rate": "share of the text in one document",
    "giant_document_rate": "share of the text in documents of more than 1 MB",
    "empty_document_rate": "documents without tokens",
    "compared_paragraphs": "longer paragraphs, or a sample of them",
    "duplicate_paragraph_rate": "those that repeat an earlier one, estimated",
    "joined_unit_rate": "words joined to larger units",
    "lexicon_rate": "tokens in entries of the lexicon",
    "random_next_rate": "pairs whose second segment comes from elsewhere",
    "swapped_rate": "pairs in the wrong order",
    "labels_of_one_rate": "pairs with label 1",
    "packed_examples": "examples before they were put into rows",
    "unpacked_fill_rate": "fill rate if each example had a row of its own",
    "masked_tokens": "tokens to predict",
    "mask_rate": "share of tokens to predict",
}

# What only samples of pre-training have: masks, and the units that are masked.
_STYLE = """
:root { --mask: #fff0b8; --random: #ffd9c7; --kept: #dcefd9; --unit: #a3aab4; }
@media (prefers-color-scheme: dark) { :root { --mask: #574a12; --random: #63331f; --kept: #24452a;
  --unit: #5f6772; } }
.sample p { line-height: 2; }
.sample p + p { border-top: 1px dashed var(--line); }
.special { color: var(--dim); opacity: .65; font-size: .85em; }
.unit { border-bottom: 2px solid var(--unit); padding-bottom: 1px; margin: 0 2px; }
.mask { background: var(--mask); border-radius: 4px; padding: 0 .2em; line-height: 1.5;
  display: inline-block; max-width: 100%; }
.mask small { color: var(--dim); padding-left: .25em; }
.mask.random { background: var(--random); } .mask.unchanged { background: var(--kept); }
"""


def _number(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return escaped("" if value is None else value)
    if name.endswith("_rate"):
        return _percent(value)
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


def _meaning(name: str) -> str:
    if name.endswith(LOST_MARK_RATE):
        return "letters of that script that lose a mark in lower case"
    return MEANINGS.get(name, "")


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if 0 < share < 0.001 else f"{share:.2%}"


def _identity(counts: Counts) -> str:
    manifest = counts.manifest
    masks = "drawn in training"
    if manifest.has_masks:
        masks = f"static, at most {manifest.max_predictions} in a row"
    elif manifest.objective == "left_to_right":
        masks = "none: every token predicts the next"
    rows = {
        "objective": manifest.objective,
        "sequence length": f"{manifest.sequence_length:,} tokens",
        "vocabulary": f"{manifest.vocabulary_size:,} tokens",
        "vocabulary's SHA-256": manifest.vocabulary_sha256,
        "lower-cased": "yes" if manifest.lowercase else "no",
        "masks": masks,
        "fields": ", ".join(manifest.fields),
        "shards": f"{len(manifest.shards):,}",
        "bytes": f"{sum(shard.bytes for shard in manifest.shards):,}",
    }
    return table(
        ("property", "value"), [(escaped(name), escaped(value)) for name, value in rows.items()]
    )


def _measures(counts: Counts) -> str:
    stated, counted = counts.manifest.statistics, counts.measures()
    names = list(dict.fromkeys([*stated, *counted]))
    rows = [
        (
            escaped(name),
            _number(name, stated.get(name)),
            _number(name, counted.get(name)),
            escaped(_meaning(name)),
        )
        for name in names
    ]
    read = "in the shards" if counts.is_whole else f"in {counts.examples:,} examples"
    return table(("measure", "in the manifest", read, "meaning"), rows, numbers=(1, 2))


def _pieces(title: str, pieces: Sequence[Piece]) -> str:
    rows = [
        (f"<bdi>{escaped(piece.text)}</bdi>", f"{piece.count:,}", _percent(piece.share))
        for piece in pieces
    ]
    listed = table(("piece", "count", "share"), rows, numbers=(1, 2)) if rows else "<p>none</p>"
    return f"<div><h3>{escaped(title)}</h3>\n{listed}</div>"


def _vocabulary(use: VocabularyUse) -> str:
    share = use.never_seen / max(use.pieces, 1)
    reserved = f" Besides, {use.reserved:,} entries are reserved." if use.reserved else ""
    return (
        f"<p>Of {use.pieces:,} pieces, {use.never_seen:,} ({share:.1%}) never occur.{reserved} "
        f"Pieces that continue a word (##) are {use.inner_share:.2%} of the tokens.</p>\n"
        f'<div class="columns">{_pieces("Most frequent at the beginning of words", use.whole)}'
        f"{_pieces('Most frequent inside words', use.inner)}</div>"
    )


def _samples(counts: Counts, samples: Sequence[Sample]) -> str:
    manifest = counts.manifest
    words = [
        '<span class="first">First segment</span>, <span class="second">second segment</span>.'
        if manifest.has_pairs
        else "",
        "Lines below units to mask as a whole." if "unit_starts" in manifest.fields else "",
    ]
    if manifest.objective != "left_to_right":
        words.append("Masks as stored" if manifest.has_masks else "Masks as training may draw them")
        words.append(
            '— what the model sees, with the original in small type: <span class="mask">[MASK]'
            '<small>original</small></span>, <span class="mask random">another token'
            '<small>original</small></span>, <span class="mask unchanged">the token itself'
            "<small>=</small></span>."
        )
    legend = " ".join(filter(None, words))
    return "\n".join([f'<p class="dim">{legend}</p>', *map(sample_html, samples)])


def findings_of(counts: Counts) -> list[str]:
    """Returns a sentence for each number of the shards that is out of its usual range."""
    # What an older manifest lacks is counted.
    statistics = {**counts.measures(), **counts.manifest.statistics}
    return findings(statistics, counts.manifest.objective)


def page(
    name: str,
    counts: Counts,
    *,
    use: VocabularyUse,
    samples: Sequence[Sample],
    plots: Mapping[str, tuple[str, bytes]],
) -> str:
    """Returns the page as HTML.

    Args:
        name: str. Of the shard directory.
        counts: `Counts`.
        use: `VocabularyUse`.
        samples: Sequence of `Sample`; may be empty.
        plots: dictionary from file names to captions and PNG images.
    """
    manifest = counts.manifest
    read = f"Counted in all {counts.examples:,} examples"
    if not counts.is_whole:
        read = f"Counted in {counts.examples:,} of {manifest.examples:,} examples"
    body = [
        f"<h1>{escaped(name)}</h1>",
        f'<p class="dim">Pre-training shards for {escaped(manifest.objective)}. {read}.</p>',
        *(
            f'<p class="warning">Manifest and shards disagree: {escaped(line)}.</p>'
            for line in counts.disagreements()
        ),
        *(f'<p class="warning">{escaped(line)}.</p>' for line in findings_of(counts)),
        "<h2>What it is</h2>",
        _identity(counts),
        "<h2>Numbers</h2>",
        _measures(counts),
        "<h2>Plots</h2>",
        figures(plots.values()),
        "<h2>Vocabulary</h2>",
        _vocabulary(use),
    ]
    if samples:
        body += ["<h2>Samples</h2>", _samples(counts, samples)]
    settings = [(escaped(key), escaped(value)) for key, value in manifest.settings.items()]
    body += ["<h2>Settings of the generator</h2>", table(("option", "value"), settings)]
    return whole_page(f"{name}: pre-training shards", "\n".join(body), style=_STYLE)
