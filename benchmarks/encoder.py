"""The encoder's speed beside KerasHub's and that of `transformers` on torch.

    pip install transformers torch
    python benchmarks/encoder.py inference [base]
    python benchmarks/encoder.py training [base]

The same weights everywhere, equal outputs first; then all contenders in turns, batch by batch, and
medians. Full rows, and rows with the lengths of real data sets: there ours and torch's batches are
padded to their longest row (ours without computing the padding), KerasHub's, whose preprocessor
pads to one length, to the shortest usual length that holds the data set, or to 512, its default.
A training step is forward, backward and AdamW with dropout 0.1. Rows of the results hold
milliseconds for a batch; the share of the machine's rate counts the products of real tokens.
Results are printed and written to `benchmarks/results/encoder_*.json`.
"""

import json
import os
import statistics
import sys
import tempfile
import time
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

from keras_bert import BertClassifier, BertConfig, BertEncoder
from keras_bert.checkpoints import keras_hub as preset
from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.inference import InferenceFunction
from keras_bert.training.optimizer import BertAdamW

# Tokens of an input with its special tokens, in 17 quantiles: SST-2 dev, MRPC test, SQuAD 1.1
# cut at 384. Uncased English vocabulary.
QUANTILES = {
    "SST-2": (4, 10, 13, 15, 17, 19, 21, 23, 24, 26, 28, 30, 32, 35, 39, 42, 55),
    "MRPC": (19, 33, 37, 40, 43, 45, 48, 51, 53, 55, 58, 60, 62, 65, 69, 73, 104),
    "SQuAD": (41, 79, 94, 112, 125, 136, 144, 154, 164, 173, 183, 195, 216, 229, 255, 299, 384),
}
FIXED_LENGTHS = {"SST-2": 64, "MRPC": 128, "SQuAD": 384}
BATCHES_OF_REAL_LENGTHS = 4
# Contenders in float32 run where a batch has no more places than this.
FLOAT32_PLACES = 4096
SECONDS_OF_A_CASE = 25
ROUNDS = range(3, 10)


def lengths_of(case: str, batch: int) -> list[np.ndarray]:
    """Rows' lengths of the batches of a case: a number for full rows, or a data set."""
    if case.isdigit():
        return [np.full(batch, int(case))]
    random = np.random.default_rng(0)
    quantiles = QUANTILES[case]
    shares = random.uniform(0, len(quantiles) - 1, (BATCHES_OF_REAL_LENGTHS, batch))
    return list(np.interp(shares, range(len(quantiles)), quantiles).round().astype(int))


def features(lengths: np.ndarray, padded: int) -> dict[str, np.ndarray]:
    mask = np.arange(padded) < lengths[:, np.newaxis]
    random = np.random.default_rng(0)
    ids = random.integers(1000, 30000, (len(lengths), 512))[:, :padded] * mask
    zeros = np.zeros(mask.shape, "int32")
    return {"token_ids": ids.astype("int32"), "segment_ids": zeros, "padding_mask": mask}


def for_hub(inputs):
    return {**inputs, "padding_mask": inputs["padding_mask"].astype("int32")}


def for_torch(inputs):
    names = {"token_ids": "input_ids", "padding_mask": "attention_mask"}
    return {
        names.get(name, "token_type_ids"): torch.tensor(array).long()
        for name, array in inputs.items()
    }


def for_tensorflow(inputs):
    return {name: tf.constant(array) for name, array in inputs.items()}


def with_random_biases(model):
    """Biases and LayerNorms as trained ones are; TensorFlow leaves out zeros and ones."""
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if variable.path.endswith(("bias", "beta", "gamma")):
            center = float(variable.path.endswith("gamma"))
            variable.assign(random.normal(center, 0.02, variable.shape))
    return model


class Contender:
    """One way to run the model.

    Args:
        prepare: makes its inputs from features.
        run: takes them; returns once the outputs are there.
        padded: the length of its rows for a case and a batch's lengths.
        precision: str.
    """

    def __init__(self, prepare, run, padded, precision):
        self.prepare, self.run, self.padded, self.precision = prepare, run, padded, precision


def longest(case, lengths):
    return int(lengths.max())


