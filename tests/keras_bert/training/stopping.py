"""Training commands that are stopped in every way, and what they end with."""

import json
import os
import random
import subprocess
import sys

import numpy as np
import tensorflow as tf
from safetensors.numpy import load_file

from keras_bert.records import Manifest, encode_example, write_manifest, write_shard
from tests.keras_bert.training import cluster

STEPS, CHECKPOINT_STEPS = 14, 3
RATES = ("seconds", "speed", "sequences_per_second", "examples_per_second")

# Stops itself as the first argument says, at the number in the second, then runs the command.
FAULTS = """
import os, signal, sys, threading
how, when, *arguments = sys.argv[1:]
count = 0
def counted(function, fault, counts=lambda *arguments: True):
    def call(*arguments, **keywords):
        global count
        count += counts(*arguments)
        if count == int(when) and counts(*arguments):
            fault()
        return function(*arguments, **keywords)
    return call
def kill():
    if how == "kill":  # Those under way are committed first, to know which there are.
        for thread in threading.enumerate():
            if thread.name == "checkpoint-writer":
                thread.join()
    os.kill(os.getpid(), signal.SIGKILL)
def terminate():
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
# As at a terminal, also where the tests run in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
def hang():
    import ctypes, subprocess
    kill = f"sleep 1; kill -TERM {os.getpid()}; sleep 1; kill -TERM {os.getpid()}"
    subprocess.Popen(["sh", "-c", kill])
    lock = ctypes.create_string_buffer(64)
    while True:  # The second wait is for ever, and not in Python.
        ctypes.CDLL(None).pthread_mutex_lock(lock)
def fill_disk():
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, resource.RLIM_INFINITY))
if how == "commit":
    os.rename = counted(os.rename, kill, lambda old, new: "step-0" in str(new))
else:
    import keras
    faults = {"terminate": terminate, "interrupt": interrupt, "disk": fill_disk, "hang": hang}
    fault = faults.get(how, kill)
    steps = keras.callbacks.CallbackList.on_train_batch_end
    keras.callbacks.CallbackList.on_train_batch_end = counted(steps, fault)
from keras_bert.__main__ import main
sys.exit(main(arguments))
"""


def write_shards(directory, vocabulary, *, length, count):
    rng = random.Random(length)
    written = []
    for number in range(3):
        examples = []
        for _ in range(count):
            middle = rng.randint(2, length - 4)
            ids = [rng.randrange(5, len(vocabulary)) for _ in range(length - 3)]
            ids = [vocabulary.start_id, *ids[:middle], vocabulary.end_id, *ids[middle:]]
            ids.append(vocabulary.end_id)
            segments = [0] * (middle + 2) + [1] * (length - middle - 2)
            label = [rng.randrange(2)]
            examples.append(
                encode_example(
                    {"token_ids": ids, "segment_ids": segments, "next_sentence_label": label}
                )
            )
        written.append(write_shard(directory / f"shard-{number:05d}.tfrecord", examples))
    finish_shards(directory, vocabulary, written, length=length)


def finish_shards(directory, vocabulary, written, *, length):
    """Writes what stands beside shards of next-sentence examples; returns their manifest."""
    vocabulary.save(directory / "vocab.txt")
    manifest = Manifest(
        objective="nsp",
        sequence_length=length,
        fields=("token_ids", "segment_ids", "next_sentence_label"),
        max_predictions=None,
        vocabulary_size=len(vocabulary),
        vocabulary_sha256=vocabulary.sha256,
        lowercase=True,
        settings={},
        statistics={},
        shards=tuple(written),
    )
    write_manifest(directory, manifest)
    return manifest


def command(work, output, *extra):
    # Nine steps on short sequences, five on long ones; intervals of four, the last ones shorter.
    return [
        "pretrain",
        *("--data", f"{work}/short", "--long-data", f"{work}/long", "--long-share", "0.36"),
        *("--validation", f"{work}/long", "--validation-steps", "2", "--shuffle-buffer", "8"),
        *("--model", f"{work}/model.json", "--steps", str(STEPS), "--batch-size", "4"),
        *("--log-steps", "4", "--checkpoint-steps", str(CHECKPOINT_STEPS)),
        *("--learning-rate", "1e-3", "--output", str(output)),
        *extra,
    ]


def write_rows(directory):
    """Labelled examples."""
    rows = [{"text": "the cat " * (n % 5 + 1), "label": "ab"[n % 2]} for n in range(40)]
    directory.mkdir()
    for split in ("train", "dev"):
        (directory / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))


def fine_tuning(data, init, output, *, batch_size=7):
    """Two epochs, the last batch of each smaller: twelve steps."""
    return [
        "finetune",
        *("--task", "classification", "--data", str(data), "--output", str(output)),
        *("--init", str(init), "--epochs", "2", "--batch-size", str(batch_size)),
        *("--sequence-length", "16", "--log-steps", "5", "--checkpoint-steps", "4"),
    ]


def stopped(arguments, how, when):
    """Runs the command in a process of its own that is stopped after `when` events."""
    result = subprocess.run(
        [sys.executable, "-c", FAULTS, how, str(when), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in result.stderr, result.stderr
    return result


def random_fault(seed):
    """How a run is killed, and after how many events."""
    rng = random.Random(seed)
    how = rng.choice(["kill", "at_once", "at_once", "commit"])
    return how, rng.randint(1, 2 if how == "commit" else STEPS)


def by_workers(arguments, how="none", when=0, victim=0):
    """Runs the command on two workers, one of which is stopped after `when` events.

    Returns:
        The exit codes, and what each wrote to standard error.
    """
    processes = []
    for index, environment in enumerate(cluster.environments(2)):
        fault = (how, str(when)) if index == victim else ("none", "0")
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", FAULTS, *fault, *arguments],
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        errors = [process.communicate(timeout=300)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for error in errors:
        assert "Traceback" not in error, error[-4000:]
    return [process.returncode for process in processes], errors


def scalars(run):
    points = {}
    for path in sorted((run / "tensorboard").glob("*tfevents*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                group, *_ = value.tag.partition("/")
                if group in ("learning", "optimizer", "speed", "validation"):
                    number = 0.0 if group == "speed" else float(tf.make_ndarray(value.tensor))
                    points.setdefault(value.tag, []).append((event.step, number))
    return points


def without_rates(run):
    metrics = json.loads((run / "metrics.json").read_text())
    return {name: value for name, value in metrics.items() if name not in RATES}


def steps_of(run):
    return [int(path.name[5:]) for path in sorted((run / "checkpoints").glob("step-*"))]


def assert_same(run, whole, steps=STEPS):
    for name in ("model/model.safetensors", f"checkpoints/step-{steps:08d}/model.safetensors"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()
    state = f"checkpoints/step-{steps:08d}/training_state.safetensors"
    first, second = load_file(run / state), load_file(whole / state)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    assert scalars(run) == scalars(whole)
    assert without_rates(run) == without_rates(whole)
    assert not list(run.rglob(".incomplete-*"))
