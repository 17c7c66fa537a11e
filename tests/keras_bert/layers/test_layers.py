import keras
import numpy as np
import pytest

from keras_bert.layers.attention import SelfAttention
from keras_bert.layers.embeddings import BertEmbeddings
from keras_bert.layers.heads import ClassificationHead, MaskedLMHead, Pooler
from keras_bert.layers.layer_normalization import (
    LayerNormalization,
    ResidualLayerNormalization,
)
from keras_bert.layers.transformer_block import TransformerBlock
from tests.conformance import check_numeric, flatten

BATCH, LENGTH, HIDDEN = 2, 5, 16


def hidden_states(seed=0):
    return np.random.default_rng(seed).normal(size=(BATCH * LENGTH, HIDDEN)).astype("float32")


def full_mask():
    return np.ones((BATCH, LENGTH, LENGTH), bool)


def test_embeddings():
    token_ids = np.arange(10, dtype="int32").reshape(BATCH, LENGTH)
    check_numeric(
        lambda dtype: BertEmbeddings(20, HIDDEN, max_sequence_length=8, dtype=dtype),
        (token_ids, token_ids % 2),
    )


def test_embeddings_refuse_more_positions_than_the_table_has():
    layer = BertEmbeddings(20, HIDDEN, max_sequence_length=4)
    with pytest.raises(ValueError, match="length=5, max_sequence_length=4"):
        layer(np.zeros((1, 5), "int32"), np.zeros((1, 5), "int32"))


def test_attention():
    check_numeric(
        lambda dtype: SelfAttention(HIDDEN, 4, dtype=dtype), (hidden_states(), full_mask())
    )


def attention_in_numpy(layer, hidden, mask):
    """The formula of Vaswani et al., one head and one row after the other."""
    kernel, bias = (np.asarray(w) for w in layer.query_key_value.weights)
    projected = hidden @ kernel + bias
    query, key, value = np.split(projected, 3, axis=1)
    size = layer.head_dim
    context = np.zeros_like(hidden)
    for row in range(BATCH):
        tokens = slice(row * LENGTH, (row + 1) * LENGTH)
        for head in range(layer.num_heads):
            columns = slice(head * size, (head + 1) * size)
            scores = query[tokens, columns] @ key[tokens, columns].T / np.sqrt(size)
            scores = np.where(mask[row], scores, -1e9)
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            weights /= weights.sum(axis=1, keepdims=True)
            context[tokens, columns] = weights @ value[tokens, columns]
    kernel, bias = (np.asarray(w) for w in layer.output_dense.weights)
    return context @ kernel + bias


@pytest.mark.parametrize("kind", ["full", "padding", "left_to_right", "blocks"])
def test_attention_equals_the_formula_under_any_mask(kind):
    mask = full_mask()
    if kind == "padding":
        mask[1, :, 3:] = False
    elif kind == "left_to_right":
        mask &= np.tri(LENGTH, dtype=bool)
    elif kind == "blocks":
        block = np.array([0, 0, 1, 1, 1])
        mask &= block[:, None] == block[None, :]
    layer = SelfAttention(HIDDEN, 4, initializer_range=0.5)
    hidden = hidden_states()
    result = layer(hidden, mask)["output"]
    np.testing.assert_allclose(result, attention_in_numpy(layer, hidden, mask), atol=1e-5)
    if kind == "padding":  # the same mask in its broadcast form
        broadcast = layer(hidden, mask[:, :1])["output"]
        np.testing.assert_allclose(broadcast, result, atol=1e-6)


def test_attention_of_a_row_without_any_visible_token_is_finite():
    for dtype in ("float32", "float16", "bfloat16"):
        layer = SelfAttention(HIDDEN, 4, dtype=dtype)
        output = layer(hidden_states(), np.zeros((BATCH, LENGTH, LENGTH), bool))["output"]
        assert np.isfinite(flatten(output)).all()


