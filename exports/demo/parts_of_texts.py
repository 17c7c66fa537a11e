"""Pages of tasks with answers that stand in the text: answers, entities, masked words."""

import gradio as gr

from exports.demo.form import Form, check_filled, percent, table
from exports.demo.model import DemoModel
from keras_bert.errors import InputError
from keras_bert.text.vocabulary import MASK

_COLORS = ("blue", "green", "orange", "purple", "red", "teal", "pink", "yellow", "gray")


def answers(model: DemoModel) -> Form:
    """The answer to a question, marked in its context."""
    inputs = [
        gr.Textbox(label="Question", max_lines=1),
        gr.Textbox(label="Context, of any length", lines=12),
    ]
    outputs = [
        gr.Textbox(label="Answer", interactive=False),
        gr.Textbox(label="Score of no answer against the best one", interactive=False),
        table("Best answers", ["Answer", "Probability", "Characters"], ["50%", "25%", "25%"]),
        # Last, as it is as long as the context.
        gr.HighlightedText(
            label="Where it stands", color_map={"answer": "green"}, interactive=False
        ),
    ]

    def answer(question, context):
        check_filled("the question", question)
        check_filled("the context", context)
        reply = model.ask(question=question, context=context)
        found = reply["answer"]
        spans = [(reply["start"], reply["end"], "answer")] if found else []
        best = zip(
            reply["top_answers"],
            reply["top_scores"],
            reply["top_starts"],
            reply["top_ends"],
            strict=True,
        )
        rows = [
            [text, percent(share), f"{start}–{end}"]
            for text, share, start, end in list(best)[: reply["top_counts"]]
        ]
        told = _about_no_answer(reply["no_answer_score"], model.description["options"])
        return found or "none in this context", told, rows, _marked(context, spans)

    return Form(inputs, outputs, answer, model.examples())


def _about_no_answer(score: float, options: dict) -> str:
    if not options["unanswerable"]:
        return f"{score:.2f}; this model always answers"
    threshold = options["null_threshold"]
    side = "above" if score > threshold else "not above"
    return f"{score:.2f}: {side} the threshold of {threshold:g}"


def tags(model: DemoModel) -> Form:
    """The entities of a text and the tag of each word."""
    types = sorted({label[2:] for label in model.description["labels"] if label[1:2] == "-"})
    colors = {name: _COLORS[number % len(_COLORS)] for number, name in enumerate(types)}
    outputs = [
        gr.HighlightedText(label="Entities", color_map=colors, interactive=False),
        table("Words", ["Word", "Tag", "Probability"], ["50%", "25%", "25%"]),
    ]

    def answer(text):
        check_filled("the text", text)
        reply = model.ask(text=text)
        entities = zip(
            reply["entity_starts"], reply["entity_ends"], reply["entity_types"], strict=True
        )
        words = zip(reply["tokens"], reply["tags"], reply["token_scores"], strict=True)
        rows = [
            [word, tag, percent(share)] for word, tag, share in list(words)[: reply["token_counts"]]
        ]
        return _marked(text, list(entities)[: reply["entity_counts"]]), rows

    return Form([gr.Textbox(label="Text", lines=8)], outputs, answer, model.examples())


def masks(model: DemoModel) -> Form:
    """What stands behind each `[MASK]`."""
    outputs = [
        gr.Textbox(label="The text with the most probable words", interactive=False),
        table(
            "Alternatives", ["Mask", "Word", "Probability", "Text"], ["16%", "20%", "24%", "40%"]
        ),
    ]

    def answer(text):
        count = text.count(MASK)
        if not count:
            raise InputError(f"the text has no {MASK}: write it where a word is missing")
        reply = model.ask(text=text)
        told = reply["mask_counts"]
        if not told:
            raise InputError(f"no {MASK} stands in the part of the text that the model reads")
        rows = [
            [f"{mask + 1} of {count}", token, percent(share), filled]
            for mask in range(told)
            for token, share, filled in zip(
                reply["tokens"][mask], reply["scores"][mask], reply["texts"][mask], strict=True
            )
        ]
        return reply["texts"][0][0], rows

    return Form([gr.Textbox(label=f"Text with {MASK}", lines=4)], outputs, answer, model.examples())


def _marked(text: str, spans: list[tuple[int, int, str]]) -> list[tuple[str, str | None]]:
    """The text cut at spans of characters: pieces with the name of their span, or with None."""
    pieces, place = [], 0
    for start, end, name in spans:
        pieces += [(text[place:start], None), (text[start:end], name)]
        place = end
    pieces.append((text[place:], None))
    return [(piece, name) for piece, name in pieces if piece]
