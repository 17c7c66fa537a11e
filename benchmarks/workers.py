"""Pre-training on one worker and on two of this machine.

    python benchmarks/workers.py SHARDS [L4-H256]

Runs `python -m keras_bert pretrain` in three ways, in turns: one process on one core, two workers
with a core each, and one process on two cores. The batch is the same, so that two workers halve the
work of each and add the sums of the gradients. The rate is the median of the curve
`speed/sequences_per_second`, that is without the start. Results are printed and written to
`benchmarks/results/workers.json`.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import machine

TURNS, STEPS, BATCH = 3, 60, 32
WAYS = {
    "one process, one core": ((0,),),
    "two workers, a core each": ((0,), (1,)),
    "one process, two cores": ((0, 1),),
}


def rate(shards: str, model: str, cores: tuple[tuple[int, ...], ...]) -> float:
    """Sequences per second of a run with one process for each set of cores."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in cores]
    cluster = {"worker": [f"127.0.0.1:{one.getsockname()[1]}" for one in listeners]}
    for one in listeners:
        one.close()
    with tempfile.TemporaryDirectory() as directory:
        command = [
            *(sys.executable, "-m", "keras_bert", "pretrain", "--data", shards, "--model", model),
            *("--output", f"{directory}/run", "--steps", str(STEPS), "--batch-size", str(BATCH)),
            *("--log-steps", "10", "--checkpoint-steps", "0", "--sample-steps", "0"),
        ]
        processes = []
        for index, own in enumerate(cores):
            environment = dict(os.environ)
            if len(cores) > 1:
                task = {"type": "worker", "index": index}
                environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
            processes.append(
                subprocess.Popen(
                    ["taskset", "--cpu-list", ",".join(map(str, own)), *command],
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        if any(process.wait() for process in processes):
            raise SystemExit("a run failed: " + " ".join(command))
        metrics = json.loads(Path(directory, "run", "metrics.json").read_text())
    return metrics["speed"]["sequences_per_second"]


def main(shards: str, model: str = "L4-H256") -> None:
    turns = [{way: rate(shards, model, cores) for way, cores in WAYS.items()} for _ in range(TURNS)]
    medians = {way: statistics.median(turn[way] for turn in turns) for way in WAYS}
    first, *others = WAYS
    result = {
        "model": model,
        "batch": BATCH,
        "sequences_per_second": {way: round(value, 1) for way, value in medians.items()},
        "over_one_core": {way: round(medians[way] / medians[first], 2) for way in others},
        "machine": machine.line(),
    }
    print(json.dumps(result, indent=2))
    path = Path(__file__).parent / "results" / "workers.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
