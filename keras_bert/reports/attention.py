"""What the tokens of an example attend to, in every head of every layer."""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imsave

from keras_bert.figures import png
from keras_bert.page import data_uri, escaped, figures
from keras_bert.reports.findings import Section
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.predictor import Predictor

# Tokens in a heat map, and characters of a token's label.
_MOST_TOKENS = 40
_LONGEST_LABEL = 12
# Sizes in a heat map: a cell and the room for labels.
_CELL, _ROOM = 10, 66


class Attention(NamedTuple):
    """Attention in a row of the model's input.

    Args:
        tokens: list of str.
        probabilities: float32 `(layers, heads, tokens, tokens)`: of each layer and head, how much a
            token (third axis) attends to others (fourth axis).
    """

    tokens: list[str]
    probabilities: np.ndarray


def attention_of(predictor: Predictor, example: Examples, answer: dict[str, Any]) -> Attention:
    """Returns the attention in one example.

    Of an example that makes several rows, the chosen choice is taken, the window where the answer
    begins, or the first one.

    Args:
        predictor: `Predictor`.
        example: `Examples`, of one example.
        answer: What the predictor said to it.
    """
    rows = predictor.rows(example)
    inputs = rows.inputs([_row(rows, example, answer)])
    # (1, length) or (1, texts, length) -> (texts, length), of which one is taken: (1, length)
    text = answer.get("choice", 0)
    row = {
        name: values.numpy().reshape(-1, values.shape[-1])[text : text + 1]
        for name, values in inputs.items()
    }
    outputs = predictor.model.encoder(row, training=False, return_attentions=True)
    size = int(row["padding_mask"].sum())
    layers = [np.asarray(layer)[0, :, :size, :size] for layer in outputs["attentions"]]
    tokens = predictor.tokenizer.vocabulary.tokens
    return Attention(
        [tokens[index] for index in row["token_ids"][0, :size]],
        np.stack(layers).astype(np.float32),
    )


def _row(rows, example: Examples, answer: dict[str, Any]) -> int:
    starts = rows.maps.get("context_start")
    if starts is None or not answer.get("answer"):
        return 0
    before = example.encodable().columns["context"][0][: answer["start"]].encode()
    begins = starts.to_tensor(-1).numpy() == len(before)
    begins &= rows.maps["may_start"].to_tensor(False).numpy()
    return int(begins.any(axis=1).argmax())


def attention_section(attention: Attention, what: str) -> Section:
    """Returns an overview of all heads, and each layer's heads with the tokens.

    Args:
        attention: `Attention`.
        what: str. HTML that says whose attention it is.
    """
    count = len(attention.tokens)
    words = f"<p>{what}</p>"
    layers, heads = attention.probabilities.shape[:2]
    # Long rows have small probabilities, of which some picture is wanted too.
    most = float(np.quantile(attention.probabilities, 0.995))
    overview = png(
        lambda figure: _draw(attention.probabilities, figure, most),
        size=(6.4, 5.8 * layers / heads + 0.7),
    )
    caption = (
        f"All {layers} layers and {heads} heads, with {count} tokens each: rows attend to columns; "
        f"the stronger the colour, the more, up to a probability of {most:.2f}"
    )
    kept = np.arange(count)
    if count > _MOST_TOKENS:
        received = attention.probabilities.mean(axis=(0, 1, 2))
        kept = np.sort(np.argsort(-received, kind="stable")[:_MOST_TOKENS])
        words += (
            f'<p class="dim">Of {count} tokens, the heat maps of the layers show the '
            f"{_MOST_TOKENS} that get the most attention.</p>"
        )
    labels = _labels([attention.tokens[index] for index in kept])
    parts = [words, figures([(caption, overview)]), labels]
    for layer in range(layers):
        maps = [
            _heat_map(attention.probabilities[layer, head][np.ix_(kept, kept)], layer, head)
            for head in range(heads)
        ]
        is_open = " open" if layer == layers - 1 else ""
        parts.append(
            f"<details{is_open}><summary>Layer {layer + 1}</summary>"
            f'<div class="heads">{"".join(maps)}</div></details>'
        )
    return Section("Attention", "\n".join(parts))


def _draw(probabilities: np.ndarray, figure: Figure, most: float) -> None:
    layers, heads, size, _ = probabilities.shape
    step = size + max(size // 12, 1)
    mosaic = np.full((layers * step, heads * step), np.nan)
    for layer in range(layers):
        for head in range(heads):
            place = np.s_[layer * step : layer * step + size, head * step : head * step + size]
            mosaic[place] = np.sqrt(probabilities[layer, head])
    axes = figure.subplots()
    axes.imshow(mosaic, cmap="Blues", vmin=0, vmax=most**0.5, interpolation="antialiased")
    axes.set(xlabel="head", ylabel="layer")
    axes.set_xticks(size / 2 + step * np.arange(heads), range(1, heads + 1))
    axes.set_yticks(size / 2 + step * np.arange(layers), range(1, layers + 1))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _labels(tokens: Sequence[str]) -> str:
    """The labels of rows and columns, drawn once by the browser, which has all letters."""
    lines = []
    for index, token in enumerate(tokens):
        if len(token) > _LONGEST_LABEL:
            token = f"{token[:_LONGEST_LABEL]}…"
        place = _ROOM + _CELL * (index + 0.75)
        text = escaped(token)
        lines.append(f'<text x="{_ROOM - 3}" y="{place}" text-anchor="end">{text}</text>')
        lines.append(f'<text transform="translate({place},{_ROOM - 3}) rotate(-90)">{text}</text>')
    return (
        '<svg width="0" height="0" class="hidden" aria-hidden="true"><defs>'
        '<g id="attention-tokens" font-size="8" fill="currentColor">'
        f"{''.join(lines)}</g></defs></svg>"
    )


def _heat_map(probabilities: np.ndarray, layer: int, head: int) -> str:
    image = io.BytesIO()
    # Few shades make small files.
    shades = np.round(np.sqrt(probabilities) * 32) / 32
    imsave(image, shades, cmap="Blues", vmin=0, vmax=1, format="png")
    inner = _CELL * len(probabilities)
    size = _ROOM + inner
    title = f"Layer {layer + 1}, head {head + 1}"
    return (
        f'<figure><svg viewBox="0 0 {size} {size}" role="img" aria-label="{title}: '
        'attention of tokens in rows to tokens in columns">'
        f'<use href="#attention-tokens"/><image x="{_ROOM}" y="{_ROOM}" width="{inner}" '
        f'height="{inner}" preserveAspectRatio="none" href="{data_uri(image.getvalue())}"/></svg>'
        f"<figcaption>{title}</figcaption></figure>"
    )
