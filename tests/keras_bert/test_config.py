import json

import pytest

from keras_bert.config import BertConfig
from keras_bert.errors import InputError


def test_named_sizes_are_the_published_ones():
    base, large = BertConfig.from_name("base"), BertConfig.from_name("large")
    assert (base.num_layers, base.hidden_dim, base.num_heads) == (12, 768, 12)
    assert (large.num_layers, large.hidden_dim, large.num_heads) == (24, 1024, 16)
    assert large.intermediate_dim == 4096
    miniatures = [name for name in BertConfig.names() if name.startswith("L")]
    assert len(miniatures) == 24
    for name in miniatures:
        config = BertConfig.from_name(name)
        assert config.head_dim == 64 if hasattr(config, "head_dim") else config.hidden_dim % 64 == 0
        assert config.intermediate_dim == 4 * config.hidden_dim
    assert BertConfig.from_name("tiny") == BertConfig.from_name("L2-H128")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_dim": 100, "num_heads": 12}, "hidden_dim=100, num_heads=12"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"attention_dropout": -0.1}, "attention_dropout=-0.1"),
        ({"num_layers": 0}, "num_layers=0"),
        ({"num_layers": "12"}, "num_layers='12'"),
        ({"vocabulary_size": True}, "vocabulary_size=True"),
        ({"activation": "swish"}, "activation='swish'"),
        ({"layer_norm_epsilon": 0.0}, "layer_norm_epsilon=0.0"),
        ({"dropout": "0.1"}, "dropout='0.1'"),
    ],
)
def test_wrong_values_are_named(changes, message):
    with pytest.raises(InputError, match=message):
        BertConfig(**changes)


def test_unknown_name():
    with pytest.raises(InputError, match="name='huge'"):
        BertConfig.from_name("huge")


def test_round_trips(tmp_path):
    config = BertConfig.from_name("L4-H256", vocabulary_size=8000, num_segments=3)
    for values in (config.to_dict(), config.to_hugging_face(), config.to_google()):
        path = tmp_path / "config.json"
        path.write_text(json.dumps(values))
        assert BertConfig.from_file(path) == config


def test_gelu_means_tanh_to_google_and_exact_to_hugging_face():
    google = {"vocab_size": 10, "hidden_act": "gelu"}
    assert BertConfig.from_dict(google).activation == "gelu_tanh"
    assert BertConfig.from_dict({**google, "model_type": "bert"}).activation == "gelu"
    exact = BertConfig(activation="gelu")
    assert BertConfig.from_dict(exact.to_hugging_face()) == exact
    with pytest.raises(InputError, match="tanh"):
        exact.to_google()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"vocab_size": 10, "colour": 1}', "colour"),
        ('{"vocabulary_size": 10, "colour": 1}', "colour"),
        ('{"vocab_size": 10', "damaged"),
        ("[]", "JSON object"),
        ('{"model_type": "roberta", "vocab_size": 10}', "model_type"),
        ('{"model_type": "bert", "vocab_size": 10, "is_decoder": true}', "is_decoder"),
        ('{"model_type": "bert"}', "vocab_size"),
        ('{"model_type": "bert", "vocab_size": 10, "hidden_act": "silu"}', "silu"),
    ],
)
def test_wrong_files_are_named(tmp_path, content, message):
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        BertConfig.from_file(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.json"):
        BertConfig.from_file(tmp_path / "none.json")
