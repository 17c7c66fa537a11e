"""What a report finds in a model's answers."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_bert.page import escaped
from keras_bert.tasks.examples import Examples

# Errors that are shown, so that a page stays small whatever the model does.
MOST_ERRORS = 50


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a page: a title, and HTML."""

    title: str
    html: str


@dataclasses.dataclass(frozen=True)
class Findings:
    """The sections of a family of tasks.

    Args:
        sections: list of `Section`.
        errors: list of int. The examples with a wrong answer, or all of them where answers are
            numbers, the worst first.
    """

    sections: list[Section]
    errors: list[int]


Inspector = Callable[[Examples, Sequence[dict[str, Any]], Sequence[str]], Findings]
"""A function of examples with targets, of the answers to them and of the model's labels."""


def ordered(badness: np.ndarray, chosen: np.ndarray | None = None) -> list[int]:
    """Returns indices of the examples, those of the greatest badness first.

    Args:
        badness: floats `(examples,)`.
        chosen: booleans `(examples,)` or None. Which to take; None takes all.
    """
    order = np.argsort(-badness, kind="stable")
    return (order if chosen is None else order[chosen[order]]).tolist()


def error_section(
    errors: Sequence[int],
    total: int,
    show: Callable[[int], str],
    *,
    legend: str,
    title: str = "Worst errors",
) -> Section:
    """Returns the section with the first of the errors.

    Args:
        errors: Indices of examples, the worst first.
        total: int. Examples in all.
        show: Function from an index to HTML.
        legend: str. HTML that says how to read an example.
        title: str.
    """
    shown = errors[:MOST_ERRORS]
    said = f"{len(errors):,} of {total:,} examples"
    if len(errors) == total:
        said = f"All {total:,} examples"
    if len(shown) < len(errors):
        said += f"; the worst {len(shown)} follow"
    body = [f'<p class="dim">{said}. {legend}</p>', *map(show, shown)]
    return Section(title, "\n".join(body if errors else ["<p>None.</p>"]))


def sample(examples: Examples, index: int, says: str, *parts: str) -> str:
    """Returns an example as a block.

    Args:
        examples: `Examples`.
        index: int.
        says: str. HTML behind the number of the example.
        *parts: str. HTML.
    """
    name = "" if examples.ids is None else f" ({escaped(examples.ids[index])})"
    head = f'<div class="head">Example {index}{name} · {says}</div>'
    return "\n".join(['<div class="sample">', head, *parts, "</div>"])
