"""Dynamic masking: ours against KerasHub's generator, in one graph call each.

    python benchmarks/masking.py

Batches of 256 rows of 128 tokens. Rounds alternate between the two; the medians and their ratio
are printed and written to `benchmarks/results/masking.json`.
"""

import json
import statistics
import time
from pathlib import Path

import machine
import tensorflow as tf
from keras_hub.layers import MaskedLMMaskGenerator

from keras_bert.text.masking import MaskedLMMasker
from keras_bert.text.vocabulary import SPECIAL_TOKENS

ROWS, LENGTH, PREDICTIONS, VOCABULARY = 256, 128, 20, 30522
ROUNDS, CALLS = 9, 20


def main() -> None:
    tokens = [*SPECIAL_TOKENS, *(f"w{index}" for index in range(VOCABULARY - len(SPECIAL_TOKENS)))]
    masker = MaskedLMMasker(tokens, PREDICTIONS)
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
        "keras_bert": tf.function(lambda: masker(features, seeds)),
        "keras_hub": tf.function(lambda: generator(token_ids)),
    }
    milliseconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS + 1):
        for name, call in contenders.items():
            started = time.perf_counter()
            for _ in range(CALLS):
                call()
            milliseconds[name].append((time.perf_counter() - started) / CALLS * 1e3)
    medians = {name: statistics.median(times[1:]) for name, times in milliseconds.items()}
    result = {
        "question": f"masking {ROWS} rows of {LENGTH} tokens, milliseconds",
        "median": medians,
        "ratio": medians["keras_hub"] / medians["keras_bert"],
        "machine": machine.line(),
    }
    print(json.dumps(result, indent=2))
    path = Path(__file__).parent / "results" / "masking.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
