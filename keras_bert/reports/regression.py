"""How far numbers are from what they should be: scores, and similarities of vectors."""

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import rankdata

from keras_bert.figures import FIRST, GREY, png, styled
from keras_bert.page import figures
from keras_bert.reports.classification import texts
from keras_bert.reports.findings import Findings, Section, error_section, ordered, sample

# Points from which on they are small and half transparent.
_MANY = 500


def score_findings(examples, answers, labels) -> Findings:
    """Findings of the family `regression`: see `Inspector`."""
    del labels
    gold = np.array(examples.targets, np.float64)
    found = np.array([answer["score"] for answer in answers])
    errors = ordered(np.abs(found - gold))

    def says(index: int) -> str:
        return _number("gold", gold[index]) + ", " + _number("predicted", found[index])

    difference = found - gold
    words = (
        f"<p>Mean absolute error {np.abs(difference).mean():.4f}, root of the mean squared error "
        f"{np.sqrt((difference**2).mean()):.4f}, mean of predicted minus gold "
        f"{difference.mean():+.4f}.</p>"
    )
    caption = "Predicted and gold scores; on the dashed line they are the same"
    return _findings(
        examples,
        errors,
        says,
        words + _scatter(gold, found, caption, "predicted score"),
        legend="Those come first whose score is farthest from the gold one.",
    )


def similarity_findings(examples, answers, labels) -> Findings:
    """Findings of the family `embedding`, on pairs: see `Inspector`.

    What counts is the order of similarities, not their values, and so errors are differences of
    ranks.
    """
    del labels
    gold = np.array(examples.targets, np.float64)
    found = np.array([answer["similarity"] for answer in answers])
    ranks = [(rankdata(values) - 1) / max(len(values) - 1, 1) for values in (gold, found)]
    errors = ordered(np.abs(ranks[1] - ranks[0]))

    def says(index: int) -> str:
        named = zip(("gold", "cosine"), (gold, found), ranks, strict=True)
        return ", ".join(
            f"{_number(name, values[index])}, above {rank[index]:.0%} of the others"
            for name, values, rank in named
        )

    caption = "Cosine of the two vectors and gold similarity; on the dashed line they are the same"
    return _findings(
        examples,
        errors,
        says,
        _scatter(gold, found, caption, "cosine"),
        legend="Those come first whose place in the order of similarities is farthest off.",
    )


def _findings(examples, errors, says, scores, *, legend) -> Findings:
    def show(index: int) -> str:
        return sample(examples, index, says(index), texts(examples, index))

    return Findings(
        [
            Section("Scores", scores),
            error_section(errors, len(examples), show, legend=legend),
        ],
        errors,
    )


def _number(name: str, value: float) -> str:
    return f'{name} <b class="label">{value:.3f}</b>'


def _scatter(gold: np.ndarray, found: np.ndarray, caption: str, what: str) -> str:
    def draw(figure: Figure) -> None:
        axes = styled(figure.subplots(), "gold score", what)
        ends = [min(gold.min(), found.min()), max(gold.max(), found.max())]
        axes.plot(ends, ends, color=GREY, linewidth=1, linestyle="--")
        many = len(gold) > _MANY
        axes.plot(
            gold,
            found,
            "o",
            color=FIRST,
            markersize=3 if many else 5,
            alpha=0.35 if many else 0.6,
            markeredgewidth=0,
        )

    return figures([(caption, png(draw, size=(6.4, 4.8)))])
