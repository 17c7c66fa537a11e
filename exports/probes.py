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


def largest_call(description: Mapping[str, Any], rows: int, tokens: int) -> dict[str, list]:
    """Returns a call of `serving_default` to measure the memory of requests with.

    Args:
        description: As stored beside an export.
        rows: int. Of the call.
        tokens: int. That the encoder computes at a time: so many rows are as long as the model's
            rows may be that they fill it once, which is the most that it holds.
    """
    length = description["sequence_length"]
    # Each word is a token at least; some are masks, for models that fill them.
    long = "[MASK] a a a a a a " * (-(-length // 7))
    full = min(rows, -(-tokens // length))
    texts = [long] * full + ["a"] * (rows - full)
    signature = description["signatures"]["serving_default"]
    return {
        name: texts
        if len(spec["shape"]) == 1
        else [[text] * len(signature["example"][name][0]) for text in texts]
        for name, spec in signature["inputs"].items()
    }


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
