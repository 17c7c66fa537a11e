import keras
import numpy as np
import pytest

from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.pretrainer import BertPretrainer
from tests.conformance import assert_equal, check_model, check_numeric


@pytest.mark.parametrize(
    ("name", "encoder_parameters"),
    [("base", 109_482_240), pytest.param("large", 335_141_888, marks=pytest.mark.slow)],
)
def test_parameter_counts_equal_the_published_models(name, encoder_parameters):
    assert BertEncoder(BertConfig.from_name(name)).count_params() == encoder_parameters


def test_pretrainer_adds_the_heads_of_the_published_checkpoint(tiny_config):
    width, vocabulary = tiny_config.hidden_dim, tiny_config.vocabulary_size
    heads = (width * width + width) + 2 * width + vocabulary + (2 * width + 2)
    encoder = BertEncoder(tiny_config).count_params()
    assert BertPretrainer(tiny_config).count_params() == encoder + heads


def test_encoder(tiny_config, features, tmp_path):
    check_model(lambda dtype: BertEncoder(tiny_config, dtype=dtype), features, tmp_path)


def test_pretrainer(tiny_config, pretraining_features, tmp_path):
    check_model(
        lambda dtype: BertPretrainer(tiny_config, dtype=dtype), pretraining_features, tmp_path
    )


def test_classifier(tiny_config, features, tmp_path):
    check_model(
        lambda dtype: BertClassifier(tiny_config, labels=["no", "yes", "?"], dtype=dtype),
        features,
        tmp_path,
    )


def test_encoder_without_pooler(tiny_config, features, tmp_path):
    check_numeric(lambda dtype: BertEncoder(tiny_config, pooler=False, dtype=dtype), (features,))
    whole = BertEncoder(tiny_config)
    whole.save_checkpoint(tmp_path / "whole")
    encoder = BertEncoder.from_checkpoint(tmp_path / "whole", pooler=False)
    width = tiny_config.hidden_dim
    assert encoder.count_params() == whole.count_params() - width * (width + 1)
    outputs = encoder(features)
    assert list(outputs) == ["sequence_output"]
    assert_equal(outputs["sequence_output"], whole(features)["sequence_output"])
    encoder.enable_lora(2)
    encoder.save_checkpoint(tmp_path / "part")
    assert_equal(BertEncoder.from_checkpoint(tmp_path / "part", pooler=False)(features), outputs)


def test_padding_does_not_change_real_tokens(tiny_config, features):
    encoder = BertEncoder(tiny_config)
    padded = encoder(features)["sequence_output"]
    alone = {name: array[1:, :6] for name, array in features.items()}
    np.testing.assert_allclose(padded[1:, :6], encoder(alone)["sequence_output"], atol=1e-5)


def test_explicit_positions_and_mask_replace_the_defaults(tiny_config, features):
    encoder = BertEncoder(tiny_config)
    expected = encoder(features)
    batch, length = features["token_ids"].shape
    spelled_out = {
        **features,
        "position_ids": np.tile(np.arange(length, dtype="int32"), (batch, 1)),
        "attention_mask": np.repeat(features["padding_mask"][:, None], length, axis=1),
    }
    assert_equal(encoder(spelled_out), expected, 1e-6)
    shifted = {**spelled_out, "position_ids": spelled_out["position_ids"] + 3}
    assert not np.allclose(
        encoder(shifted)["sequence_output"], expected["sequence_output"], atol=1e-3
    )


def test_embeddings_in_place_of_ids(tiny_config, features):
    encoder = BertEncoder(tiny_config)
    expected = encoder(features)
    table = np.array(encoder.token_embeddings)
    inputs = {**features, "token_embeddings": table[features["token_ids"]]}
    del inputs["token_ids"]
    assert_equal(encoder(inputs), expected, 1e-6)


def test_a_longer_position_table_repeats_the_trained_rows(tiny_config, features, tmp_path):
    encoder = BertEncoder(tiny_config)
    encoder.save_checkpoint(tmp_path)
    longer = BertEncoder.from_checkpoint(tmp_path, max_sequence_length=150)
    assert longer.config.max_sequence_length == 150
    assert_equal(longer(features), encoder(features))
    positions = np.array(longer.embeddings.position_table.embeddings)
    np.testing.assert_array_equal(positions[64:128], positions[:64])
    long = {name: np.pad(array, [(0, 0), (0, 141)]) for name, array in features.items()}
    assert longer(long)["sequence_output"].shape[1] == 150
    shorter = BertClassifier.from_checkpoint(tmp_path, num_classes=2, max_sequence_length=9)
    assert_equal(shorter.encoder(features), encoder(features))


def test_frozen_layers_stay_as_they_are(tiny_config, features):
    model = BertClassifier(tiny_config, num_classes=2)
    model.encoder.freeze(1)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = {variable.path: np.array(variable) for variable in model.variables}
    model.fit(features, np.array([0, 1]), verbose=0)
    changed = {v.path for v in model.weights if (np.array(v) != before[v.path]).any()}
    assert any("block_1" in path for path in changed)
    assert not any("block_0" in path or "embeddings" in path for path in changed)
    with pytest.raises(InputError, match="from 0 to 2"):
        model.encoder.freeze(3)


