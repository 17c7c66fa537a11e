"""Text with places marked in it, cut around them where it is long."""

import dataclasses
import itertools
from collections.abc import Sequence

from keras_bert.page import escaped

# Characters of one text on the page, at most.
_LONGEST = 4000


@dataclasses.dataclass(frozen=True)
class Mark:
    """A place in a text.

    Args:
        start: int. Its first character.
        end: int. Exclusive.
        kind: str. A CSS class.
        note: str. What stands behind it in small type.
    """

    start: int
    end: int
    kind: str
    note: str = ""


def marked(text: str, marks: Sequence[Mark] = (), *, margin: int = 400) -> str:
    """Returns a text as HTML with marks in it, which may overlap.

    A piece of text that several marks cover has the classes of all. Of a text without marks the
    beginning is shown.

    Args:
        text: str.
        marks: sequence of `Mark`. Empty ones are left out.
        margin: int. Characters that are shown before and after each end of a mark.
    """
    marks = [
        dataclasses.replace(mark, start=max(mark.start, 0), end=min(mark.end, len(text)))
        for mark in marks
    ]
    marks = [mark for mark in marks if mark.start < mark.end]
    kept = _kept(text, marks, margin)
    edges = {edge for mark in marks for edge in (mark.start, mark.end)}
    edges |= {0, len(text), *itertools.chain(*kept)}
    parts = []
    for start, end in itertools.pairwise(sorted(edges)):
        if not any(first <= start and end <= last for first, last in kept):
            if parts and parts[-1] is _GAP:
                continue
            parts.append(_GAP)
            continue
        covering = [mark for mark in marks if mark.start <= start and end <= mark.end]
        piece = escaped(text[start:end])
        if covering:
            kinds = " ".join(dict.fromkeys(mark.kind for mark in covering))
            piece = f'<mark class="{kinds}">{piece}</mark>'
        notes = [mark.note for mark in covering if mark.end == end and mark.note]
        parts += [piece, *(f"<small>{escaped(note)}</small>" for note in notes)]
    return "".join(parts)


_GAP = ' <span class="gap" title="left out">[…]</span> '


def _kept(text: str, marks: Sequence[Mark], margin: int) -> list[tuple[int, int]]:
    """Which characters to show, `(start, end)` in ascending order, none touching."""
    edges = sorted({edge for mark in marks for edge in (mark.start, mark.end)} or {margin})
    kept: list[tuple[int, int]] = []
    room = _LONGEST
    for edge in edges:
        start, end = max(edge - margin, 0), min(edge + margin, len(text))
        # A gap must be worth its sign.
        start = 0 if start < margin // 8 else start
        end = len(text) if len(text) - end < margin // 8 else end
        if kept and start <= kept[-1][1] + margin // 8:
            start = kept.pop()[0]
        kept.append((start, end))
    bounded = []
    for start, end in kept:
        end = min(end, start + room)
        room -= end - start
        if start < end:
            bounded.append((start, end))
    return bounded
