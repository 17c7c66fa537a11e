"""Fine-tunes KerasHub's `BertTextClassifier`: the peer of the fine-tuning benchmark.

    python benchmarks/fine_tuning_keras_hub.py mrpc MRPC MODEL --precision float32
    python benchmarks/fine_tuning_keras_hub.py mrpc MRPC MODEL --sequence-length 128 --epochs 4 \
        --precision mixed_bfloat16 --output result.json

Used as its documentation says: `from_preset`, which reads MODEL, a folder in Hugging Face's format,
and `fit` on strings with the model's own preprocessor, whose length is 512 unless told otherwise.
Whatever the folder says, its GELU is the tanh one and its tokenizer keeps accents. It classifies
texts and pairs of texts; for other tasks KerasHub has no model.

The recipe is that of `fine_tuning_torch.py` in Keras' terms: AdamW, 10 % linear warm-up and linear
decay to 0, gradients clipped at a norm of 1, no decay of biases and LayerNorm. Without `--epochs`
it trains for so many seconds after a few steps and evaluates nothing. Training seconds hold no
evaluation, but the compilation of the first steps. The result is printed as one line of JSON.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import fine_tuning_data
import fine_tuning_report
import keras
import keras_hub
import numpy as np
import tensorflow as tf
from fine_tuning_data import Data, Example

WARM_UP_STEPS = 3  # before those that are measured: the first ones compile


class LinearSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Rises over a tenth of the steps and falls to 0."""

    def __init__(self, peak: float, steps: int):
        self._peak, self._steps = peak, steps

    def __call__(self, step):
        step, warm_up = keras.ops.cast(step, "float32"), max(1, self._steps // 10)
        falling = (self._steps - step) / max(1, self._steps - warm_up)
        return self._peak * keras.ops.maximum(0.0, keras.ops.minimum(step / warm_up, falling))


class Measured(keras.callbacks.Callback):
    """Seconds of the steps, and scores after each epoch.

    Args:
        evaluate: returns the scores.
        seconds: float or None. Stop after so many, with no scores.
    """

    def __init__(self, evaluate, seconds: float | None):
        super().__init__()
        self.evaluate, self.limit = evaluate, seconds
        self.seconds, self.steps, self.done, self.history = 0.0, 0, 0, []

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()
        self.epoch_seconds = 0.0

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        self.done += 1
        # All of an epoch counts, compilation too, unless only the speed is asked for.
        if self.limit is None or self.done > WARM_UP_STEPS:
            self.epoch_seconds += now - self.started
            self.steps += 1
        self.started = now
        if self.limit is not None and self.seconds + self.epoch_seconds >= self.limit:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        self.seconds += self.epoch_seconds
        if self.limit is None:
            entry = {"seconds": round(self.epoch_seconds, 1), "loss": round(logs["loss"], 4)}
            self.history.append({**entry, "dev": self.evaluate()})
            print(f"epoch {epoch + 1}: {json.dumps(self.history[-1])}", flush=True)


def texts_of(examples: list[Example]) -> tf.Tensor | tuple[tf.Tensor, ...]:
    columns = [tf.constant(column) for column in zip(*(e.texts for e in examples), strict=True)]
    return columns[0] if len(columns) == 1 else tuple(columns)


def optimizer_of(learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    schedule = LinearSchedule(learning_rate, steps)
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=0.01, epsilon=1e-6, global_clipnorm=1.0
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def train(arguments: argparse.Namespace) -> dict:
    keras.utils.set_random_seed(arguments.seed)
    keras.config.set_dtype_policy(arguments.precision)
    data: Data = fine_tuning_data.read(arguments.task, arguments.data)
    if data.kind != "class":
        raise SystemExit(f"KerasHub has no model for {arguments.task}")
    examples = data.train[: arguments.limit]
    classifier = keras_hub.models.BertTextClassifier.from_preset(
        arguments.model,
        num_classes=len(data.labels),
        preprocessor=keras_hub.models.BertTextClassifierPreprocessor.from_preset(
            arguments.model, sequence_length=arguments.sequence_length
        ),
    )
    epochs = arguments.epochs or 1000  # until the seconds are over
    batches = -(-len(examples) // arguments.batch_size)
    classifier.compile(
        optimizer_of(arguments.learning_rate, batches * epochs),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    dev = texts_of(data.dev)

    def evaluate() -> dict[str, float]:
        logits = classifier.predict(dev, batch_size=arguments.batch_size, verbose=0)
        scores = data.scores(data.dev, [int(row.argmax()) for row in logits])
        return {name: round(float(score), 4) for name, score in scores.items()}

    targets = np.array([example.target for example in examples])
    dataset = tf.data.Dataset.from_tensor_slices((texts_of(examples), targets))
    dataset = dataset.shuffle(len(examples), seed=arguments.seed).batch(arguments.batch_size)
    measured = Measured(evaluate, None if arguments.epochs else arguments.seconds)
    classifier.fit(dataset, epochs=epochs, callbacks=[measured], verbose=0)
    trained = min(measured.steps * arguments.batch_size, len(examples) * epochs)
    return {
        "library": "KerasHub",
        "settings": f"{arguments.precision}, padded to {arguments.sequence_length}",
        "train_examples": len(examples),
        "dev_examples": len(data.dev),
        "steps": measured.steps,
        "training_seconds": round(measured.seconds, 1),
        "examples_per_second": round(trained / measured.seconds, 2),
        **fine_tuning_report.summary(measured.history),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("task", choices=fine_tuning_data.KINDS)
    parser.add_argument("data", type=Path, help="folder of the task's files")
    parser.add_argument("model", help="folder of a model in Hugging Face's format, or a preset")
    parser.add_argument("--epochs", type=int, help="train so many and evaluate after each")
    parser.add_argument("--seconds", type=float, default=40, help="without epochs: measure so long")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--sequence-length", type=int, default=512)
    parser.add_argument("--precision", default="float32", help="a dtype policy of Keras")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="train on the first examples only")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    fine_tuning_report.report(train(arguments), arguments, load)


if __name__ == "__main__":
    main()
