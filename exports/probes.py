"""Inputs that every export must answer, whatever its task."""

from collections.abc import Mapping
from typing import Any

_STRINGS = ["", "a", "Some words, and more.", "Ünïcode 你好 ß", "[MASK] [SEP]", "long " * 2000]


def probes(signatures: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, list]]:
    """Returns a call of each signature: odd strings and its example; ids as the example has them.

    Args:
        signatures: As the description of an export has them, with `inputs` and `example`.
    """
    return {name: _call(signature) for name, signature in signatures.items()}


def _call(signature: Mapping[str, Any]) -> dict[str, list]:
    call = {}
    for number, (name, spec) in enumerate(signature["inputs"].items()):
        example = signature["example"][name]
        if spec["dtype"] != "string":
            call[name] = example
            continue
        # Another string for each input of a row.
        strings = _STRINGS[number:] + _STRINGS[:number]
        if len(spec["shape"]) == 2:
            choices = len(example[0])
            strings = [[text, *_STRINGS][:choices] for text in strings]
        call[name] = [*strings, *example]
    return call
