"""Opening a checkpoint of BERT-base beside reading its file.

    python benchmarks/opening.py [DIRECTORY]

Writes a checkpoint of random weights in Hugging Face's layout (440 MB), then takes turns: reading
the bytes of `model.safetensors` into memory, and opening the checkpoint. Medians of the turns are
printed. The file is in the page cache for both.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import machine

from keras_bert import BertConfig, BertEncoder

TURNS = 9


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def main() -> None:
    print(machine.line())
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        if not (directory / "config.json").exists():
            BertEncoder(BertConfig.from_name("base")).save_checkpoint(directory)
        keras.backend.clear_session()
        actions = {
            "reading the file": lambda: (directory / "model.safetensors").read_bytes(),
            "opening the checkpoint": lambda: BertEncoder.from_checkpoint(directory),
        }
        turns = {name: [] for name in actions}
        for turn in range(TURNS + 1):
            for name, action in actions.items():
                taken = seconds(action)
                if turn:  # The first loads code.
                    turns[name].append(taken)
        for name, times in turns.items():
            print(f"{name}: {statistics.median(times):.2f} s")
        reading, opening = map(statistics.median, turns.values())
        print(f"opening takes {opening / reading:.2f} of the time of reading")


if __name__ == "__main__":
    main()
