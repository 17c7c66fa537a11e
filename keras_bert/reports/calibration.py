"""Whether probabilities mean what they say."""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from keras_bert.figures import FIRST, GREY, SECOND, png, styled
from keras_bert.page import figures
from keras_bert.reports.findings import Section

_BINS = 10


class Reliability(NamedTuple):
    """Predictions in bins of equal width by their probability.

    Args:
        counts: int64 `(bins,)`. Predictions in each bin.
        confidence: float64 `(bins,)`. Their mean probability, 0 for empty bins.
        accuracy: float64 `(bins,)`. The share of them that came true, 0 for empty bins.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def expected_calibration_error(self) -> float:
        """The mean difference of probability and share of hits, weighted by the bins' counts."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float(np.average(gaps, weights=self.counts))


def reliability(probabilities: np.ndarray, hits: np.ndarray, *, bins: int = _BINS) -> Reliability:
    """Compares probabilities with what came true.

    Args:
        probabilities: floats `(predictions,)`, from 0 to 1; one at least.
        hits: booleans `(predictions,)`.
        bins: int.

    References:
        - Guo et al. 2017, arXiv:1706.04599, section 2.
    """
    # The upper edge belongs to a bin: 0.1 to the first of ten, 0 too.
    index = np.clip(np.ceil(probabilities * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    sizes = np.maximum(counts, 1)
    return Reliability(
        counts,
        np.bincount(index, probabilities, minlength=bins) / sizes,
        np.bincount(index, hits, minlength=bins) / sizes,
    )


def calibration_section(probabilities: np.ndarray, hits: np.ndarray, *, what: str) -> Section:
    """Returns the reliability diagram with the expected calibration error.

    Args:
        probabilities: floats `(predictions,)`.
        hits: booleans `(predictions,)`.
        what: str. Whose probability it is, as `"the predicted class"`.
    """
    probabilities, hits = np.asarray(probabilities, np.float64), np.asarray(hits, bool)
    found = reliability(probabilities, hits)
    error = found.expected_calibration_error
    mean, share = probabilities.mean(), hits.mean()
    tendency = "over-confident" if mean > share else "under-confident"
    if abs(mean - share) < 0.005:
        tendency = "neither over- nor under-confident"
    words = (
        f"<p>Expected calibration error: <b>{error:.4f}</b> ({_BINS} bins of equal width). On "
        f"average the model gives {what} a probability of {mean:.3f}, and {share:.3f} are right: "
        f"it is {tendency}.</p>"
    )
    caption = (
        f"Bars: the share that is right among predictions that give {what} a like probability, "
        "dots at the mean probability; on the dashed line probabilities mean what they say. "
        "Below: predictions in each bin"
    )
    image = png(lambda figure: _draw(found, figure), size=(6.4, 4.8))
    return Section("Calibration", words + figures([(caption, image)]))


def _draw(found: Reliability, figure: Figure) -> None:
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    edges = np.linspace(0, 1, len(found.counts) + 1)
    styled(upper, "", "share that is right")
    upper.stairs(found.accuracy, edges, fill=True, color=FIRST, alpha=0.55)
    upper.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    used = found.counts > 0
    upper.plot(found.confidence[used], found.accuracy[used], "o", color=SECOND, markersize=5)
    upper.set(xlim=(0, 1), ylim=(0, 1.02))
    styled(lower, "probability", "predictions")
    lower.stairs(found.counts, edges, fill=True, color=FIRST)
    lower.set_ylim(bottom=0)
    figure.align_ylabels()