def test_lora_trains_additions_and_saves_sums(tiny_config, features, tmp_path):
    model = BertClassifier(tiny_config, num_classes=2)
    unchanged = model(features)
    model.encoder.enable_lora(4)
    assert_equal(model(features), unchanged, 1e-6)
    names = {variable.path.split("/")[-1] for variable in model.encoder.trainable_variables}
    assert names == {"lora_kernel_a", "lora_kernel_b"}
    assert len(model.encoder.trainable_variables) == 4 * tiny_config.num_layers
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(features, np.array([0, 1]), epochs=3, verbose=0)
    trained = model(features)
    assert np.abs(np.array(trained) - np.array(unchanged)).max() > 1e-4
    model.save_checkpoint(tmp_path)
    assert_equal(BertClassifier.from_checkpoint(tmp_path)(features), trained, 1e-5)


def test_left_to_right_mask_hides_later_tokens(tiny_config, features):
    encoder = BertEncoder(tiny_config)
    batch, length = features["token_ids"].shape
    mask = np.tile(np.tri(length, dtype=bool), (batch, 1, 1))
    changed = features["token_ids"].copy()
    changed[:, -1] = 7
    first = encoder({**features, "attention_mask": mask})["sequence_output"]
    second = encoder({**features, "attention_mask": mask, "token_ids": changed})["sequence_output"]
    np.testing.assert_array_equal(first[:, :-1], second[:, :-1])


def test_hidden_states_and_attentions_on_request(tiny_config, features):
    outputs = BertEncoder(tiny_config)(features, return_hidden_states=True, return_attentions=True)
    assert len(outputs["hidden_states"]) == tiny_config.num_layers + 1
    assert len(outputs["attentions"]) == tiny_config.num_layers
    np.testing.assert_array_equal(outputs["hidden_states"][-1], outputs["sequence_output"])
    assert outputs["attentions"][0].shape == (2, tiny_config.num_heads, 9, 9)


def test_dropout_acts_in_training_only(tiny_config, features):
    encoder = BertEncoder(tiny_config)
    calm = encoder(features)["pooled_output"]
    np.testing.assert_array_equal(encoder(features, training=False)["pooled_output"], calm)
    assert not np.allclose(encoder(features, training=True)["pooled_output"], calm)


def test_initial_weights_follow_the_paper(tiny_config):
    # The smallest table has 64 values, too few for an estimate that holds for every draw.
    keras.utils.set_random_seed(0)
    encoder = BertEncoder(tiny_config)
    for weight in encoder.trainable_weights:
        values = np.asarray(weight)
        if weight.path.endswith(("kernel", "embeddings")):
            # A normal of 0.02, truncated at two deviations.
            assert np.abs(values).max() <= 0.04 + 1e-6
            assert values.std() == pytest.approx(0.0176, rel=0.15)
        else:
            assert (values == (1 if weight.path.endswith("gamma") else 0)).all()


@pytest.mark.parametrize(
    "arguments",
    [{"num_classes": 0}, {"num_classes": 3, "labels": ["a", "b"]}, {"labels": ["a", "a"]}, {}],
)
def test_classes_and_labels_must_agree(tiny_config, arguments):
    with pytest.raises(InputError, match="num_classes"):
        BertClassifier(tiny_config, **arguments)


def test_model_trains_with_plain_keras(tiny_config, features):
    keras.utils.set_random_seed(0)
    model = BertClassifier(tiny_config, num_classes=2)
    model.compile(
        keras.optimizers.Adam(1e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    history = model.fit(features, np.array([0, 1]), epochs=20, verbose=0)
    assert history.history["loss"][-1] < 0.1 < history.history["loss"][0]


@keras.saving.register_keras_serializable("tests")
class ClassifierWithMore(BertClassifier):
    """A subclass that adds a layer and changes the outputs."""

    def __init__(self, config, **kwargs):
        super().__init__(config, **kwargs)
        self.more = keras.layers.Dense(5)

    def call(self, inputs, training=None):
        return self.more(super().call(inputs, training=training))


def test_a_subclass_adds_layers(tiny_config, features, tmp_path):
    model = ClassifierWithMore(tiny_config, num_classes=2)
    expected = model(features)
    assert expected.shape == (2, 5)
    model.more.trainable = False
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_equal(loaded(features), expected)
    assert len(loaded.trainable_weights) == len(model.trainable_weights)


def test_building_again_changes_nothing(tiny_config):
    model = BertEncoder(tiny_config)
    before = [id(weight) for weight in model.weights]
    model.build({"token_ids": (2, 9), "segment_ids": (2, 9), "padding_mask": (2, 9)})
    assert model.built
    assert [id(weight) for weight in model.weights] == before
    assert model.compute_output_shape((3, 7))["sequence_output"] == (3, 7, tiny_config.hidden_dim)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", keras.DTypePolicy("bfloat16"), "float64"])
def test_precision_travels(tiny_config, features, tmp_path, dtype):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX makes float32 of float64")
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(dtype)
        model = BertClassifier(tiny_config, num_classes=2)
    finally:
        keras.config.set_dtype_policy(before)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_equal(loaded(features), model(features))
    name = dtype if isinstance(dtype, str) else dtype.name
    assert loaded.encoder.blocks[1].attention.query_key_value.dtype_policy.name == name
    again = BertClassifier.from_config(loaded.get_config())
    assert [weight.dtype for weight in again.weights] == [weight.dtype for weight in model.weights]