def longest_in_sixteens(case, lengths):
    return -(-longest(case, lengths) // 16) * 16


def fixed(case, lengths):
    return FIXED_LENGTHS.get(case) or int(case)


def default_of_hub(case, lengths):
    return 512


def inference_contenders(config: BertConfig, directory: str) -> dict[str, Contender]:
    ours = with_random_biases(BertEncoder(config))
    ours.save_checkpoint(f"{directory}/huggingface")
    preset.write(Checkpoint.of(ours), f"{directory}/keras_hub")

    def hub(dtype):
        backbone = keras_hub.models.Backbone.from_preset(f"{directory}/keras_hub", dtype=dtype)
        graph = tf.function(
            lambda inputs: backbone(inputs)["sequence_output"], reduce_retracing=True
        )
        return lambda inputs: graph(inputs).numpy()

    def peer(dtype, autocast=False):
        model = transformers.BertModel.from_pretrained(f"{directory}/huggingface", dtype=dtype)
        model.eval()

        def run(inputs):
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                return model(**inputs).last_hidden_state.float().numpy()

        return run

    def own(precision):
        function = InferenceFunction(ours, precision=precision)
        return lambda inputs: function(inputs)["sequence_output"].numpy()

    tensors = lambda inputs: for_tensorflow(for_hub(inputs))  # noqa: E731
    return {
        "ours": Contender(for_tensorflow, own("bfloat16"), longest_in_sixteens, "bfloat16"),
        "KerasHub": Contender(tensors, hub("bfloat16"), fixed, "bfloat16"),
        "torch, pure": Contender(for_torch, peer(torch.bfloat16), longest, "bfloat16"),
        "torch, autocast": Contender(for_torch, peer(torch.float32, True), longest, "bfloat16"),
        "ours, float32": Contender(for_tensorflow, own("float32"), longest_in_sixteens, "float32"),
        "KerasHub, as documented": Contender(tensors, hub("float32"), default_of_hub, "float32"),
        "KerasHub, float32": Contender(tensors, hub("float32"), fixed, "float32"),
        "torch, float32": Contender(for_torch, peer(torch.float32), longest, "float32"),
    }


def training_contenders(config: BertConfig, directory: str) -> dict[str, Contender]:
    del directory
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def own():
        model = BertClassifier(config, num_classes=2, dtype="mixed_bfloat16")
        model.compile(BertAdamW(1e-5), loss)
        return lambda inputs: model.train_on_batch(inputs, np.zeros(len(inputs["token_ids"])))

    def hub(dtype):
        backbone = preset.make_backbone(config, dtype=dtype)
        model = keras_hub.models.BertTextClassifier(backbone, num_classes=2, dtype=dtype)
        model.preprocessor = None
        model.compile(keras.optimizers.AdamW(1e-5), loss)
        return lambda inputs: model.train_on_batch(inputs, np.zeros(len(inputs["token_ids"])))

    def peer(autocast):
        shape = torch_config(config)
        model = transformers.BertForSequenceClassification(shape).train()
        optimizer = torch.optim.AdamW(model.parameters(), 1e-5, fused=True)

        def run(inputs):
            labels = torch.zeros(len(inputs["input_ids"])).long()
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                model(**inputs, labels=labels).loss.backward()
            optimizer.step()
            optimizer.zero_grad()

        return run

    return {
        "ours": Contender(dict, own(), longest_in_sixteens, "bfloat16"),
        "KerasHub, mixed": Contender(for_hub, hub("mixed_bfloat16"), fixed, "bfloat16"),
        "torch, autocast": Contender(for_torch, peer(True), longest, "bfloat16"),
        "KerasHub, float32": Contender(for_hub, hub("float32"), fixed, "float32"),
    }


def products(config: BertConfig, lengths: list[np.ndarray]) -> float:
    """Floating-point operations of the products of a forward pass, real tokens only, a batch."""
    width, inner = config.hidden_dim, config.intermediate_dim
    total = np.concatenate(lengths).astype(float)
    layer = 2 * total.sum() * (4 * width * width + 2 * width * inner)
    return config.num_layers * (layer + 4 * (total**2).sum() * width) / len(lengths)


def rate_of_the_machine() -> float:
    """Floating-point operations a second of a large product in bfloat16, weights constant."""
    weights = np.random.default_rng(0).normal(size=(3072, 3072)).astype("float32")
    inputs = tf.random.normal((4096, 3072), dtype=tf.bfloat16)
    product = tf.function(lambda x: tf.matmul(x, tf.cast(tf.constant(weights), tf.bfloat16)))
    product(inputs)
    times = []
    for _ in range(9):
        started = time.perf_counter()
        product(inputs)
        times.append(time.perf_counter() - started)
    return 2 * 4096 * 3072 * 3072 / statistics.median(times)


def check_outputs(contenders: dict[str, Contender]) -> dict[str, float]:
    """Largest and mean difference of each contender from the first in float32."""
    lengths = np.array([32, 20, 5])
    mask = np.arange(32) < lengths[:, np.newaxis]
    outputs = {
        name: contender.run(contender.prepare(features(lengths, 32)))[mask].astype("float32")
        for name, contender in contenders.items()
    }
    differences = {}
    for name, output in outputs.items():
        difference = np.abs(output - outputs["ours, float32"])
        differences[name] = float(f"{difference.max():.2g}"), float(f"{difference.mean():.2g}")
        limit = 1e-4 if contenders[name].precision == "float32" else 0.2
        assert difference.max() < limit, (name, differences[name])
    return differences


def measure(contenders, case, batches) -> dict[str, float]:
    """Median seconds of a batch."""
    prepared = {
        name: [c.prepare(features(rows, c.padded(case, rows))) for rows in batches]
        for name, c in contenders.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    started = time.perf_counter()
    for number in range(ROUNDS.stop):
        late = time.perf_counter() - started > SECONDS_OF_A_CASE
        if late and number > ROUNDS.start:
            break
        for name, contender in contenders.items():
            time.sleep(0.05)  # Until the other library's threads sleep.
            begun = time.perf_counter()
            for inputs in prepared[name]:
                contender.run(inputs)
            seconds[name].append((time.perf_counter() - begun) / len(batches))
    # The first round compiles.
    return {name: statistics.median(times[1:]) for name, times in seconds.items()}


def main() -> None:
    kind, name = [*sys.argv[1:], *("inference", "base")[len(sys.argv) - 1 :]]
    config = BertConfig.from_name(name)
    cases = [("32", 8), ("128", 8), ("128", 16), ("SST-2", 32)]
    if kind == "inference":
        cases = [(length, batch) for length in ("32", "128", "512") for batch in (1, 8, 32)]
        cases += [(data, batch) for data in QUANTILES for batch in (8, 32)]
    result = {"kind": kind, "model": name, "rows": []}
    with tempfile.TemporaryDirectory() as directory:
        make = {"inference": inference_contenders, "training": training_contenders}[kind]
        contenders = make(config, directory)
        if kind == "inference":
            result["differences"] = check_outputs(contenders)
            print("largest and mean difference from float32:", result["differences"])
        result["bfloat16_gflops"] = round(rate_of_the_machine() / 1e9)
        print(f"bfloat16 products of this machine: {result['bfloat16_gflops']} GFLOP/s", flush=True)
        for case, batch in cases:
            batches = lengths_of(case, batch)
            some = {
                who: c
                for who, c in contenders.items()
                if c.precision == "bfloat16" or batch * c.padded(case, batches[0]) <= FLOAT32_PLACES
            }
            medians = measure(some, case, batches)
            best = {
                peer: min(s for who, s in medians.items() if who.startswith(peer))
                for peer in ("KerasHub", "torch")
            }
            work = products(config, batches) * (3 if kind == "training" else 1)
            row = {
                "rows": case,
                "batch": batch,
                "milliseconds": {who: round(1e3 * s, 1) for who, s in medians.items()},
                **{f"over_{peer}": round(s / medians["ours"], 2) for peer, s in best.items()},
                "share_of_rate": round(work / medians["ours"] / 1e9 / result["bfloat16_gflops"], 2),
            }
            result["rows"].append(row)
            print(json.dumps(row), flush=True)
    result["machine"] = machine.line()
    path = Path(__file__).parent / "results" / f"encoder_{kind}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
