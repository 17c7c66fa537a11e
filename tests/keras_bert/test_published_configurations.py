"""Every key of a configuration file is honoured, refused by name, or known to change nothing."""

import json
from pathlib import Path

import pytest

from keras_bert.checkpoints import huggingface, keras_hub, model_garden, sentence_transformers
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.published_configurations import GOOGLE, HUGGING_FACE

# What transformers writes, with every key; made by `BertConfig().to_dict()` of each version.
GOLDEN = Path(__file__).parents[1] / "golden" / "hugging_face_configurations.json"
FILES = json.loads(GOLDEN.read_text())
SMALL = {
    "model_type": "bert",
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
}
FORMATS = {
    "google": GOOGLE,
    "hugging_face": HUGGING_FACE,
    "model_garden": model_garden._ENCODER,
    "backbone": keras_hub._BACKBONE_KEYS,
    "classifier": keras_hub._CLASSIFIER_KEYS,
    "tokenizer": keras_hub._TOKENIZER_KEYS,
    "module": sentence_transformers._MODULE_KEYS,
    "pooling": sentence_transformers._POOLING_KEYS,
    "normalize": sentence_transformers._NORMALIZE_KEYS,
    "length": sentence_transformers._LENGTH_KEYS,
    "encoder": sentence_transformers._ENCODER_KEYS,
}
# A value that differs from the default, for each field of `BertConfig`.
OTHER_VALUES = {
    "vocabulary_size": 7,
    "num_layers": 3,
    "num_heads": 1,
    "hidden_dim": 24,
    "intermediate_dim": 48,
    "max_sequence_length": 33,
    "num_segments": 5,
    "dropout": 0.3,
    "attention_dropout": 0.4,
    "initializer_range": 0.5,
    "layer_norm_epsilon": 1e-3,
    "classifier_dropout": 0.25,
}


@pytest.mark.parametrize("values", FILES.values(), ids=FILES)
def test_what_transformers_writes_is_known(values):
    config = BertConfig.from_dict(values)
    assert (config.num_layers, config.hidden_dim, config.activation) == (12, 768, "gelu")
    assert config.vocabulary_size == values["vocab_size"]
    unknown = {key for key in set(values) - HUGGING_FACE.keys() if key[0] != "_"}
    assert not {key for key in unknown if not key.startswith(HUGGING_FACE.harmless_beginnings)}


@pytest.mark.parametrize("name", FORMATS)
def test_every_key_has_one_meaning(name):
    form = FORMATS[name]
    groups = (form.fields, form.only, form.elsewhere, form.harmless)
    assert sum(map(len, groups)) == len(form.keys() - {form.activation})
    assert set(form.fields.values()) <= set(BertConfig().to_dict())


@pytest.mark.parametrize("name", FORMATS)
def test_keys_with_one_right_value(name):
    form = FORMATS[name]
    for key, right in form.only.items():
        form.check({key: right})
        form.check({key: None})
        for wrong in (right is not True, "something", ["x"], {"x": 1}, 7):
            if wrong == right:
                continue
            with pytest.raises(InputError, match=rf"`{key}` must be .*Received: {key}="):
                form.check({key: wrong})


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("key", "value"),
    [("rotary_base", 10000), ("alibi", True), ("feed_forward_type", "geglu"), ("use_bias", False)],
)
def test_unknown_keys_are_refused_by_name(name, key, value):
    with pytest.raises(InputError, match=f"unknown key '{key}'.*Received: {key}="):
        FORMATS[name].check({key: value})
    # What is not set says nothing.
    for unset in (None, "", [], {}):
        FORMATS[name].check({key: unset})


@pytest.mark.parametrize("form", [GOOGLE, HUGGING_FACE], ids=["google", "hugging_face"])
def test_every_key_of_the_network_is_honoured(form):
    is_theirs = form is HUGGING_FACE
    values = {key: value for key, value in SMALL.items() if is_theirs or key != "model_type"}
    before = BertConfig.from_published(values, form)
    for key, name in form.fields.items():
        other = OTHER_VALUES[name]
        after = BertConfig.from_published({**values, key: other}, form)
        assert getattr(after, name) == other
        assert {**after.to_dict(), name: None} == {**before.to_dict(), name: None}
    for key in form.harmless:
        if key != "embedding_size":
            after = BertConfig.from_published({**values, key: "anything"}, form)
            assert after == before
    for written, name in form.activations.items():
        after = BertConfig.from_published({**values, "hidden_act": written}, form)
        assert after.activation == name


