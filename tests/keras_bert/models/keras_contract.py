"""The table of what Keras documents for training: each case as options for one model.

`run` trains, evaluates and predicts, and returns all numbers. `test_keras_contract.py` compares
those of a model of ours with those of plain Keras around the same model, and with another backend.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_bert.config import BertConfig
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.models.tagger import BertTagger
from tests.keras_bert.models.keras_pieces import (
    CLASSES,
    ForgetsItsFactor,
    Greatest,
    MaskedValues,
    NotALoss,
    OwnCall,
    Unregistered,
    adds_loss,
    closure,
    computes_loss,
    computes_loss_without_training,
    computes_metrics,
    one_hot_metrics,
    own_metrics,
    regularizes,
    scaled_squares,
    sparse_metrics,
    squares,
    steps_by_itself,
)

CONFIG = BertConfig(
    vocabulary_size=40,
    num_layers=1,
    hidden_dim=8,
    num_heads=2,
    intermediate_dim=16,
    max_sequence_length=8,
    dropout=0.0,
    attention_dropout=0.0,
)
ROWS, LENGTH, BATCH = 16, 6, 6
CROSS_ENTROPY = functools.partial(keras.losses.SparseCategoricalCrossentropy, from_logits=True)


def sgd(**options):
    """Linear in the gradient, whose rounding Adam's square root would magnify.

    Adam of Keras on TensorFlow also squares each repetition of a row of a table by itself; ours
    and those of the other backends square the sum.
    """
    return keras.optimizers.SGD(0.1, momentum=0.9, **options)


class Case(NamedTuple):
    """One line of the table.

    Args:
        model: str. `"classifier"`, `"tagger"`, `"spans"` or `"pretrainer"`.
        compile: A function that returns arguments of `compile`, fresh ones for each model.
        data: A function from the data set of the model to arguments of `fit`.
        fit: Further arguments of `fit`.
        model_class: A function from the class of the model to a subclass.
        inner: bool. Whether plain Keras has that subclass inside, instead of being one itself.
    """

    model: str = "classifier"
    compile: Callable[[], dict[str, Any]] = lambda: {"loss": CROSS_ENTROPY()}
    data: Callable[[dict], dict[str, Any]] = lambda data: {"x": data["x"], "y": data["y"]}
    fit: dict[str, Any] | None = None
    model_class: Callable[[type], type] | None = None
    inner: bool = False


def data_of(name: str) -> dict[str, Any]:
    random = np.random.default_rng(0)
    real = np.arange(LENGTH) < random.integers(3, LENGTH + 1, ROWS)[:, np.newaxis]
    x = {
        "token_ids": (random.integers(5, 40, real.shape) * real).astype("int32"),
        "segment_ids": ((np.arange(LENGTH) > 3) & real).astype("int32"),
        "padding_mask": real,
    }
    classes = random.integers(0, CLASSES, ROWS).astype("int32")
    tags = random.integers(0, CLASSES, real.shape).astype("int32")
    places = random.integers(0, 3, (2, ROWS)).astype("int32")
    weights = random.random(ROWS).astype("float32") + 0.1
    one_hot = np.eye(CLASSES, dtype="float32")[classes]
    if name == "classifier":
        return {"x": x, "y": classes, "one_hot": one_hot, "sample_weight": weights, "real": real}
    if name == "tagger":
        ignored = np.where(real & (random.random(real.shape) < 0.7), tags, -100)
        by_place = (real * weights[:, np.newaxis]).astype("float32")
        return {"x": x, "y": tags, "ignored": ignored, "sample_weight": by_place}
    if name == "spans":
        y = {"start_logits": places[0], "end_logits": places[1]}
        both = {"start_logits": weights, "end_logits": weights[::-1].copy()}
        return {"x": x, "y": y, "sample_weight": both}
    x["masked_positions"] = random.integers(0, 3, (ROWS, 2)).astype("int32")
    y = {
        "masked_lm_logits": random.integers(5, 40, (ROWS, 2)).astype("int32"),
        "next_sentence_logits": classes % 2,
    }
    by_slot = {
        "masked_lm_logits": (random.random((ROWS, 2)) < 0.6).astype("float32"),
        "next_sentence_logits": np.ones(ROWS, "float32"),
    }
    return {"x": x, "y": y, "sample_weight": by_slot}


def make_model(name: str, model_class: Callable[[type], type] | None = None) -> Any:
    """The model of a case, the same weights each time."""
    classes = {
        "classifier": (BertClassifier, {"num_classes": CLASSES}),
        "tagger": (BertTagger, {"num_tags": CLASSES}),
        "spans": (BertSpanPredictor, {}),
        "pretrainer": (BertPretrainer, {}),
    }
    chosen, options = classes[name]
    model = (model_class or (lambda own: own))(chosen)(CONFIG, **options)
    # The same on every backend, and far enough from zero that mistakes show.
    random = np.random.default_rng(1)
    model.set_weights(
        [
            0.3 * random.standard_normal(weight.shape) + weight.path.endswith("gamma")
            for weight in model.weights
        ]
    )
    return model


def plain(case: Case) -> keras.Model:
    """Plain Keras around the model of a case: nothing of its training is ours then."""
    model = make_model(case.model, case.model_class if case.inner else None)
    model_class = None if case.inner else case.model_class
    shapes = {name: tensor.shape[1:] for name, tensor in model.input_signature().items()}
    dtypes = {name: tensor.dtype for name, tensor in model.input_signature().items()}
    inputs = {
        name: keras.Input(shape, dtype=dtypes[name], name=name) for name, shape in shapes.items()
    }
    functional = (model_class or (lambda own: own))(keras.Model)
    return functional(inputs, model(inputs))


def run(
    model: Any, case: Case, *, epochs: int = 2, predict: bool = False, **compile_options: Any
) -> dict[str, Any]:
    """All numbers that training, evaluation and, on request, prediction give."""
    arguments = {"optimizer": sgd(), **case.compile(), **compile_options}
    model.compile(**arguments)
    given = case.data(data_of(case.model))
    batches = {"batch_size": BATCH} if "y" in given else {}
    options = {
        "epochs": epochs,
        "verbose": 0,
        "shuffle": False,
        **batches,
        **given,
        **(case.fit or {}),
    }
    history = model.fit(**options).history
    numbers = {f"fit/{name}": np.array(values) for name, values in history.items()}
    measured = given if batches else {name: data_of(case.model)[name] for name in ("x", "y")}
    evaluated = model.evaluate(**measured, batch_size=BATCH, verbose=0, return_dict=True)
    numbers |= {f"evaluate/{name}": np.array(value) for name, value in evaluated.items()}
    if predict:
        outputs = model.predict(data_of(case.model)["x"], batch_size=BATCH, verbose=0)
        for index, output in enumerate(keras.tree.flatten(outputs)):
            numbers[f"predict/{index}"] = np.array(output)
    for index, weight in enumerate(model.get_weights()):
        numbers[f"weights/{index}"] = np.array(weight)
    return numbers


def one_hot(data):
    return {"x": data["x"], "y": data["one_hot"]}


def weighted(data):
    return {name: data[name] for name in ("x", "y", "sample_weight")}


def loss(make):
    """A case of a loss on one-hot targets."""
    return Case(compile=lambda: {"loss": make()}, data=one_hot)


def reduced(reduction):
    return Case("tagger", lambda: {"loss": CROSS_ENTROPY(reduction=reduction)}, weighted)


def compiled(**options):
    return Case(compile=lambda: {"loss": CROSS_ENTROPY(), "metrics": ["accuracy"], **options})


def _batches(data, kind):
    """The rows in batches, as Keras takes them in several ways."""
    x, y = data["x"], data["y"]
    places = [slice(start, start + BATCH) for start in range(0, ROWS, BATCH)]
    parts = [({name: rows[at] for name, rows in x.items()}, y[at]) for at in places]
    if kind == "generator":
        return {"x": (part for part in parts * 2)}

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return len(parts)

        def __getitem__(self, index):
            return parts[index]

    return {"x": Batches()}


LOSSES = {
    "name": loss(lambda: "mse"),
    "name of a class": loss(lambda: "CategoricalHinge"),
    "function": loss(lambda: squares),
    "lambda": loss(lambda: lambda y, p: squares(y, p) + 1.0),
    "closure": loss(lambda: closure(5.0)),
    "partial": loss(lambda: functools.partial(scaled_squares, factor=3.0)),
    "callable": loss(NotALoss),
    "function of Keras": loss(lambda: keras.losses.log_cosh),
    "unregistered class": loss(lambda: Unregistered([1.0, 2.0])),
    "registered class that forgets": loss(lambda: ForgetsItsFactor(3.0)),
    "own __call__": loss(OwnCall),
    "one number for a batch": loss(lambda: lambda y, p: ops.sum(squares(y, p))),
    "bfloat16": loss(lambda: keras.losses.MeanSquaredError(dtype="bfloat16")),
    "label smoothing": loss(
        lambda: keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    ),
    "masked values": loss(MaskedValues),
    "masked values, summed": loss(lambda: MaskedValues(reduction="sum")),
    "masked values, by weight": loss(lambda: MaskedValues(reduction="mean_with_sample_weight")),
    "ignored class": Case(
        "tagger",
        lambda: {"loss": CROSS_ENTROPY(ignore_class=-100)},
        lambda data: {"x": data["x"], "y": data["ignored"]},
    ),
    "ignored class, weighted": Case(
        "tagger",
        lambda: {"loss": CROSS_ENTROPY(ignore_class=-100)},
        lambda data: {"x": data["x"], "y": data["ignored"], "sample_weight": data["sample_weight"]},
    ),
    **{
        f"reduction {name}": reduced(name)
        for name in ("sum", "mean", "sum_over_batch_size", "mean_with_sample_weight", "none", None)
    },
}
OUTPUTS = {
    "one loss for all": Case("spans", lambda: {"loss": CROSS_ENTROPY()}),
    "dictionary": Case(
        "spans",
        lambda: {
            "loss": {"start_logits": CROSS_ENTROPY(), "end_logits": CROSS_ENTROPY(reduction="sum")},
            "loss_weights": {"start_logits": 0.3, "end_logits": 2.0},
            "metrics": {"start_logits": ["accuracy"], "end_logits": [Greatest()]},
        },
    ),
    "dictionary of one kind": Case(
        "spans",
        lambda: {
            "loss": {"start_logits": CROSS_ENTROPY(), "end_logits": CROSS_ENTROPY(reduction="sum")},
            "loss_weights": {"start_logits": 0.3, "end_logits": 2.0},
        },
    ),
    "list": Case("spans", lambda: {"loss": [CROSS_ENTROPY(), CROSS_ENTROPY(reduction="sum")]}),
    "part of the outputs": Case(
        "spans",
        lambda: {"loss": {"start_logits": CROSS_ENTROPY()}},
        lambda data: {"x": data["x"], "y": data["y"]},
    ),
    "weights for each": Case(
        "spans",
        lambda: {
            "loss": {"start_logits": CROSS_ENTROPY(), "end_logits": CROSS_ENTROPY()},
            "weighted_metrics": {"start_logits": ["accuracy"], "end_logits": ["accuracy"]},
        },
        weighted,
    ),
    "pre-training": Case(
        "pretrainer",
        lambda: {
            "loss": {
                name: CROSS_ENTROPY(reduction="mean_with_sample_weight")
                for name in ("masked_lm_logits", "next_sentence_logits")
            }
        },
        weighted,
    ),
}
METRICS = {
    "own": Case(compile=lambda: {"loss": squares, "metrics": own_metrics()}, data=one_hot),
    "own, weighted": Case(
        compile=lambda: {"loss": squares, "weighted_metrics": own_metrics()[:4]},
        data=lambda data: {**one_hot(data), "sample_weight": data["sample_weight"]},
    ),
    "of Keras, sparse": Case(
        compile=lambda: {"loss": CROSS_ENTROPY(), "metrics": sparse_metrics()},
    ),
    "of Keras, one-hot": Case(
        compile=lambda: {"loss": squares, "metrics": one_hot_metrics()}, data=one_hot
    ),
    "of Keras, weighted": Case(
        compile=lambda: {"loss": squares, "weighted_metrics": one_hot_metrics()},
        data=lambda data: {**one_hot(data), "sample_weight": data["sample_weight"]},
    ),
}
METHODS = {
    "compute_loss": Case(model_class=computes_loss),
    "compute_loss without training": Case(model_class=computes_loss_without_training),
    "compute_metrics": Case(model_class=computes_metrics),
    "add_loss": Case(model_class=adds_loss, inner=True),
    "regularizer": Case(model_class=regularizes, inner=True),
    "train_step and test_step": Case(model_class=steps_by_itself),
}
OPTIONS = {
    "sample_weight": Case(data=weighted),
    "class_weight": Case(fit={"class_weight": {0: 1.0, 1: 5.0, 2: 0.0}}),
    "validation_split": Case(fit={"validation_split": 0.3}, compile=compiled().compile),
    "steps_per_execution": compiled(steps_per_execution=2),
    "run_eagerly": compiled(run_eagerly=True),
    "jit_compile": compiled(jit_compile=True),
    "gradient accumulation of Keras": Case(
        compile=lambda: {
            "loss": CROSS_ENTROPY(),
            "optimizer": sgd(gradient_accumulation_steps=2),
        }
    ),
    "moving mean of the weights": Case(
        compile=lambda: {
            "loss": CROSS_ENTROPY(),
            "optimizer": sgd(use_ema=True, clipnorm=0.5, weight_decay=0.1),
        }
    ),
    "loss scaling": Case(
        compile=lambda: {
            "loss": CROSS_ENTROPY(),
            "optimizer": keras.optimizers.LossScaleOptimizer(sgd()),
        }
    ),
    "generator": Case(data=lambda data: _batches(data, "generator"), fit={"steps_per_epoch": 3}),
    "PyDataset": Case(data=lambda data: _batches(data, "PyDataset")),
}
TABLE = {
    f"{group}: {name}": case
    for group, cases in (
        ("loss", LOSSES),
        ("outputs", OUTPUTS),
        ("metrics", METRICS),
        ("method", METHODS),
        ("option", OPTIONS),
    )
    for name, case in cases.items()
}

# Cases whose numbers are compared with those of JAX too, see tests/test_backends.py.
ON_JAX = (
    "loss: registered class that forgets",
    "loss: ignored class, weighted",
    "outputs: weights for each",
    "metrics: own",
)


def numbers_of(names: tuple[str, ...] = ON_JAX) -> dict[str, dict[str, list[float]]]:
    """The logs of some cases, with Adam as optimizer, by their names."""
    found = {}
    for name in names:
        case = TABLE[name]
        optimizer = keras.optimizers.Adam(1e-2, epsilon=1e-3)
        model = make_model(case.model, case.model_class)
        numbers = run(model, case, epochs=1, optimizer=optimizer)
        found[name] = {
            log: value.tolist()
            for log, value in numbers.items()
            # In the loss of one of several outputs Keras counts the short last batch as a whole
            # one on TensorFlow, and by its rows on JAX.
            if not log.startswith("weights/") and not log.endswith("_logits_loss")
        }
    return found
