"""Plots of what stands in shards. No text of the corpus is in them: fonts may lack its letters."""

import functools
from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from data_gen.report import Counts
from data_gen.report_samples import LABEL_WORDS
from keras_bert.figures import FIRST, GREY, SECOND, png, styled
from keras_bert.records import LABEL, LENGTHS

_BARS = 64
_FEW_SHARDS = 80


def plots(counts: Counts) -> dict[str, tuple[str, bytes]]:
    """Draws what the shards' fields allow.

    Args:
        counts: `Counts`.

    Returns:
        A dictionary from file names to captions and PNG images.
    """
    fields = counts.manifest.fields
    chosen: dict[str, tuple[str, Callable[[Counts, Figure], None]] | None] = {
        "lengths.png": ("Tokens in an example, special ones counted", _lengths),
        "segments.png": ("Tokens in each segment of a pair, without special ones", _segments)
        if LABEL in fields
        else None,
        "labels.png": (
            "Label balance of each shard; grey: where chance leaves it (three deviations)",
            _labels,
        )
        if LABEL in fields
        else None,
        "shards.png": ("Fill rate and size of each shard", _shards),
        "frequencies.png": (
            "Frequency of tokens by rank; dashed: Zipf's law, frequency × rank constant",
            _frequencies,
        ),
        "units.png": ("Tokens in a masking unit", _units) if "unit_starts" in fields else None,
        "masked-positions.png": (
            "Share of the tokens at each position that are masked",
            _masked_positions,
        )
        if counts.manifest.has_masks
        else None,
        "mask-replacements.png": ("What masked tokens became", _mask_replacements)
        if counts.manifest.has_masks
        else None,
    }
    result = {}
    for name, plot in chosen.items():
        if plot is None:
            continue
        caption, draw = plot
        result[name] = (caption, png(functools.partial(draw, counts)))
    return result


def _axes(figure: Figure, x: str, y: str) -> Axes:
    return styled(figure.subplots(), x, y)


