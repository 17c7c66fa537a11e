"""Figures for pages, in one look. Nothing of a corpus is written in them: fonts may lack letters.

The colours are told apart by the colour-blind too.
"""

import io
from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

FIRST, SECOND, GREY = "#2166ac", "#d6604d", "#777777"


def png(draw: Callable[[Figure], None], *, size: tuple[float, float] = (6.4, 3.6)) -> bytes:
    """Returns what `draw` makes of an empty figure as a PNG image; `size` is in inches."""
    figure = Figure(figsize=size, layout="constrained")
    draw(figure)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=130, metadata={"Software": None})
    return image.getvalue()


def styled(axes: Axes, x: str, y: str) -> Axes:
    """Names the axes and draws them as all figures have them."""
    axes.set(xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    return axes
