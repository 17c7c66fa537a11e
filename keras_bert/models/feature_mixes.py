"""The layers that features are made of, by the names that a command line takes too."""

from typing import Literal, get_args

FeatureMix = Literal[
    "embeddings",
    "second_to_last",
    "last",
    "weighted_sum_last_4",
    "concat_last_4",
    "weighted_sum_all",
]
MIXES: tuple[str, ...] = get_args(FeatureMix)
