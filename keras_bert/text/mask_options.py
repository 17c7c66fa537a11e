"""What commands let one choose of masking; without TensorFlow, for which `--help` does not wait."""

from typing import Literal

MaskUnits = Literal["token", "whole_word", "ngram", "span", "phrase"]

MASK_OPTIONS = (
    "mask_units",
    "mask_rate",
    "mask_token_rate",
    "random_token_rate",
    "max_predictions",
)
"""The options of a command that masks; without use where masks are not drawn."""
