"""The page around a form: the model's name, the button, examples, messages, the time taken."""

import html
import time

import gradio as gr

from exports.demo import parts_of_texts, whole_texts
from exports.demo.form import Form
from exports.demo.model import DemoModel
from keras_bert.errors import InputError

_FORMS = {
    "classification": whole_texts.classes,
    "multi_label": whole_texts.several_classes,
    "regression": whole_texts.score,
    "multiple_choice": whole_texts.choices,
    "embedding": whole_texts.similarities,
    "question_answering": parts_of_texts.answers,
    "tagging": parts_of_texts.tags,
    "feature_tagging": parts_of_texts.tags,
    "fill_mask": parts_of_texts.masks,
}
_MOST_LABELS = 30
# Fonts of the reader's machine: none is fetched. Tables and bars hold prose, no code.
_FONTS = [gr.themes.Font("system-ui"), gr.themes.Font("sans-serif")]
THEME = gr.themes.Default(font=_FONTS, font_mono=_FONTS)
# Without the lines on `.textfield` a marked text is a row of boxes, which break within words.
CSS = """
.app { max-width: 1200px !important; }
.facts { opacity: 0.75; }
.problem { border-left: 4px solid #c2410c; padding: 0.5rem 0.75rem; background: #c2410c1a; }
.textfield { display: block !important; word-break: normal !important; overflow-wrap: anywhere; }
.textfield .token-container { display: inline; }
.textfield .highlighted { margin: 0 !important; }
.textfield .label { white-space: nowrap; }
.textfield .line-break { display: block; }
.textfield .line-break + .line-break { height: 1rem; }
"""


def form_of(model: DemoModel) -> Form:
    """Returns the form for a model's task.

    Raises:
        InputError: If there is none.
    """
    task = model.description["task"]
    if task not in _FORMS:
        raise InputError(f"there are pages for {', '.join(_FORMS)}. Received: {task}")
    return _FORMS[task](model)


def page(model: DemoModel) -> gr.Blocks:
    """Returns the page of a model."""
    form = form_of(model)
    # The first calls of a signature take seconds: they are not the reader's.
    for example in form.examples:
        form.answer(*example)
    # Outputs are cleared by a message, so that none stands beside another input's answer.
    nothing = [None] * len(form.outputs)

    def answer(*values):
        start = time.perf_counter()
        try:
            reply = form.answer(*(value or "" for value in values))
        except InputError as error:
            message = html.escape(str(error))
            # The first letter, as `capitalize` would lower the others.
            message = message[:1].upper() + message[1:]
            return [f'<div class="problem">{message}</div>', *nothing]
        milliseconds = 1000 * (time.perf_counter() - start)
        return [f'<div class="facts">Answered in {milliseconds:.0f} ms.</div>', *reply]

    with gr.Blocks(title=model.name, analytics_enabled=False) as blocks:
        gr.HTML(_heading(model))
        with gr.Column() if form.is_wide else gr.Row():
            with gr.Column():
                for component in form.inputs:
                    component.render()
                button = gr.Button("Ask the model", variant="primary")
                status = gr.HTML()
            with gr.Column():
                for component in form.outputs:
                    component.render()
        outputs = [status, *form.outputs]
        asked = [button.click, *(component.submit for component in form.inputs)]
        gr.on(asked, answer, form.inputs, outputs, api_name="answer")
        gr.Examples(
            form.examples, form.inputs, outputs, answer, cache_examples=False, run_on_click=True
        )
    return blocks


def _heading(model: DemoModel) -> str:
    told = model.description
    facts = [
        told["task"].replace("_", " "),
        told["precision"],
        f"{told['sequence_length']} tokens at a time",
        f"reads {told['limits']['text_bytes']:,} bytes of a text",
    ]
    labels = told["labels"]
    if labels:
        more = len(labels) - _MOST_LABELS
        rest = f" and {more} more" if more > 0 else ""
        facts.append(f"labels: {', '.join(labels[:_MOST_LABELS])}{rest}")
    facts = html.escape(" · ".join(facts))
    return f'<h1>{html.escape(model.name)}</h1><p class="facts">{facts}</p>'