def test_attention_probabilities_on_request():
    layer = SelfAttention(HIDDEN, 4)
    mask = full_mask()
    mask[:, :, -1] = False
    result = layer(hidden_states(), mask, return_probabilities=True)
    probabilities = np.asarray(result["probabilities"])
    assert probabilities.shape == (BATCH, 4, LENGTH, LENGTH)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-6)
    assert (probabilities[..., -1] == 0).all()


def test_attention_dropout_acts_in_training_only():
    layer = SelfAttention(HIDDEN, 4, dropout=0.5)
    hidden, mask = hidden_states(), full_mask()
    calm = np.asarray(layer(hidden, mask)["output"])
    np.testing.assert_array_equal(layer(hidden, mask, training=False)["output"], calm)
    assert not np.allclose(layer(hidden, mask, training=True)["output"], calm)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="hidden_dim=16, num_heads=3"):
        SelfAttention(16, 3)


def test_transformer_block():
    check_numeric(
        lambda dtype: TransformerBlock(HIDDEN, 4, 32, dtype=dtype),
        (hidden_states(), full_mask()),
    )


def test_layer_normalization():
    inputs = np.random.default_rng(5).normal(3, 2, (BATCH, LENGTH, HIDDEN)).astype("float32")
    layer = check_numeric(
        lambda dtype: LayerNormalization(epsilon=1e-12, dtype=dtype),
        (inputs,),
    )
    for training in (False, True):
        outputs = np.asarray(layer(inputs, training=training))
        np.testing.assert_allclose(outputs.mean(axis=-1), 0, atol=1e-5)
        np.testing.assert_allclose(outputs.std(axis=-1), 1, atol=1e-4)


def test_residual_layer_normalization():
    hidden, residual = hidden_states(0), hidden_states(1)
    layer = check_numeric(
        lambda dtype: ResidualLayerNormalization(0.5, dtype=dtype), (hidden, residual)
    )
    plain = LayerNormalization()
    np.testing.assert_allclose(layer(hidden, residual), plain(hidden + residual), atol=1e-5)
    # Dropout takes the output's values in training, never the residual's.
    kept = np.asarray(layer(np.zeros_like(hidden), residual, training=True))
    np.testing.assert_allclose(kept, plain(residual), atol=1e-5)
    dropped = np.asarray(layer(hidden, residual, training=True))
    assert not np.allclose(dropped, plain(hidden + residual), atol=1e-2)


def test_pooler_looks_at_the_first_token():
    sequence = np.random.default_rng(1).normal(size=(BATCH, LENGTH, HIDDEN)).astype("float32")
    check_numeric(lambda dtype: Pooler(HIDDEN, dtype=dtype), (sequence,))
    layer = Pooler(HIDDEN)
    changed = sequence.copy()
    changed[:, 1:] = 0
    np.testing.assert_array_equal(layer(sequence), layer(changed))


def test_masked_lm_head_gathers_positions():
    random = np.random.default_rng(2)
    sequence = random.normal(size=(BATCH, LENGTH, HIDDEN)).astype("float32")
    embeddings = random.normal(size=(20, HIDDEN)).astype("float32")
    positions = np.array([[0, 3], [4, 0]], "int32")
    check_numeric(
        lambda dtype: MaskedLMHead(20, HIDDEN, dtype=dtype), (sequence, positions, embeddings)
    )
    head = MaskedLMHead(20, HIDDEN)
    every = np.tile(np.arange(LENGTH, dtype="int32"), (BATCH, 1))
    whole = np.asarray(head(sequence, every, embeddings))
    some = np.asarray(head(sequence, positions, embeddings))
    for row in range(BATCH):
        np.testing.assert_allclose(some[row], whole[row][positions[row]], atol=1e-5)


def test_classification_head():
    pooled = np.random.default_rng(3).normal(size=(BATCH, HIDDEN)).astype("float32")
    check_numeric(lambda dtype: ClassificationHead(3, dtype=dtype), (pooled,))
    tokens = np.stack([pooled, -pooled], axis=1)
    check_numeric(lambda dtype: ClassificationHead(3, dtype=dtype), (tokens,))
    logits = ClassificationHead(3, dtype="bfloat16")(pooled)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
