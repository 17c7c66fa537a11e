"""What the peers of the fine-tuning benchmark report."""

import argparse
import json
from typing import Any

import machine


def summary(history: list[dict[str, Any]]) -> dict[str, Any]:
    """The best epoch by the first of the scores, the last one, and all."""
    if not history:
        return {}
    metric = next(iter(history[-1]["dev"]))
    best = max(range(len(history)), key=lambda number: history[number]["dev"][metric])
    return {
        "best": {"epoch": best + 1, **history[best]["dev"]},
        "last": history[-1]["dev"],
        "history": history,
    }


def report(result: dict[str, Any], arguments: argparse.Namespace, load: float) -> None:
    """Prints a result as one line and writes it to `--output`."""
    names = ("task", "epochs", "learning_rate", "batch_size", "sequence_length", "seed")
    result = {
        **{name: getattr(arguments, name) for name in names},
        **result,
        "load_before": round(load, 2),
        "machine": machine.line(),
    }
    print(json.dumps(result))
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")
