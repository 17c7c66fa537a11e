"""The layers and models on JAX, on a machine that has no TensorFlow."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from keras_bert.layers import tensorflow_kernels
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.models.tagger import BertTagger
from tests.keras_bert.models.keras_contract import numbers_of

pytest.importorskip("jax")

# Why tests of `test_keras_contract.py` are skipped on JAX.
TRAINS_AS_KERAS = "other backends train as Keras does"

ROOT = Path(__file__).parents[1]
# What holds on every backend; other tests read texts or write what TensorFlow serves.
NEUTRAL_TESTS = ("tests/keras_bert/layers", "tests/keras_bert/models")

# TensorFlow is installed where the tests run; this makes importing it fail.
WITHOUT_TENSORFLOW = """
import sys

class NoTensorFlow:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "tensorflow_text"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NoTensorFlow())
"""

RUN_TESTS = """
import keras
import pytest

assert keras.backend.backend() == "jax"
sys.exit(pytest.main(sys.argv[1:]))
"""

USE_MODELS = """
import json
import keras
import numpy as np
from keras_bert import (
    BertClassifier, BertMultipleChoice, BertPretrainer, BertSpanPredictor, BertTagger
)

assert keras.backend.backend() == "jax"
directory = sys.argv[1]
with np.load(f"{directory}/features.npz") as file:
    features = dict(file)
pretrainer = BertPretrainer.from_checkpoint(f"{directory}/pretrainer")
classifier = BertClassifier.from_checkpoint(f"{directory}/classifier")
outputs = {name: np.asarray(value) for name, value in pretrainer(features).items()}
outputs["classes"] = np.asarray(classifier(features))
outputs["tags"] = np.asarray(BertTagger.from_checkpoint(f"{directory}/tagger")(features))
spans = BertSpanPredictor.from_checkpoint(f"{directory}/spans")(features)
outputs |= {name: np.asarray(value) for name, value in spans.items()}
with np.load(f"{directory}/choices.npz") as file:
    choices = BertMultipleChoice.from_checkpoint(f"{directory}/choices")(dict(file))
outputs["choices"] = np.asarray(choices)
np.savez(f"{directory}/outputs.npz", **outputs)

loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
keras.utils.set_random_seed(0)
classifier.compile(keras.optimizers.Adam(1e-3), loss)
history = classifier.fit(features, np.array([0, 1]), epochs=15, verbose=0).history["loss"]
pretrainer.compile(keras.optimizers.Adam(1e-3), {name: loss for name in
                   ("masked_lm_logits", "next_sentence_logits")})
targets = {"masked_lm_logits": features["masked_positions"] + 5,
           "next_sentence_logits": np.array([0, 1])}
more = pretrainer.fit(features, targets, epochs=15, verbose=0).history["loss"]
classifier.save_checkpoint(f"{directory}/trained")
assert not {"tensorflow", "tensorflow_text"} & set(sys.modules)
print(json.dumps([history[0], history[-1], more[0], more[-1]]))
"""


CONTRACT = """
import json
from tests.keras_bert.models.keras_contract import numbers_of

print(json.dumps(numbers_of()))
"""


def run_on_jax(code, *arguments):
    """Runs code in a process of its own on JAX, where TensorFlow cannot be imported."""
    # Compiling takes most of the time, and there is little to compute.
    environment = {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_backend_optimization_level=1"}
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW + code, *map(str, arguments)],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_layers_and_models_pass_their_tests_on_jax_without_tensorflow():
    def run_tests(folder):
        # Without the cache of pytest, which belongs to the run that is going on.
        return run_on_jax(RUN_TESTS, "-q", "-rs", "-p", "no:cacheprovider", folder)

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(run_tests, NEUTRAL_TESTS))
    counts = Counter()
    for result in results:
        assert result.returncode == 0, result.stdout + result.stderr
        for count, outcome in re.findall(r"(\d+) (passed|skipped)", result.stdout):
            counts[outcome] += int(count)
        # Comparisons of training under TensorFlow with that of plain Keras, counted apart.
        apart = re.findall(
            rf"^SKIPPED \[(\d+)\] .*: {TRAINS_AS_KERAS}$", result.stdout, re.MULTILINE
        )
        counts["skipped"] -= sum(map(int, apart))
    assert counts["passed"] >= 180
    assert 0 < counts["skipped"] <= 17


def test_models_run_and_train_on_jax_without_tensorflow(
    tiny_config, pretraining_features, choice_features, tmp_path
):
    pretrainer = BertPretrainer(tiny_config)
    classifier = BertClassifier(tiny_config, num_classes=2)
    pretrainer.save_checkpoint(tmp_path / "pretrainer")
    classifier.save_checkpoint(tmp_path / "classifier")
    tagger, spans = BertTagger(tiny_config, num_tags=3), BertSpanPredictor(tiny_config)
    choices = BertMultipleChoice(tiny_config)
    tagger.save_checkpoint(tmp_path / "tagger")
    spans.save_checkpoint(tmp_path / "spans")
    choices.save_checkpoint(tmp_path / "choices")
    np.savez(tmp_path / "choices.npz", **choice_features)
    np.savez(tmp_path / "features.npz", **pretraining_features)
    result = run_on_jax(USE_MODELS, tmp_path)
    assert result.returncode == 0, result.stderr
    with np.load(tmp_path / "outputs.npz") as outputs:
        expected = {
            **pretrainer(pretraining_features),
            "classes": classifier(pretraining_features),
            "tags": tagger(pretraining_features),
            **spans(pretraining_features),
            "choices": choices(choice_features),
        }
        assert set(outputs) == set(expected)
        mask = pretraining_features["padding_mask"]
        for name, value in expected.items():
            # Tags of padding mean nothing.
            real = mask if name == "tags" else ...
            np.testing.assert_allclose(outputs[name][real], value.numpy()[real], atol=1e-5)
    first, last, first_pretraining, last_pretraining = json.loads(result.stdout.splitlines()[-1])
    assert last < first
    assert last_pretraining < first_pretraining
    # What was trained on JAX opens on TensorFlow.
    trained = BertClassifier.from_checkpoint(tmp_path / "trained")
    assert np.isfinite(trained(pretraining_features)).all()


def test_numbers_of_training_are_those_of_jax(monkeypatch):
    # Less to trace.
    monkeypatch.setattr(tensorflow_kernels, "is_compiled_by_xla", lambda: True)
    result = run_on_jax(CONTRACT)
    assert result.returncode == 0, result.stderr
    found, expected = numbers_of(), json.loads(result.stdout.splitlines()[-1])
    assert found.keys() == expected.keys()
    for case, logs in expected.items():
        assert found[case].keys() == logs.keys()
        for name, value in logs.items():
            np.testing.assert_allclose(
                found[case][name], value, rtol=1e-4, atol=1e-4, err_msg=f"{case}: {name}"
            )
