"""The page of a report: one file of HTML with everything inside."""

import base64
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from data_gen.report import Counts
from data_gen.report_pieces import Piece, VocabularyUse
from data_gen.report_samples import Sample
from data_gen.report_text import escaped, sample_html

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
    "random_next_rate": "pairs whose second segment comes from elsewhere",
    "swapped_rate": "pairs in the wrong order",
    "labels_of_one_rate": "pairs with label 1",
    "packed_examples": "examples before they were put into rows",
    "unpacked_fill_rate": "fill rate if each example had a row of its own",
    "masked_tokens": "tokens to predict",
    "mask_rate": "share of tokens to predict",
}

_PAGE = string.Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --text: #1c1e21; --dim: #6a6f76; --page: #fff; --panel: #f4f5f7;
  --line: #d9dce1; --first: #1f5fa8; --second: #b2432f; --mask: #fff0b8; --random: #ffd9c7;
  --kept: #dcefd9; --warning: #fff0b8; --unit: #a3aab4; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e6ea; --dim: #9aa0a8; --page: #15171a;
  --panel: #1f2226; --line: #383d44; --first: #8fbcf2; --second: #f0a08e; --mask: #574a12;
  --random: #63331f; --kept: #24452a; --warning: #574a12; --unit: #5f6772; }
  figure img { filter: invert(0.92) hue-rotate(180deg); } }
body { color: var(--text); background: var(--page); font: 15px/1.5 system-ui, sans-serif;
  max-width: 1120px; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); }
h3 { font-size: .95rem; margin: 1rem 0 .3rem; }
.dim { color: var(--dim); }
.warning { background: var(--warning); border-radius: 6px; padding: .5rem .8rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92em; }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { font-weight: 600; }
th:first-child, td:first-child { white-space: nowrap; }
td:last-child:not(.number) { min-width: 12rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr));
  gap: 0 2rem; align-items: start; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr));
  gap: 1rem; }
figure { margin: 0; border: 1px solid var(--line); border-radius: 6px; padding: .5rem; }
figure img { width: 100%; height: auto; display: block; }
figcaption { font-size: .9em; color: var(--dim); }
.sample { background: var(--panel); border-radius: 6px; padding: .5rem .8rem; margin: .7rem 0; }
.sample p { margin: .3rem 0; line-height: 2; overflow-wrap: anywhere; }
.sample p + p { border-top: 1px dashed var(--line); }
.head { font-size: .88em; color: var(--dim); }
.label { color: var(--text); font-weight: 600; }
.first { color: var(--first); } .second { color: var(--second); }
.special { color: var(--dim); opacity: .65; font-size: .85em; }
.unit { border-bottom: 2px solid var(--unit); padding-bottom: 1px; margin: 0 2px; }
.mask { background: var(--mask); border-radius: 4px; padding: 0 .2em; line-height: 1.5;
  display: inline-block; max-width: 100%; }
.mask small { color: var(--dim); padding-left: .25em; }
.mask.random { background: var(--random); } .mask.unchanged { background: var(--kept); }
</style>
</head>
<body>
$body
</body>
</html>
""")


def _number(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return escaped("" if value is None else value)
    if name.endswith("_rate"):
        return _percent(value)
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if 0 < share < 0.001 else f"{share:.2%}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table of cells that are HTML already; columns `numbers` are right-aligned."""
    classes = [' class="number"' if column in numbers else "" for column in range(len(head))]
    lines = ["<tr>", *(f"<th{c}>{cell}</th>" for c, cell in zip(classes, head, strict=True))]
    for row in rows:
        lines += ["</tr>\n<tr>", *(f"<td{c}>{v}</td>" for c, v in zip(classes, row, strict=True))]
    return f'<div class="scroll"><table>\n{"".join(lines)}</tr>\n</table></div>'


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
    return _table(
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
            escaped(MEANINGS.get(name, "")),
        )
        for name in names
    ]
    read = "in the shards" if counts.is_whole else f"in {counts.examples:,} examples"
    return _table(("measure", "in the manifest", read, "meaning"), rows, numbers=(1, 2))


def _figures(plots: Mapping[str, tuple[str, bytes]]) -> str:
    figures = []
    for caption, image in plots.values():
        data = base64.b64encode(image).decode("ascii")
        text = escaped(caption)
        figures.append(
            f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
            f"<figcaption>{text}</figcaption></figure>"
        )
    return "\n".join(['<div class="plots">', *figures, "</div>"])


def _pieces(title: str, pieces: Sequence[Piece]) -> str:
    rows = [
        (f"<bdi>{escaped(piece.text)}</bdi>", f"{piece.count:,}", _percent(piece.share))
        for piece in pieces
    ]
    table = _table(("piece", "count", "share"), rows, numbers=(1, 2)) if rows else "<p>none</p>"
    return f"<div><h3>{escaped(title)}</h3>\n{table}</div>"


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
        "<h2>What it is</h2>",
        _identity(counts),
        "<h2>Numbers</h2>",
        _measures(counts),
        "<h2>Plots</h2>",
        _figures(plots),
        "<h2>Vocabulary</h2>",
        _vocabulary(use),
    ]
    if samples:
        body += ["<h2>Samples</h2>", _samples(counts, samples)]
    settings = [(escaped(key), escaped(value)) for key, value in manifest.settings.items()]
    body += ["<h2>Settings of the generator</h2>", _table(("option", "value"), settings)]
    title = escaped(f"{name}: pre-training shards")
    return _PAGE.substitute(title=title, body="\n".join(body))
