"""Pages of tasks with an answer about whole texts: classes, scores, choices, similarities."""

import gradio as gr
import numpy as np
import pandas as pd

from exports.demo.form import Form, check_filled, lines_of
from exports.demo.model import DemoModel
from keras_bert.errors import InputError

# As much as one can read at a glance.
_MOST_TEXTS = 10
_MOST_CHARACTERS = 36
_MOST_BARS = 20


def classes(model: DemoModel) -> Form:
    """One class of several."""
    bars = gr.Label(label="Probabilities", num_top_classes=_MOST_BARS)

    def answer(first, second):
        return (_shares(_about_texts(model, first, second)),)

    return _text_form(model, [bars], answer)


def several_classes(model: DemoModel) -> Form:
    """Any number of classes at once."""
    threshold = model.description["options"]["threshold"]
    chosen = gr.Textbox(label=f"Classes of {threshold:.0%} and more", interactive=False)
    bars = gr.Label(label="Probabilities", num_top_classes=_MOST_BARS, show_heading=False)

    def answer(first, second):
        reply = _about_texts(model, first, second)
        pairs = zip(reply["labels"], reply["chosen"], strict=True)
        names = [label for label, is_chosen in pairs if is_chosen]
        return ", ".join(names) or "none", _shares(reply)

    return _text_form(model, [chosen, bars], answer)


def score(model: DemoModel) -> Form:
    """A number."""
    number = gr.Label(label="Score")

    def answer(first, second):
        return (f"{_about_texts(model, first, second)['score']:.3f}",)

    return _text_form(model, [number], answer)


def _text_form(model: DemoModel, outputs: list, answer) -> Form:
    inputs = [
        gr.Textbox(label="Text", lines=4),
        gr.Textbox(label="Second text, if the model was trained for pairs", lines=2),
    ]
    examples = [[text, ""] for (text,) in model.examples()] + model.examples("pairs")
    return Form(inputs, outputs, answer, examples)


def _about_texts(model: DemoModel, first: str, second: str) -> dict:
    check_filled("the text", first)
    if second.strip():
        return model.ask("pairs", text_a=first, text_b=second)
    return model.ask(text=first)


def _shares(reply: dict) -> dict[str, float]:
    return dict(zip(reply["labels"], reply["probabilities"], strict=True))


def choices(model: DemoModel) -> Form:
    """One choice of several."""
    inputs = [
        gr.Textbox(label="Context", lines=4),
        gr.Textbox(label="Choices, one per line", lines=4),
    ]
    bars = gr.Label(label="Probabilities", num_top_classes=_MOST_BARS)

    def answer(context, text):
        check_filled("the context", context)
        lines = lines_of(text)
        if not 2 <= len(set(lines)) == len(lines) <= _MOST_BARS:
            raise InputError(
                f"write from 2 to {_MOST_BARS} different choices, one per line. "
                f"Received: {len(lines)}, {len(set(lines))} of them different"
            )
        reply = model.ask(context=context, choices=lines)
        return (dict(zip(lines, reply["probabilities"], strict=True)),)

    examples = [[context, "\n".join(lines)] for context, lines in model.examples()]
    return Form(inputs, [bars], answer, examples)


def similarities(model: DemoModel) -> Form:
    """The cosine of each text to each other."""
    texts = gr.Textbox(label="Texts, one per line", lines=8)
    matrix = gr.Dataframe(
        label="Similarities: cosines of the texts' vectors, -1 to 1",
        interactive=False,
        wrap=True,
        buttons=[],
    )

    def answer(text):
        lines = lines_of(text)
        if not 2 <= len(lines) <= _MOST_TEXTS:
            raise InputError(
                f"write from 2 to {_MOST_TEXTS} texts, one per line. Received: {len(lines)}"
            )
        vectors = np.array([model.ask(text=line)["embedding"] for line in lines])
        # A vector of zeros is like no other, not even itself.
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return (_heat_map(lines, vectors @ vectors.T),)

    firsts = [row[0] for row in model.examples()]
    pairs = [text for row in model.examples("similarity") for text in row]
    example = ["\n".join(dict.fromkeys([*firsts, *pairs]))]
    return Form([texts], [matrix], answer, [example], is_wide=True)


def _heat_map(lines: list[str], cosines: np.ndarray):
    """A table whose cells are the bluer the more alike two texts are."""
    numbers = [str(number) for number in range(1, len(lines) + 1)]
    frame = pd.DataFrame(cosines, columns=numbers)
    frame.insert(
        0, "", [f"{number}. {_short(line)}" for number, line in zip(numbers, lines, strict=True)]
    )
    return frame.style.format("{:.2f}", subset=numbers).background_gradient(
        "Blues", vmin=0, vmax=1, subset=numbers
    )


def _short(line: str) -> str:
    return line if len(line) <= _MOST_CHARACTERS else line[: _MOST_CHARACTERS - 1] + "…"
