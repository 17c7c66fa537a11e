"""The fused kernel: what reaches it, and that its call computes the same."""

import re
import types

import keras
import numpy as np
import pytest

from keras_bert.layers import fused_attention
from keras_bert.layers.attention import SelfAttention
from tests.backends import call_with_gradients
from tests.conformance import assert_equal, mean_square

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="the fused kernel is reached from JAX alone"
)
BATCH, LENGTH, HIDDEN = 3, 10, 32


@pytest.fixture
def with_kernel(monkeypatch):
    """As on a machine with a GPU, as far as lowering goes."""
    from jax._src.cudnn import fused_attention_stablehlo as stablehlo

    versions = types.SimpleNamespace(cudnn_get_version=lambda: 91000)
    monkeypatch.setattr(stablehlo, "cuda_versions", versions)
    monkeypatch.setattr(fused_attention, "_device_has_kernel", lambda: True)


def inputs(kind="right"):
    random = np.random.default_rng(0)
    hidden = random.normal(size=(BATCH * LENGTH, HIDDEN)).astype("float32")
    mask = np.arange(LENGTH) < np.array([[10], [6], [1]])
    if kind == "left":
        mask = mask[:, ::-1]
    elif kind == "holes":
        mask = random.random((BATCH, LENGTH)) < 0.5
    return hidden, mask[:, None]


def kernels(layer, hidden, mask, **options):
    """Names of cuDNN's kernels in the program for a GPU, forward and backward."""
    import jax

    if not layer.built:
        layer.build(hidden.shape)
    others = [variable.value for variable in layer.non_trainable_variables]

    def loss(weights):
        outputs, _ = layer.stateless_call(weights, others, hidden, mask, **options)
        return mean_square(outputs["output"])

    weights = [variable.value for variable in layer.trainable_variables]
    program = jax.jit(jax.grad(loss)).trace(weights).lower(lowering_platforms=("cuda",))
    return sorted(set(re.findall(r"__cudnn\$(\w+)", program.as_text())))


FUSED = ["fmhaSoftmax", "fmhaSoftmaxBackward"]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16", "mixed_float16"])
def test_padded_batches_reach_the_kernel(policy, with_kernel):
    layer = SelfAttention(HIDDEN, 4, dropout=0.0, dtype=policy)
    hidden, mask = inputs()
    assert kernels(layer, hidden, mask, training=True) == FUSED
    dropping = SelfAttention(HIDDEN, 4, dropout=0.1, dtype=policy)
    assert kernels(dropping, hidden, mask) == FUSED
    assert kernels(dropping, hidden, mask, training=True) == []
    assert kernels(layer, hidden, mask, return_probabilities=True) == []
    assert kernels(layer, hidden, np.repeat(mask, LENGTH, axis=1)) == []


def test_float32_and_other_heads_do_not(with_kernel):
    hidden, mask = inputs()
    assert kernels(SelfAttention(HIDDEN, 4, dropout=0.0), hidden, mask) == []
    assert kernels(SelfAttention(HIDDEN, 8, dtype="bfloat16"), hidden, mask) == []


@pytest.mark.parametrize("kind", ["right", "left", "holes"])
def test_the_call_computes_the_same(kind, monkeypatch):
    hidden, mask = inputs(kind)
    mask[2, 0, 3] = True
    layer = SelfAttention(HIDDEN, 4, dropout=0.0, initializer_range=0.5)
    expected = call_with_gradients_of(layer, hidden, mask)
    monkeypatch.setattr(fused_attention, "_device_has_kernel", lambda: True)
    monkeypatch.setattr(fused_attention, "_IMPLEMENTATION", "xla")
    monkeypatch.setattr(fused_attention, "_DTYPES", ("float32",))
    assert_equal(call_with_gradients_of(layer, hidden, mask), expected, 1e-4)


def call_with_gradients_of(layer, hidden, mask):
    layer(hidden, mask)
    return call_with_gradients(layer, (hidden, mask), mean_square)
