"""Probabilities as bars."""

from collections.abc import Sequence
from typing import NamedTuple

from keras_bert.page import escaped

# Bars of one example, at most.
_MOST = 6


class Bar(NamedTuple):
    """A probability.

    Args:
        label: str.
        share: float. From 0 to 1.
        is_gold: bool. Whether it is the right one.
        is_found: bool. Whether the model chose it.
    """

    label: str
    share: float
    is_gold: bool = False
    is_found: bool = False


def bars(values: Sequence[Bar], *, most: int = _MOST) -> str:
    """Returns bars as HTML in their order.

    Where there are too many, right and chosen ones come first, then those of high probability.
    """
    order = sorted(
        range(len(values)),
        key=lambda i: (not values[i].is_found, not values[i].is_gold, -values[i].share),
    )
    chosen = sorted(order[:most])
    lines = [_bar(values[index]) for index in chosen]
    if left := len(values) - len(chosen):
        lines.append(f'<li class="dim">and {left:,} more</li>')
    return f'<ul class="bars">{"".join(lines)}</ul>'


def _bar(value: Bar) -> str:
    words = [
        word for word, holds in (("gold", value.is_gold), ("predicted", value.is_found)) if holds
    ]
    kind = "right" if value.is_gold else "wrong" if value.is_found else ""
    share = min(max(value.share, 0.0), 1.0)
    said = f' <b class="{kind}">{" · ".join(words)}</b>' if words else ""
    return (
        f'<li><span class="name"><bdi>{escaped(value.label)}</bdi>{said}</span>'
        f'<svg class="track" aria-hidden="true"><rect class="fill {kind}" width="{share:.1%}" '
        'height="100%"/></svg>'
        f'<span class="number">{share:.3f}</span></li>'
    )