def _binned(counts: np.ndarray, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns counts of whole numbers from `first` in bins of equal width, and the bins' edges."""
    width = max(1, -(-len(counts) // _BARS))
    # The last bin ends with the largest number, which is where most examples are.
    missing = -len(counts) % width
    binned = np.pad(counts, (missing, 0)).reshape(-1, width).sum(axis=1)
    return binned, first - missing - 0.5 + width * np.arange(len(binned) + 1)


def _histogram(axes: Axes, counts: np.ndarray, *, first: int = 0, **style) -> np.ndarray:
    binned, edges = _binned(counts, first)
    axes.stairs(binned, edges, **style)
    return binned


def _scale(axes: Axes, *histograms: np.ndarray, what: str) -> None:
    """Chooses the axis of counts: logarithmic where one bin would flatten all others."""
    for binned in histograms:
        used = binned[binned > 0]
        if len(used) > 1 and used.max() > 20 * np.median(used):
            axes.set_yscale("log")
            axes.set_ylim(bottom=0.8)
            axes.set_ylabel(f"{what}, log scale")
            return
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if max(binned.max() for binned in histograms) >= 10_000:
        axes.yaxis.set_major_formatter("{x:,.0f}")


def _lengths(counts: Counts, figure: Figure) -> None:
    packed = LENGTHS in counts.manifest.fields
    what = "examples or rows" if packed else "examples"
    axes = _axes(figure, "tokens", what)
    drawn = [
        _histogram(
            axes, counts.example_lengths[1:], first=1, fill=True, color=FIRST, label="examples"
        )
    ]
    if packed:
        drawn.append(
            _histogram(
                axes, counts.row_lengths[1:], first=1, color=SECOND, linewidth=1.5, label="rows"
            )
        )
        axes.legend(frameon=False, loc="upper left")
    _scale(axes, *drawn, what=what)


def _segments(counts: Counts, figure: Figure) -> None:
    axes = _axes(figure, "tokens", "pairs")
    drawn = [
        _histogram(axes, lengths, fill=True, color=color, alpha=0.55, label=label)
        for lengths, color, label in (
            (counts.first_lengths, FIRST, "first segment"),
            (counts.second_lengths, SECOND, "second segment"),
        )
    ]
    _scale(axes, *drawn, what="pairs")
    axes.legend(frameon=False)


def _labels(counts: Counts, figure: Figure) -> None:
    word = LABEL_WORDS.get(counts.manifest.objective, ("", "label 1"))[1]
    axes = _axes(figure, "shard", f"pairs that are {word}")
    sizes = np.maximum(counts.shard_examples, 1)
    shares = counts.shard_labels_of_one / sizes
    overall = counts.shard_labels_of_one.sum() / max(counts.examples, 1)
    read = counts.shard_examples > 0
    spread = np.where(read, 3 * np.sqrt(overall * (1 - overall) / sizes), 0)
    numbers = np.arange(len(sizes))
    edges = np.arange(len(sizes) + 1) - 0.5
    low, high = np.maximum(overall - spread, 0), np.minimum(overall + spread, 1)
    axes.stairs(high, edges, baseline=low, fill=True, color="#e4e4e4")
    axes.axhline(0.5, color=GREY, linewidth=1, linestyle="--")
    axes.plot(numbers[read], shares[read], "o", color=FIRST, markersize=_marker(len(sizes)))
    least = min(0.4, low.min(), shares[read].min(initial=0.5) - 0.02)
    most = max(0.6, high.max(), shares[read].max(initial=0.5) + 0.02)
    axes.set_ylim(max(least, -0.02), min(most, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    _shard_axis(axes, len(sizes))


def _marker(shards: int) -> float:
    return 5 if shards <= _FEW_SHARDS else 2


def _shard_axis(axes: Axes, shards: int) -> None:
    axes.set_xlim(-0.6, shards - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _shards(counts: Counts, figure: Figure) -> None:
    upper, lower = figure.subplots(2, sharex=True)
    manifest = counts.manifest
    numbers = np.arange(len(manifest.shards))
    read = counts.shard_examples > 0
    places = np.maximum(counts.shard_examples, 1) * manifest.sequence_length
    styled(upper, "", "fill rate").plot(
        numbers[read],
        (counts.shard_tokens / places)[read],
        "o",
        color=FIRST,
        markersize=_marker(len(numbers)),
    )
    upper.set_ylim(0, 1.05)
    upper.yaxis.set_major_formatter(PercentFormatter(1))
    sizes = np.array([shard.bytes for shard in manifest.shards])
    unit, name = (1e6, "megabytes") if sizes.max(initial=0) >= 5e5 else (1e3, "kilobytes")
    edges = np.arange(len(numbers) + 1) - 0.5
    if len(numbers) <= _FEW_SHARDS:
        styled(lower, "shard", name).bar(numbers, sizes / unit, color=FIRST, width=0.7)
    else:
        styled(lower, "shard", name).stairs(sizes / unit, edges, fill=True, color=FIRST)
    lower.set_ylim(bottom=0)
    _shard_axis(lower, len(numbers))
    figure.align_ylabels()


def _frequencies(counts: Counts, figure: Figure) -> None:
    axes = _axes(figure, "rank", "occurrences")
    frequencies = np.sort(counts.text_counts)[::-1]
    frequencies = frequencies[frequencies > 0]
    axes.set(xscale="log", yscale="log")
    if not len(frequencies):
        return
    ranks = np.arange(1, len(frequencies) + 1)
    axes.plot(ranks, frequencies, color=FIRST, linewidth=1.8)
    # Through the geometric middle, where the law holds best.
    middle = int(np.sqrt(len(ranks)))
    law = frequencies[middle - 1] * middle / ranks
    axes.plot(ranks, law, color=GREY, linewidth=1, linestyle="--")
    axes.set_ylim(bottom=0.7, top=3 * max(frequencies[0], 1))


def _units(counts: Counts, figure: Figure) -> None:
    axes = _axes(figure, "tokens", "units")
    used = np.flatnonzero(counts.unit_lengths)
    last = int(used.max(initial=1))
    _scale(
        axes,
        _histogram(axes, counts.unit_lengths[1 : last + 1], first=1, fill=True, color=FIRST),
        what="units",
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _masked_positions(counts: Counts, figure: Figure) -> None:
    axes = _axes(figure, "position in the row", "masked")
    # Rows with a token at each position: all that are longer.
    longer = counts.row_lengths[::-1].cumsum()[::-1][1:]
    masked, edges = _binned(counts.masked_positions)
    tokens, _ = _binned(longer)
    axes.stairs(masked / np.maximum(tokens, 1), edges, fill=True, color=FIRST)
    axes.set_xlim(left=-0.5)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1))


def _mask_replacements(counts: Counts, figure: Figure) -> None:
    axes = _axes(figure, "", "share of masked tokens")
    total = max(sum(counts.mask_replacements.values()), 1)
    shares = [count / total for count in counts.mask_replacements.values()]
    bars = axes.bar(list(counts.mask_replacements), shares, color=FIRST, width=0.6)
    axes.bar_label(bars, [f"{share:.1%}" for share in shares])
    axes.set_ylim(0, 1.08)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
