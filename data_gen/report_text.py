"""Samples as HTML: readable text in which segments, units and masks are told apart."""

import itertools
import unicodedata
from collections.abc import Sequence

from data_gen.report_samples import Sample, Token
from keras_bert.page import escaped


def sample_html(sample: Sample) -> str:
    """Returns a sample as HTML: a line that says where it is from, a paragraph per example."""
    tokens = sum(map(len, sample.examples))
    head = f"{sample.shard}, example {sample.index:,} · {tokens:,} tokens"
    if len(sample.examples) > 1:
        head += f" in {len(sample.examples)} packed examples"
    is_pair = sample.label is not None
    label = f' · <b class="label">{escaped(sample.label)}</b>' if is_pair else ""
    lines = [f'<div class="sample"><div class="head">{escaped(head)}{label}</div>']
    lines += [f'<p dir="auto">{_example(example, is_pair)}</p>' for example in sample.examples]
    return "\n".join([*lines, "</div>"])


def _example(tokens: Sequence[Token], is_pair: bool) -> str:
    segments = []
    previous: Token | None = None
    for segment, run in itertools.groupby(tokens, key=lambda token: token.segment):
        parts = []
        for unit in _units(list(run)):
            inside = ""
            for number, token in enumerate(unit):
                space = "" if previous is None or _is_joined(previous, token) else " "
                if number == 0:
                    parts.append(space)
                    space = ""
                inside += space + _token(token)
                previous = token
            is_marked = unit[0].starts_unit is not None and not unit[0].is_special
            parts.append(f'<span class="unit">{inside}</span>' if is_marked else inside)
        text = "".join(parts)
        if is_pair:
            text = f'<span class="{"second" if segment else "first"}">{text}</span>'
        segments.append(text)
    return "".join(segments)


def _units(tokens: Sequence[Token]) -> list[list[Token]]:
    units: list[list[Token]] = []
    for token in tokens:
        if token.starts_unit is False and units:
            units[-1].append(token)
        else:
            units.append([token])
    return units


def _source(token: Token) -> str:
    return token.text if token.original is None else token.original


def _is_joined(previous: Token, token: Token) -> bool:
    """Whether no space stands between two tokens: inside words, and in Chinese."""
    first, second = _source(previous), _source(token)
    if _is_inner(second):
        return not previous.is_special
    wide = ("W", "F")
    return all(
        len(text) == 1 and unicodedata.east_asian_width(text) in wide for text in (first, second)
    )


def _is_inner(text: str) -> bool:
    return text.startswith("##") and len(text) > 2


def _token(token: Token) -> str:
    text = token.text[2:] if _is_inner(token.text) else token.text
    if token.is_special:
        return f'<span class="special">{escaped(text)}</span>'
    if token.original is None:
        return escaped(text)
    original = escaped(token.original)
    if token.replacement == "unchanged":
        kind, title, small = " unchanged", f"to predict, unchanged: {original}", "="
    else:
        kind = " random" if token.replacement == "random" else ""
        title, small = f"to predict: {original}", original
    return (
        f'<span class="mask{kind}" title="{title}"><bdi>{escaped(text)}</bdi>'
        f"<small><bdi>{small}</bdi></small></span>"
    )
