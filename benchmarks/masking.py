"""Dynamic masking: ours against KerasHub's generator, in one graph call each.

    python benchmarks/masking.py

Batches of 256 rows of 128 tokens, every fourth a `##` piece. Rounds alternate between the two; the
other kinds of units, which KerasHub has not, are timed after them. The medians, and that of the
ratios of the rounds, are printed and written to `benchmarks/results/masking.json`.
"""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import tensorflow as tf
from keras_hub.layers import MaskedLMMaskGenerator

from keras_bert.text.masking import MaskedLMMasker
from keras_bert.text.vocabulary import SPECIAL_TOKENS

ROWS, LENGTH, PREDICTIONS, VOCABULARY = 256, 128, 20, 30522
ROUNDS, CALLS = 25, 20


def in_graph(masker: MaskedLMMasker, *inputs: Any) -> Callable:
    """Returns a graph call without arguments, whose handling would be timed too."""
    return tf.function(lambda: masker(*inputs))


def main() -> None:
    words = VOCABULARY - len(SPECIAL_TOKENS)
    tokens = [*SPECIAL_TOKENS, *(f"{'' if n % 4 else '##'}w{n}" for n in range(words))]
    maskers = {
        units: MaskedLMMasker(tokens, PREDICTIONS, units=units)
        for units in ("token", "whole_word", "ngram", "span")
    }
    generator = MaskedLMMaskGenerator(
        vocabulary_size=VOCABULARY,
        mask_selection_rate=0.15,
        mask_token_id=4,
        mask_selection_length=PREDICTIONS,
        unselectable_token_ids=[0, 2, 3],
    )
    token_ids = tf.random.uniform((ROWS, LENGTH), 5, VOCABULARY, tf.int32)
    features = {"token_ids": token_ids, "padding_mask": tf.ones_like(token_ids, tf.bool)}
    seeds = tf.range(ROWS)
    contenders = {
        "keras_hub": tf.function(lambda: generator(token_ids)),
        **{
            f"keras_bert {units}": in_graph(masker, features, seeds)
            for units, masker in maskers.items()
        },
    }
    milliseconds: dict[str, list[float]] = {name: [] for name in contenders}
    # Those that are compared alternate; the other kinds of units have no peer and come after.
    for group in (["keras_hub", "keras_bert token"], list(contenders)[2:]):
        for _ in range(ROUNDS + 1):
            for name in group:
                started = time.perf_counter()
                for _ in range(CALLS):
                    contenders[name]()
                milliseconds[name].append((time.perf_counter() - started) / CALLS * 1e3)
    medians = {name: statistics.median(times[1:]) for name, times in milliseconds.items()}
    pairs = zip(milliseconds["keras_hub"], milliseconds["keras_bert token"], strict=True)
    ratios = [hub / own for hub, own in pairs]
    result = {
        "question": f"masking {ROWS} rows of {LENGTH} tokens, milliseconds",
        "median": medians,
        "ratio": statistics.median(ratios[1:]),
        "machine": machine.line(),
    }
    print(json.dumps(result, indent=2))
    path = Path(__file__).parent / "results" / "masking.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
