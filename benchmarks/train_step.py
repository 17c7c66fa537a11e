"""A pre-training step beside KerasHub's `BertMaskedLM` and torch's `BertForPreTraining`.

    pip install transformers torch
    python benchmarks/train_step.py [L4-H256] [base]

Forward, backward and optimizer with dropout 0.1 on one batch of full rows: 128 tokens, 20
predictions, the same arrays for all. Ours and KerasHub's run under `model.fit`, torch's in a loop
with bfloat16 autocast. KerasHub's model has no next-sentence head, so that its step is the smaller;
it and ours keep the accuracy metric that they come with. Contenders take turns, some steps at a
time; medians of the turns. The time to the steady state is that of each one's first steps, before
the turns, less what as many steady ones take. Results are printed and written to
`benchmarks/results/train_step.json`.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import keras_hub
import machine
import numpy as np
import tensorflow as tf
import torch
import transformers
from peers import torch_config

from keras_bert import BertConfig, BertPretrainer
from keras_bert.checkpoints import keras_hub as preset
from keras_bert.training.losses import pretraining_losses
from keras_bert.training.optimizer import BertAdamW
from keras_bert.training.throughput import product_rate, training_operations

LENGTH, PREDICTIONS = 128, 20
BATCHES = {"L4-H256": 32, "base": 16}
FIRST_STEPS, TURNS, SECONDS_OF_A_TURN = 3, 7, 3


def batch_of(config: BertConfig, size: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shape = (size, LENGTH)
    positions = [random.choice(LENGTH - 2, PREDICTIONS, replace=False) + 1 for _ in range(size)]
    return {
        "token_ids": random.integers(1000, config.vocabulary_size, shape).astype("int32"),
        "segment_ids": np.zeros(shape, "int32"),
        "padding_mask": np.ones(shape, bool),
        "masked_positions": np.sort(np.array(positions)).astype("int32"),
        "masked_ids": random.integers(1000, config.vocabulary_size, (size, PREDICTIONS)),
        "next_sentence_label": random.integers(0, 2, size),
    }


def by_fit(model: keras.Model, data: tuple) -> Callable[[int], None]:
    """Runs steps of `model.fit` on one batch again and again."""
    dataset = tf.data.Dataset.from_tensors(data).repeat().prefetch(2)
    return lambda steps: model.fit(dataset, steps_per_epoch=steps, verbose=0)


def ours(config: BertConfig, batch: dict, dtype: str) -> Callable[[int], None]:
    model = BertPretrainer(config, dtype=dtype)
    model.compile(BertAdamW(1e-5), **pretraining_losses())
    names = ("token_ids", "segment_ids", "padding_mask", "masked_positions")
    targets = {
        "masked_lm_logits": batch["masked_ids"],
        "next_sentence_logits": batch["next_sentence_label"],
    }
    weights = {name: np.ones(rows.shape, "float32") for name, rows in targets.items()}
    return by_fit(model, ({name: batch[name] for name in names}, targets, weights))


def hub(config: BertConfig, batch: dict, dtype: str) -> Callable[[int], None]:
    backbone = preset.make_backbone(config, dtype=dtype)
    model = keras_hub.models.BertMaskedLM(backbone, preprocessor=None)
    model.compile(
        keras.optimizers.AdamW(1e-5),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy()],
        jit_compile=False,
    )
    features = {
        "token_ids": batch["token_ids"],
        "segment_ids": batch["segment_ids"],
        "padding_mask": batch["padding_mask"].astype("int32"),
        "mask_positions": batch["masked_positions"],
    }
    weights = np.ones(batch["masked_ids"].shape, "float32")
    return by_fit(model, (features, batch["masked_ids"], weights))


def peer(config: BertConfig, batch: dict) -> Callable[[int], None]:
    shape = torch_config(config)
    model = transformers.BertForPreTraining(shape).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-5, fused=True)
    # It has logits for every position; -100 leaves one out of the loss.
    labels = np.full(batch["token_ids"].shape, -100)
    np.put_along_axis(labels, batch["masked_positions"], batch["masked_ids"], axis=1)
    inputs = {
        "input_ids": batch["token_ids"],
        "token_type_ids": batch["segment_ids"],
        "attention_mask": batch["padding_mask"],
        "labels": labels,
        "next_sentence_label": batch["next_sentence_label"],
    }
    tensors = {name: torch.tensor(rows).long() for name, rows in inputs.items()}

    def run(steps: int) -> None:
        for _ in range(steps):
            with torch.autocast("cpu", torch.bfloat16):
                loss = model(**tensors).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

    return run


def seconds_of(run: Callable[[int], None], steps: int) -> float:
    started = time.perf_counter()
    run(steps)
    return time.perf_counter() - started


def measure(name: str) -> dict:
    config = BertConfig.from_name(name)
    batch = batch_of(config, BATCHES[name])
    makers = {
        "ours, mixed_bfloat16": lambda: ours(config, batch, "mixed_bfloat16"),
        "ours, float32": lambda: ours(config, batch, "float32"),
        "KerasHub, mixed_bfloat16": lambda: hub(config, batch, "mixed_bfloat16"),
        "KerasHub, float32": lambda: hub(config, batch, "float32"),
        "torch, autocast": lambda: peer(config, batch),
    }
    contenders, first, steps = {}, {}, {}
    for who, make in makers.items():
        contenders[who] = make()
        first[who] = seconds_of(contenders[who], FIRST_STEPS)
        once = seconds_of(contenders[who], 2) / 2
        steps[who] = max(2, min(30, round(SECONDS_OF_A_TURN / once)))
    turns: dict[str, list[float]] = {who: [] for who in contenders}
    for _ in range(TURNS):
        for who, run in contenders.items():
            time.sleep(0.2)  # Until the other library's threads sleep.
            turns[who].append(seconds_of(run, steps[who]) / steps[who])
    medians = {who: statistics.median(times) for who, times in turns.items()}
    best = {
        library: min(s for who, s in medians.items() if who.startswith(library))
        for library in ("ours", "KerasHub", "torch")
    }
    operations = training_operations(
        config,
        sequences=BATCHES[name],
        tokens=BATCHES[name] * LENGTH,
        length=LENGTH,
        predictions=PREDICTIONS,
    )
    return {
        "model": name,
        "batch": BATCHES[name],
        "milliseconds": {who: round(1e3 * s, 1) for who, s in medians.items()},
        "fastest_turn": {who: round(1e3 * min(times), 1) for who, times in turns.items()},
        "seconds_to_steady_state": {
            who: round(max(first[who] - FIRST_STEPS * medians[who], 0.0), 1) for who in contenders
        },
        "over_KerasHub": round(best["KerasHub"] / best["ours"], 2),
        "over_torch": round(best["torch"] / best["ours"], 2),
        "share_of_rate": round(operations / best["ours"] / product_rate("bfloat16"), 2),
    }


def main() -> None:
    names = sys.argv[1:] or list(BATCHES)
    load = os.getloadavg()[0]
    result: dict = {"load_before": round(load, 2), "rows": []}
    for name in names:
        result["rows"].append(measure(name))
        print(json.dumps(result["rows"][-1]), flush=True)
    result["bfloat16_gflops"] = round(product_rate("bfloat16") / 1e9)
    result["machine"] = machine.line()
    result["versions"] = f"torch {torch.__version__}, transformers {transformers.__version__}"
    path = Path(__file__).parent / "results" / "train_step.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
