import numpy as np
import pytest

from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.checkpoints.resizing import resized
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.pretrainer import BertPretrainer
from tests.conformance import assert_equal

TABLE, BIAS = "bert/embeddings/word_embeddings", "cls/predictions/output_bias"
CONFIG = BertConfig(
    vocabulary_size=30,
    num_layers=1,
    hidden_dim=8,
    num_heads=2,
    intermediate_dim=8,
    max_sequence_length=16,
)


@pytest.fixture(scope="module")
def checkpoint():
    random = np.random.default_rng(0)
    arrays = {
        TABLE: random.normal(size=(30, 8)).astype("float32"),
        BIAS: random.normal(size=30).astype("float32"),
        "output_bias": np.ones(3, "float32"),
    }
    return Checkpoint(CONFIG, arrays)


def test_new_rows_are_the_means_of_their_pieces(checkpoint):
    larger = resized(checkpoint, 33, pieces={30: [4, 7], 31: [5], 32: []}, pad_to=8)
    assert larger.config.vocabulary_size == 40
    for name in (TABLE, BIAS):
        old, new = checkpoint.arrays[name], larger.arrays[name]
        np.testing.assert_array_equal(new[:30], old)
        np.testing.assert_allclose(new[30], (old[4] + old[7]) / 2, rtol=1e-6)
        np.testing.assert_array_equal(new[31], old[5])
        np.testing.assert_allclose(new[32], old.mean(0), rtol=1e-5)
    # Padding is never predicted.
    np.testing.assert_array_equal(larger.arrays[TABLE][33:], 0)
    assert (larger.arrays[BIAS][33:] <= -1e4).all()
    assert larger.arrays["output_bias"] is checkpoint.arrays["output_bias"]


def test_new_tokens_may_take_padding_rows(checkpoint):
    same = resized(checkpoint, 30, pieces={28: [1, 2]})
    assert same.config == checkpoint.config
    old, new = checkpoint.arrays[TABLE], same.arrays[TABLE]
    np.testing.assert_allclose(new[28], (old[1] + old[2]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(np.delete(new, 28, 0), np.delete(old, 28, 0))


def test_random_rows_follow_the_seed(checkpoint):
    def rows(seed):
        larger = resized(checkpoint, 3030, pieces={30: [4]}, initialize="random", seed=seed)
        return larger.arrays[TABLE][30:], larger.arrays[BIAS][30:]

    table, bias = rows(1)
    assert abs(table.std() - CONFIG.initializer_range) < 0.001
    assert not bias.any()
    np.testing.assert_array_equal(rows(1)[0], table)
    assert not np.array_equal(rows(2)[0], table)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_types_stay(checkpoint, dtype):
    arrays = {name: array.astype(dtype) for name, array in checkpoint.arrays.items()}
    larger = resized(Checkpoint(CONFIG, arrays), 32, pieces={30: [1, 2]})
    assert {array.dtype.name for array in larger.arrays.values()} == {dtype}
    assert np.isfinite(larger.arrays[BIAS]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_tokens": 0}, "num_tokens=0"),
        ({"num_tokens": 32.0}, r"num_tokens=32\.0"),
        ({"num_tokens": 32, "pad_to": 0}, "pad_to=0"),
        ({"num_tokens": 32, "initialize": "zeros"}, "initialize='zeros'"),
        ({"num_tokens": 32, "pieces": {32: [1]}}, "below num_tokens=32.*32"),
        ({"num_tokens": 32, "pieces": {31: [30]}}, r"below 30.*\[30\] of 31"),
        ({"num_tokens": 32, "pieces": {31: [-1]}}, r"\[-1\] of 31"),
    ],
)
def test_wrong_arguments_are_named(checkpoint, arguments, message):
    with pytest.raises(InputError, match=message):
        resized(checkpoint, **arguments)


@pytest.mark.parametrize("make", [BertEncoder, BertPretrainer, BertClassifier])
def test_models_answer_as_before(make):
    arguments = {"labels": ["a", "b"]} if make is BertClassifier else {}
    model = make(CONFIG, **arguments)
    model.task_specific_params = {"keras_bert": {"family": "classification"}}
    larger = model.resize_token_embeddings(31, pieces={30: [4, 7]}, pad_to=8)
    assert larger.config.vocabulary_size == 32
    assert larger.task_specific_params == model.task_specific_params
    features = {
        "token_ids": np.array([[2, 5, 9, 3]], "int32"),
        "segment_ids": np.zeros((1, 4), "int32"),
        "padding_mask": np.ones((1, 4), bool),
    }
    if make is BertPretrainer:
        features["masked_positions"] = np.array([[1, 2]], "int32")
    before, after = model(features), larger(features)
    if make is BertPretrainer:
        logits = np.asarray(after["masked_lm_logits"])
        assert (logits[..., 31:] < -9e3).all()
        after = {**after, "masked_lm_logits": logits[..., :30]}
    assert_equal(after, before)
    # The new token is a row of its own.
    larger({**features, "token_ids": np.array([[2, 30, 9, 3]], "int32")})
