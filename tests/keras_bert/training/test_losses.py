import keras
import numpy as np
import pytest

from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.training.losses import pretraining_losses


@pytest.mark.parametrize("pairs", [True, False])
def test_a_batch_with_nothing_to_predict_is_a_finite_step(tiny_config, pretraining_features, pairs):
    """Rows without any mask, one of them padding alone: the loss of the masks is zero."""
    features = dict(pretraining_features)
    features["padding_mask"] = features["padding_mask"].copy()
    features["padding_mask"][1] = False
    targets = {"masked_lm_logits": np.zeros((2, 3), "int32")}
    weights = {"masked_lm_logits": np.zeros((2, 3), "float32")}
    if pairs:
        targets["next_sentence_logits"] = np.array([0, 1])
        weights["next_sentence_logits"] = np.ones(2, "float32")
    model = BertPretrainer(tiny_config, next_sentence=pairs)
    model.compile(keras.optimizers.SGD(1e-3), **pretraining_losses(pairs=pairs))
    history = model.fit(features, targets, sample_weight=weights, batch_size=2, verbose=0).history
    assert all(np.isfinite(value) for values in history.values() for value in values)
    assert model.skipped_steps == 0
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert (history["loss"][0] > 0) == pairs
