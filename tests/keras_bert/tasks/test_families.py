"""What a directory says of its task is honoured, or refused in one line that names it."""

import json

import pytest

from keras_bert.checkpoints import huggingface
from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.config import BertConfig
from keras_bert.errors import InputError, InputWarning
from keras_bert.models.feature_tagger import BertFeatureTagger
from keras_bert.tasks.families import check_table, family_of
from keras_bert.text.tokenizer import BertTokenizer

CONFIG = BertConfig(vocabulary_size=30, num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=8)


@pytest.mark.parametrize(
    "said",
    [
        *(3, [], "x", ["family"], {"family": 3}, {"family": "none"}, {"family": ["tagging"]}),
        *({"family": "multi_label", "threshold": "high"}, {"threshold": 0.5}),
        *({"family": "multi_label", "colour": 1}, {"family": "fill_mask", "top_k": 1.5}),
        {"family": "fill_mask", "top_k": True},
    ],
)
def test_settings_of_a_task(tmp_path, said):
    settings = {**CONFIG.to_hugging_face(), "task_specific_params": {"keras_bert": said}}
    if said == []:
        settings["task_specific_params"] = said = ["keras_bert"]
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError) as caught:
        family_of(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"dtype": "float64"}, "dtype"),
        ({"config": {}}, "config"),
        ({"mix": ["last"]}, "mix"),
        ({"mix": "none"}, "mix"),
        ({"lstm_dim": 0}, "lstm_dim"),
        ({"lstm_dim": "8"}, "lstm_dim"),
    ],
)
def test_settings_of_a_feature_tagger(said, message):
    settings = {"task_specific_params": {"feature_tagger": said}}
    checkpoint = Checkpoint(CONFIG, {}, settings, place="the file")
    with pytest.raises(InputError, match=message):
        BertFeatureTagger(CONFIG, **{"num_tags": 2, **BertFeatureTagger._settings_of(checkpoint)})


def test_a_table_may_be_padded(vocabulary):
    tokenizer = BertTokenizer(vocabulary)
    for extra in (0, 1, 8, 127, 1000):
        config = BertConfig(vocabulary_size=len(vocabulary) + extra)
        check_table(tokenizer, config, "the model")
    with pytest.warns(InputWarning, match="another model's vocabulary"):
        check_table(tokenizer, BertConfig(), "the model")
    with pytest.raises(InputError, match=r"the model: .*resize"):
        check_table(tokenizer, BertConfig(vocabulary_size=len(vocabulary) - 1), "the model")


def test_one_way_to_read_settings(tmp_path):
    (tmp_path / "config.json").write_text("[]")
    for read in (family_of, huggingface.read_settings):
        with pytest.raises(InputError, match=r"config\.json: must be a JSON object"):
            read(tmp_path)
