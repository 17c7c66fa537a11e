"""Text to pre-training shards: ours against the TensorFlow Model Garden's, on one core each.

    python benchmarks/pretraining_data.py CORPUS VOCABULARY --garden PYTHON

CORPUS is a file of text with a paragraph per line and a blank line between documents; VOCABULARY an
uncased `vocab.txt`; PYTHON an interpreter that has `tf-models-official`, which needs an environment
of its own. Both read the same 2.5, 5, 10 and 20 MB of it, a line being a sentence, and write
examples of 128 tokens for next-sentence prediction with masks drawn once (20 predictions). Rounds
alternate between the two; each run is a process of its own on one core. What is told is the whole
time, from the start of the process; the rate without start-up, from the line through the four
sizes; and the peak memory. Ours runs too as it comes: sentences found in paragraphs, masks left to
training.

Written to `benchmarks/results/pretraining_data.json` and, as a plot, `pretraining_data.png`.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

MEGABYTES = (2.5, 5, 10, 20)
ROUNDS = 3
RESULTS = Path(__file__).parent / "results"


def commands(text: Path, vocabulary: str, garden: str, output: Path) -> dict[str, list[str]]:
    ours = [sys.executable, "-m", "data_gen", "pretrain", "--input", str(text)]
    ours += ["--vocab", vocabulary, "--output", str(output / "shards")]
    return {
        "keras_bert": [*ours, "--sentences", "lines", "--static-masks"],
        "keras_bert, as it comes": ours,
        "model_garden": [
            *(garden, "-m", "official.nlp.data.create_pretraining_data"),
            *(f"--input_file={text}", f"--output_file={output / 'examples'}"),
            *(f"--vocab_file={vocabulary}", "--do_lower_case=True", "--max_seq_length=128"),
            *("--max_predictions_per_seq=20", "--masked_lm_prob=0.15", "--dupe_factor=1"),
            *("--random_seed=12345", "--short_seq_prob=0.1"),
        ],
    }


def measure(command: list[str]) -> tuple[float, float]:
    """Runs a command on one core: seconds, and megabytes of memory at its peak."""
    core = min(os.sched_getaffinity(0))
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(command)}\n{errors.decode()}")
    return seconds, usage.ru_maxrss / 1024


def plot(sizes: list[float], medians: dict) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, what, label in zip(
        axes, ("seconds", "memory"), ("seconds, one core", "peak memory, MB"), strict=True
    ):
        for name, values in medians.items():
            axis.plot(sizes, values[what], marker="o", label=name.replace("_", " "))
        axis.set(xlabel="input, MB", ylabel=label, ylim=(0, None), xlim=(0, None))
        axis.grid(alpha=0.3)
        axis.legend()
    figure.savefig(RESULTS / "pretraining_data.png", dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("vocabulary")
    parser.add_argument("--garden", required=True)
    arguments = parser.parse_args()
    text = arguments.corpus.read_bytes()
    found: dict[str, dict[float, list]] = {}
    with tempfile.TemporaryDirectory() as directory:
        for size in MEGABYTES:
            part = Path(directory) / f"{size}.txt"
            # Cut at the end of a line, hence of a character.
            part.write_bytes(text[: text.rindex(b"\n", 0, int(size * 1e6)) + 1])
        for _ in range(ROUNDS):
            for size in MEGABYTES:
                part, output = Path(directory) / f"{size}.txt", Path(directory) / "output"
                runs = commands(part, arguments.vocabulary, arguments.garden, output)
                for name, command in runs.items():
                    output.mkdir()
                    times = measure(command)
                    shutil.rmtree(output)
                    found.setdefault(name, {}).setdefault(size, []).append(times)
                    print(f"{name}, {size} MB: {times[0]:.1f} s, {times[1]:.0f} MB", flush=True)
    medians = {
        name: {
            what: [statistics.median(run[index] for run in runs) for runs in by_size.values()]
            for index, what in enumerate(("seconds", "memory"))
        }
        for name, by_size in found.items()
    }
    for values in medians.values():
        seconds = values["seconds"]
        values["megabytes_per_second"] = MEGABYTES[-1] / seconds[-1]
        values["without_start"] = 1 / np.polyfit(MEGABYTES, seconds, 1)[0]
    rates = ("megabytes_per_second", "without_start")
    result = {
        "question": "text to next-sentence shards on one core",
        "megabytes": MEGABYTES,
        "median": medians,
        "ratio": {
            rate: medians["keras_bert"][rate] / medians["model_garden"][rate] for rate in rates
        },
        "machine": machine.line(),
    }
    print(json.dumps(result, indent=2))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "pretraining_data.json").write_text(json.dumps(result, indent=2) + "\n")
    plot(list(MEGABYTES), medians)


if __name__ == "__main__":
    main()
