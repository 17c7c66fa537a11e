"""Tokenizing speed: ours against KerasHub, tf-text and Hugging Face's tokenizers.

    python benchmarks/tokenization.py --vocab vocab.txt --chinese-vocab zh/vocab.txt
        --books 'books/*.gz' --mixed 'wikipedia/*.gz' --chinese 'zh/*.gz'

Rounds alternate between the contenders; medians in MB/s of UTF-8 and in tokens/s are printed and
written to `benchmarks/results/tokenization.json`. The graph call and `tokenizers` with one thread
use one core; tf.data with autotuning and `tokenizers` with threads use all.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import keras_hub
import machine
import tensorflow as tf
import tensorflow_text as tf_text
import texts
import tokenizers

from keras_bert.text.tokenizer import BertTokenizer

BATCH, CHARACTERS, MEGABYTES, ROUNDS, PASSES = 256, 1000, 6, 5, 8


def graph_call(tokenize: Callable, batches: list[tf.Tensor]) -> Callable[[], int]:
    function = tf.function(tokenize, input_signature=[tf.TensorSpec([None], tf.string)])
    return lambda: sum(int(tf.size(function(batch).flat_values)) for batch in batches)


def data_pipeline(tokenize: Callable, batches: list[tf.Tensor]) -> Callable[[], int]:
    # Several passes: an iterator costs a tenth of a second before its first element.
    dataset = tf.data.Dataset.from_tensor_slices(tf.concat(batches, 0)).batch(BATCH).cache()
    dataset = dataset.repeat(PASSES).map(
        lambda batch: tf.size(tokenize(batch).flat_values), num_parallel_calls=tf.data.AUTOTUNE
    )
    dataset = dataset.prefetch(tf.data.AUTOTUNE)
    return lambda: sum(int(count) for count in dataset)


def hugging_face(encode: Callable, batches: list[list[str]], threads: bool) -> Callable[[], int]:
    def run() -> int:
        os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads else "false"
        return sum(
            len(row.ids) for batch in batches for row in encode(batch, add_special_tokens=False)
        )

    return run


def contenders(vocabulary: str, blocks: list[str]) -> dict[str, Callable[[], int]]:
    """A call for each that tokenizes all blocks and returns the number of tokens."""
    strings = [blocks[i : i + BATCH] for i in range(0, len(blocks), BATCH)]
    tensors = [tf.constant(batch) for batch in strings]
    ours = BertTokenizer.from_vocabulary(vocabulary)
    hub = keras_hub.tokenizers.BertTokenizer(list(ours.vocabulary.tokens), lowercase=True)
    fast = tf_text.FastBertTokenizer(
        list(ours.vocabulary.tokens), token_out_type=tf.int32, lower_case_nfd_strip_accents=True
    )
    face = tokenizers.BertWordPieceTokenizer(vocabulary, lowercase=True)
    result = {}
    layers = {
        "keras_bert": ours,
        "keras_hub": hub,
        "tf_text": fast.tokenize,
    }
    for name, layer in layers.items():
        result[f"{name}, graph call"] = graph_call(layer, tensors)
        result[f"{name}, tf.data"] = data_pipeline(layer, tensors)
    encoders = {
        "encode_batch": face.encode_batch,
        "encode_batch_fast": face._tokenizer.encode_batch_fast,
    }
    for name, encode in encoders.items():
        for threads in (False, True):
            label = f"tokenizers, {name}, {'threads' if threads else 'one thread'}"
            result[label] = hugging_face(encode, strings, threads)
    return result


def measure(vocabulary: str, blocks: list[str]) -> dict[str, dict[str, float]]:
    megabytes = sum(len(block.encode()) for block in blocks) / 1e6
    calls = contenders(vocabulary, blocks)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    tokens = {name: call() for name, call in calls.items()}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - started)
    figures = {}
    for name, times in seconds.items():
        median, passes = statistics.median(times), PASSES if "tf.data" in name else 1
        figures[name] = {
            "megabytes_per_second": round(passes * megabytes / median, 2),
            "tokens_per_second": round(tokens[name] / median),
            "tokens": tokens[name] // passes,
        }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("vocab", "chinese-vocab", "books", "mixed", "chinese"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()
    corpora = {
        "books": (arguments.vocab, arguments.books),
        "mixed": (arguments.vocab, arguments.mixed),
        "chinese": (arguments.chinese_vocab, arguments.chinese),
    }
    result = {"machine": machine.line(), "batch": BATCH, "characters_per_string": CHARACTERS}
    for corpus, (vocabulary, pattern) in corpora.items():
        blocks = texts.blocks([pattern], CHARACTERS, MEGABYTES * 1_000_000)
        figures = measure(vocabulary, blocks)
        result[corpus] = figures
        best = max(
            row["megabytes_per_second"] for name, row in figures.items() if "tokenizers" in name
        )
        print(f"\n{corpus}")
        for name, row in figures.items():
            speed = row["megabytes_per_second"]
            print(f"  {name:<42} {speed:7.2f} MB/s  {speed / best:5.2f} x the best of tokenizers")
    path = Path(__file__).parent / "results" / "tokenization.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