@pytest.mark.parametrize(
    "activation", ["silu", "quick_gelu", "gelu_10", "mish", "swish", "tanh", "", None, ["gelu"], 3]
)
def test_other_activations_are_refused_by_name(activation):
    with pytest.raises(InputError, match="`hidden_act` must be one of"):
        BertConfig.from_dict({**SMALL, "hidden_act": activation})


def test_narrow_embeddings_are_another_network():
    for width in (None, 16):
        BertConfig.from_dict({**SMALL, "embedding_size": width})
    with pytest.raises(InputError, match="embedding_size=8"):
        BertConfig.from_dict({**SMALL, "embedding_size": 8})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "roberta"}, "model_type='roberta'"),
        ({"model_type": "distilbert"}, "model_type='distilbert'"),
        ({"model_type": None, "architectures": ["RobertaForMaskedLM"]}, "RobertaForMaskedLM"),
        ({"position_embedding_type": "relative_key_query"}, "position_embedding_type='relative"),
        ({"is_decoder": True}, "is_decoder=True"),
        ({"pruned_heads": {"1": [0]}}, "pruned_heads"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"auto_map": {"AutoModel": "modeling.Other"}}, "auto_map"),
    ],
)
def test_other_networks_are_refused_by_name(changes, message):
    with pytest.raises(InputError, match=message):
        BertConfig.from_dict({**SMALL, **changes})


def test_hugging_face_is_told_by_content(tmp_path):
    bare = {key: value for key, value in SMALL.items() if key != "model_type"}
    exact = ({"architectures": ["BertModel"]}, {"transformers_version": "4"}, {"use_cache": True})
    for marks in exact:
        assert BertConfig.from_dict({**bare, **marks, "hidden_act": "gelu"}).activation == "gelu"
    path = tmp_path / "config.json"
    path.write_text(json.dumps(bare))
    assert BertConfig.from_file(path).activation == "gelu_tanh"
    # Beside weights of theirs the same file is theirs.
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert BertConfig.from_file(path).activation == "gelu"
    assert huggingface.read_config(tmp_path).activation == "gelu"


WRONG = [None, True, -1, 0, 1.5, 1e400, float("nan"), "x", [], ["x", 1], {}, {"a": [1]}, 10**30]


@pytest.mark.parametrize("key", sorted(HUGGING_FACE.keys()))
def test_wrong_types_end_in_one_line(tmp_path, key):
    """Each value is taken or refused in one line that names file and key; nothing else happens."""
    path = tmp_path / "config.json"
    for wrong in WRONG:
        path.write_text(json.dumps({**SMALL, key: wrong}))
        error = refusal(tmp_path)
        if error is not None:
            assert f"{path}: " in error
            assert key in error
            assert len(error.splitlines()) == 1


def refusal(directory):
    try:
        huggingface.read_config(directory)
        huggingface.read_settings(directory)
    except InputError as error:
        return str(error)
    return None


def test_messages_name_the_key_of_the_file():
    for changes, message in (
        ({"hidden_size": 17}, "`hidden_size` must be a multiple of `num_attention_heads`"),
        ({"num_hidden_layers": 2.0}, "num_hidden_layers=2.0"),
        ({"hidden_dropout_prob": 1}, "hidden_dropout_prob=1"),
        ({"classifier_dropout": "0.1"}, "classifier_dropout='0.1'"),
        ({"layer_norm_eps": float("inf")}, "layer_norm_eps=inf"),
    ):
        with pytest.raises(InputError, match=message):
            BertConfig.from_dict({**SMALL, **changes})


def test_dropout_before_classes_is_kept(tmp_path):
    config = BertConfig.from_dict({**SMALL, "classifier_dropout": 0.3})
    assert (config.dropout, config.head_dropout) == (0.1, 0.3)
    assert BertConfig.from_dict(config.to_hugging_face()) == config
    assert BertConfig.from_dict(config.to_dict()) == config
    with pytest.raises(InputError, match=r"classifier_dropout=0\.3"):
        config.to_google()
    assert BertConfig.from_dict(SMALL).head_dropout == 0.1
