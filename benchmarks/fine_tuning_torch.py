"""Fine-tunes with `transformers` on torch: the peer of the fine-tuning benchmark.

    pip install transformers torch scikit-learn scipy seqeval
    python benchmarks/fine_tuning_torch.py mrpc MRPC MODEL --epochs 4 --learning-rate 1e-4 \
        --batch-size 32 --sequence-length 128 --seed 0 --output result.json

The recipe is that of `python -m keras_bert finetune`: AdamW (betas .9 and .999, epsilon 1e-6, decay
.01 but for biases and LayerNorm, bias correction), 10 % linear warm-up and linear decay to 0,
gradients clipped at a norm of 1, the dropout of the model's configuration, bfloat16 with float32
master weights (autocast), batches padded to their longest row. Texts are tokenized before training.

The loop is plain and set up as torch is fastest on a CPU: the fused AdamW, gradients set to None,
the development set by length. Attention is transformers' "eager" one: its "sdpa" has no fused
kernel with dropout on a CPU. `--length-grouped` makes the batches of Trainer's `group_by_length`.

`--steps` measures that many steps after a few and evaluates nothing. Training seconds hold no
evaluation. The result is printed as one line of JSON.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fine_tuning_data
import fine_tuning_report
import torch
import transformers
from fine_tuning_batches import Row, batch_of, decode, encode
from fine_tuning_data import Data
from transformers.trainer_pt_utils import LengthGroupedSampler

MODELS = {
    "class": transformers.AutoModelForSequenceClassification,
    "number": transformers.AutoModelForSequenceClassification,
    "choice": transformers.AutoModelForMultipleChoice,
    "tags": transformers.AutoModelForTokenClassification,
    "answer": transformers.AutoModelForQuestionAnswering,
}
WARM_UP_STEPS = 5  # before those that `--steps` measures


@dataclass
class Measured:
    """What was trained on so far."""

    seconds: float = 0.0
    steps: int = 0
    rows: int = 0
    tokens: int = 0
    places: int = 0  # of tokens and padding


def orders(rows: list[Row], arguments: argparse.Namespace) -> Iterator[list[int]]:
    """Yields the order of the rows for each epoch."""
    generator = torch.Generator().manual_seed(arguments.seed)
    while True:
        if arguments.length_grouped:
            lengths = [len(row) for row in rows]
            yield list(
                LengthGroupedSampler(arguments.batch_size, lengths=lengths, generator=generator)
            )
        else:
            yield torch.randperm(len(rows), generator=generator).tolist()


def optimizer_of(model: torch.nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    # Biases and LayerNorm's weights are those with one axis.
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.01},
        {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, learning_rate, betas=(0.9, 0.999), eps=1e-6, fused=True)


@torch.inference_mode()
def evaluate(model, data: Data, rows: list[Row], batch_size: int, pad_id: int) -> tuple[dict, list]:
    """Scores of the development set, and what was predicted."""
    model.eval()
    outputs: list[Any] = [None] * len(rows)
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    for begin in range(0, len(rows), batch_size):
        numbers = order[begin : begin + batch_size]
        batch = batch_of([rows[number] for number in numbers], data.kind, pad_id)
        with torch.autocast("cpu", torch.bfloat16):
            result = model(**batch)
        if data.kind == "answer":
            logits = torch.stack([result.start_logits, result.end_logits], 1)
        else:
            logits = result.logits
        for number, values in zip(numbers, logits.float().numpy(), strict=True):
            outputs[number] = values
    model.train()
    predictions = decode(data, rows, outputs)
    scores = data.scores(data.dev, predictions)
    return {name: round(float(score), 4) for name, score in scores.items()}, predictions


class Training:
    """A model, its optimizer and the schedule.

    Args:
        model: of `transformers`.
        kind: str. The kind of the task.
        pad_id: int.
        learning_rate: float.
        steps: int. Those of the schedule.
    """

    def __init__(self, model, *, kind: str, pad_id: int, learning_rate: float, steps: int):
        self.model, self.kind, self.pad_id = model.train(), kind, pad_id
        self.parameters = list(model.parameters())
        self.optimizer = optimizer_of(model, learning_rate)
        self.schedule = transformers.get_linear_schedule_with_warmup(
            self.optimizer, int(0.1 * steps), steps
        )

    def step(self, rows: list[Row], measured: Measured) -> float:
        """Trains on a batch and returns its loss."""
        started = time.perf_counter()
        batch = batch_of(rows, self.kind, self.pad_id)
        with torch.autocast("cpu", torch.bfloat16):
            loss = self.model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.schedule.step()
        value = loss.item()
        measured.seconds += time.perf_counter() - started
        measured.steps += 1
        measured.rows += len(rows)
        measured.tokens += int(batch["attention_mask"].sum())
        measured.places += batch["attention_mask"].numel()
        return value


def train(arguments: argparse.Namespace) -> tuple[dict, dict]:
    """The result, and for SQuAD the answers of the last epoch by their questions' ids."""
    torch.manual_seed(arguments.seed)
    data = fine_tuning_data.read(arguments.task, arguments.data)
    examples = data.train[: arguments.limit]
    tokenizer = transformers.AutoTokenizer.from_pretrained(arguments.model)
    outputs = {"class": len(data.labels), "number": 1, "tags": len(data.labels)}
    settings = {"num_labels": outputs[data.kind]} if data.kind in outputs else {}
    model = MODELS[data.kind].from_pretrained(
        arguments.model, attn_implementation="eager", **settings
    )
    started = time.perf_counter()
    rows = encode(tokenizer, data, examples, arguments.sequence_length)
    dev_rows = encode(tokenizer, data, data.dev, arguments.sequence_length)
    encoding_seconds = time.perf_counter() - started
    size = arguments.batch_size
    training = Training(
        model,
        kind=data.kind,
        pad_id=tokenizer.pad_token_id,
        learning_rate=arguments.learning_rate,
        steps=arguments.epochs * -(-len(rows) // size),
    )
    measured, history, predictions = Measured(), [], []
    shuffled = (
        [rows[number] for number in order[begin : begin + size]]
        for order in orders(rows, arguments)
        for begin in range(0, len(order), size)
    )
    if arguments.steps:
        for number in range(-WARM_UP_STEPS, arguments.steps):
            training.step(next(shuffled), measured if number >= 0 else Measured())
    else:
        for _ in range(arguments.epochs):
            before = measured.seconds
            losses = [training.step(next(shuffled), measured) for _ in range(-(-len(rows) // size))]
            entry = {
                "seconds": round(measured.seconds - before, 1),
                "loss": round(sum(losses) / len(losses), 4),
            }
            scores, predictions = evaluate(model, data, dev_rows, size, training.pad_id)
            history.append({**entry, "dev": scores})
            print(f"epoch {len(history)}: {json.dumps(history[-1])}", flush=True)
    result = {
        "library": "transformers on torch",
        "settings": "bfloat16 autocast, eager attention, fused AdamW, dynamic padding"
        + (", batches grouped by length" if arguments.length_grouped else ""),
        "train_examples": len(examples),
        "train_rows": len(rows),
        "dev_examples": len(data.dev),
        "steps": measured.steps,
        "training_seconds": round(measured.seconds, 1),
        "encoding_seconds": round(encoding_seconds, 1),
        # A question of SQuAD has several rows.
        "examples_per_second": round(
            measured.rows * len(examples) / len(rows) / measured.seconds, 2
        ),
        "tokens_per_second": round(measured.tokens / measured.seconds),
        "real_share_of_tokens": round(measured.tokens / measured.places, 3),
        **fine_tuning_report.summary(history),
    }
    answers = {}
    if data.kind == "answer":
        for example, (text, margin) in zip(data.dev, predictions, strict=False):
            answers[example.name] = text if margin >= 0 else ""
    return result, answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("task", choices=fine_tuning_data.KINDS)
    parser.add_argument("data", type=Path, help="folder of the task's files")
    parser.add_argument("model", help="folder of a model in Hugging Face's format")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--sequence-length", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--length-grouped", action="store_true")
    parser.add_argument("--limit", type=int, help="train on the first examples only")
    parser.add_argument("--steps", type=int, help="measure so many steps and evaluate nothing")
    parser.add_argument("--predictions", type=Path, help="SQuAD: where the last answers go")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    load = os.getloadavg()[0]
    result, predictions = train(arguments)
    result["threads"] = torch.get_num_threads()
    result["versions"] = f"torch {torch.__version__}, transformers {transformers.__version__}"
    fine_tuning_report.report(result, arguments, load)
    if arguments.predictions:
        arguments.predictions.write_text(json.dumps(predictions, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
