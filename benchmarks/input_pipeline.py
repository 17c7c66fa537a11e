"""The input of pre-training against the smallest model: is it ever waited for?

    python benchmarks/input_pipeline.py CORPUS VOCABULARY

Makes next-sentence shards of 128 tokens from CORPUS (a glob of text), then measures in turn, in
sequences/s: the pipeline alone (read, parse, shuffle, mask, batch) for each kind of masking unit,
and training of the smallest named model, L2-H128 with 20 predictions, on batches that are in memory
already. Last, TensorFlow's profiler tells which share of the time of `fit` on the pipeline passes
in waiting for the next batch. Written to `benchmarks/results/input_pipeline.json`.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import machine
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from data_gen.engine import generate
from data_gen.options import PretrainingDataOptions
from keras_bert import BertConfig, BertPretrainer, MaskedLMMasker
from keras_bert.records import Manifest
from keras_bert.text.mask_units import UNITS
from keras_bert.text.vocabulary import Vocabulary
from keras_bert.training.losses import pretraining_losses
from keras_bert.training.optimizer import BertAdamW
from keras_bert.training.pipeline import pretraining_dataset

LENGTH, PREDICTIONS, BATCH = 128, 20, 64
_WAITING = "IteratorGetNextOp::DoCompute"
ROUNDS, BATCHES, STEPS = 5, 200, 4


def pipeline(directory: str, manifest: Manifest, vocabulary: Vocabulary, units: str):
    return pretraining_dataset(
        directory,
        manifest,
        MaskedLMMasker(vocabulary, PREDICTIONS, units=units),
        batch_size=BATCH,
        seed=1,
    )


def reader(dataset: tf.data.Dataset) -> Callable[[], float]:
    iterator = iter(dataset)

    def rate() -> float:
        started = time.perf_counter()
        for _ in range(BATCHES):
            next(iterator)
        return BATCHES * BATCH / (time.perf_counter() - started)

    return rate


def trainer(vocabulary: Vocabulary, precision: str, batches: list) -> tuple:
    config = BertConfig.from_name("tiny", vocabulary_size=len(vocabulary))
    model = BertPretrainer(config, dtype=precision)
    model.compile(BertAdamW(1e-4), **pretraining_losses())
    dataset = tf.data.Dataset.from_tensors(batches[0]).repeat()

    def rate() -> float:
        started = time.perf_counter()
        model.fit(dataset, steps_per_epoch=STEPS, shuffle=False, verbose=0)
        return STEPS * BATCH / (time.perf_counter() - started)

    return model, rate


def share_of_waiting(model: BertPretrainer, dataset: tf.data.Dataset) -> float:
    """Time in which the step waits for its batch, against the time of the profile."""
    waited, found = 0, False
    with tempfile.TemporaryDirectory() as directory:
        model.fit(dataset, steps_per_epoch=STEPS, shuffle=False, verbose=0)
        started = time.perf_counter()
        with tf.profiler.experimental.Profile(directory):
            model.fit(dataset, steps_per_epoch=5 * STEPS, shuffle=False, verbose=0)
        seconds = time.perf_counter() - started
        for path in Path(directory).rglob("*.xplane.pb"):
            for plane in xplane_pb2.XSpace.FromString(path.read_bytes()).planes:
                for event in (event for line in plane.lines for event in line.events):
                    if plane.event_metadata[event.metadata_id].name == _WAITING:
                        found = True
                        waited += event.duration_ps
    if not found:
        sys.exit(f"the profile has no event {_WAITING}")
    return waited * 1e-12 / seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus")
    parser.add_argument("vocabulary")
    arguments = parser.parse_args()
    vocabulary = Vocabulary.from_file(arguments.vocabulary)
    with tempfile.TemporaryDirectory() as directory:
        shards = f"{directory}/shards"
        manifest = generate(
            PretrainingDataOptions(
                arguments.corpus, arguments.vocabulary, shards, sequence_length=LENGTH
            )
        )
        datasets = {units: pipeline(shards, manifest, vocabulary, units) for units in UNITS[:4]}
        batches = list(datasets["token"].take(1))
        contenders = {f"pipeline, {units}": reader(data) for units, data in datasets.items()}
        models = {
            precision: trainer(vocabulary, precision, batches)
            for precision in ("float32", "mixed_bfloat16")
        }
        contenders |= {f"training, {name}": rate for name, (_, rate) in models.items()}
        rates: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(ROUNDS + 1):
            for name, rate in contenders.items():
                rates[name].append(rate())
        waiting = {
            f"{name}, {units}": share_of_waiting(model, datasets[units])
            for name, (model, _) in models.items()
            for units in ("token", "span")
        }
    medians = {name: statistics.median(values[1:]) for name, values in rates.items()}
    eaten = max(rate for name, rate in medians.items() if name.startswith("training"))
    result = {
        "question": f"sequences/s of {LENGTH} tokens, batches of {BATCH}",
        "median": medians,
        "ratio": {
            name: rate / eaten for name, rate in medians.items() if name.startswith("pipeline")
        },
        "share of fit spent waiting for input": waiting,
        "machine": machine.line(),
    }
    print(json.dumps(result, indent=2))
    path = Path(__file__).parent / "results" / "input_pipeline.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
