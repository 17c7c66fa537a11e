"""What a page asks and shows, as each family fills it in."""

import dataclasses
from collections.abc import Callable
from typing import Any

import gradio as gr

from keras_bert.errors import InputError


@dataclasses.dataclass(frozen=True)
class Form:
    """The part of the page that depends on the task.

    Args:
        inputs: Components that the user fills in.
        outputs: Components that show the reply.
        answer: From values of the inputs to a tuple of values of the outputs; raises `InputError`
            for input that has no answer, whose message stands on the page.
        examples: Rows of values of the inputs.
        is_wide: True to put the outputs below the inputs instead of beside them.
    """

    inputs: list[gr.components.Component]
    outputs: list[gr.components.Component]
    answer: Callable[..., tuple]
    examples: list[list[Any]]
    is_wide: bool = False


def check_filled(what: str, text: str) -> None:
    """Checks that a field is not empty.

    Raises:
        InputError: If it is, or holds nothing but spaces.
    """
    if not text.strip():
        raise InputError(f"{what} is empty: write something")


def lines_of(text: str) -> list[str]:
    """Returns the lines that are not empty, without spaces around them."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def table(label: str, headers: list[str], widths: list[str]) -> gr.Dataframe:
    """Returns a table that is there to read."""
    return gr.Dataframe(
        label=label,
        headers=headers,
        column_widths=widths,
        datatype="str",
        type="array",
        interactive=False,
        wrap=True,
        max_height=320,
        buttons=[],
    )


def percent(share: float) -> str:
    """Returns a probability to read: `97.3 %`."""
    return f"{100 * share:.1f} %"
