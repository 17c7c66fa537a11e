"""Heads of a checkpoint: taken over, taken over with a warning, or begun anew."""

import warnings

import numpy as np
import pytest

from keras_bert.config import BertConfig
from keras_bert.errors import InputError, InputWarning
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.embedder import BertEmbedder
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.models.tagger import BertTagger
from tests.conformance import assert_equal

MODELS = {
    "classes": (BertClassifier, {"labels": ["no", "yes"]}),
    "numbered": (BertClassifier, {"num_classes": 2}),
    "score": (BertClassifier, {"labels": ["score"], "problem_type": "regression"}),
    "one": (BertClassifier, {"num_classes": 1}),
    "tags": (BertTagger, {"labels": ["O", "B"]}),
    "choices": (BertMultipleChoice, {}),
    "span": (BertSpanPredictor, {}),
    "pretrainer": (BertPretrainer, {}),
    "encoder": (BertEncoder, {}),
}


@pytest.fixture(scope="module")
def directories(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    config = BertConfig(
        vocabulary_size=30, num_layers=1, hidden_dim=8, num_heads=2, intermediate_dim=8
    )
    for name, (make, arguments) in MODELS.items():
        make(config, **arguments).save_checkpoint(root / name)
    return root


def head_of(model):
    return np.asarray(model.classification_head.dense.kernel)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("classes", {}),
        ("classes", {"labels": ["no", "yes"]}),
        ("classes", {"num_classes": 2}),
        ("numbered", {"num_classes": 2}),
        ("score", {}),
        ("score", {"problem_type": "regression"}),
        ("one", {}),
        ("tags", {"num_tags": 2}),
        ("encoder", {"labels": ["good", "bad"]}),
        ("pretrainer", {"labels": ["good", "bad"]}),
    ],
)
def test_the_same_task_goes_on_without_a_word(directories, name, arguments):
    make = BertTagger if name == "tags" else BertClassifier
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make.from_checkpoint(directories / name, **arguments)


@pytest.mark.parametrize(
    ("name", "make", "arguments", "message"),
    [
        ("classes", BertClassifier, {"labels": ["good", "bad"]}, r"'no', 'yes'.*'good', 'bad'"),
        ("classes", BertClassifier, {"labels": ["yes", "no"]}, r"'no', 'yes'.*'yes', 'no'"),
        ("numbered", BertClassifier, {"labels": ["good", "bad"]}, "LABEL_0.*good"),
        (
            "classes",
            BertClassifier,
            {"problem_type": "multi_label_classification"},
            "single_label_classification.*multi_label_classification",
        ),
        ("tags", BertTagger, {"labels": ["O", "NOUN"]}, "'B'.*'NOUN'"),
        ("classes", BertTagger, {}, "BertForSequenceClassification.*BertForTokenClassification"),
        ("score", BertMultipleChoice, {}, "BertForSequenceClassification.*MultipleChoice"),
        ("choices", BertClassifier, {"num_classes": 1}, "MultipleChoice.*SequenceClassification"),
    ],
)
def test_another_task_with_the_old_head_warns(directories, name, make, arguments, message):
    with pytest.warns(InputWarning, match=rf"{name}/.*{message}.*--new-head") as caught:
        make.from_checkpoint(directories / name, **arguments)
    assert len(str(caught[0].message).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "make", "arguments"),
    [
        ("classes", BertClassifier, {"labels": ["good", "bad"]}),
        ("classes", BertClassifier, {"num_classes": 3}),
        ("tags", BertClassifier, {"num_classes": 3}),
        ("classes", BertTagger, {"labels": ["O", "B", "I"]}),
        ("score", BertMultipleChoice, {}),
        ("classes", BertSpanPredictor, {}),
        ("span", BertClassifier, {"num_classes": 2}),
        ("classes", BertPretrainer, {}),
        ("encoder", BertPretrainer, {"next_sentence": False}),
    ],
)
def test_a_new_head_leaves_the_old_task_behind(directories, caplog, name, make, arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = make.from_checkpoint(directories / name, new_head=True, **arguments)
    assert "new heads, from random weights" in caplog.text
    has_pooler = name not in ("tags", "span")
    old = BertEncoder.from_checkpoint(
        directories / name, pooler=has_pooler and model.encoder.pooler is not None
    )
    count = len(old.get_weights())
    assert_equal(model.encoder.get_weights()[:count], old.get_weights())
    if "labels" in arguments:
        assert list(model.labels) == arguments["labels"]
    settings = model.checkpoint_settings()
    assert settings["architectures"] == [make.architecture] or make is BertPretrainer


def test_a_new_head_is_not_the_old_one(directories):
    old = BertClassifier.from_checkpoint(directories / "classes")
    new = BertClassifier.from_checkpoint(directories / "classes", num_classes=2, new_head=True)
    assert not np.allclose(head_of(old), head_of(new))
    assert new.labels == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize(
    ("name", "make", "arguments", "message"),
    [
        ("classes", BertClassifier, {"labels": ["a", "b", "c"]}, r"\(2, 8\), expected \(3, 8\)"),
        ("classes", BertClassifier, {"num_classes": 5}, r"\(2, 8\), expected \(5, 8\)"),
        ("classes", BertMultipleChoice, {}, r"\(2, 8\), expected \(1, 8\)"),
        ("tags", BertTagger, {"num_tags": 9}, r"\(2, 8\), expected \(9, 8\)"),
        ("tags", BertClassifier, {}, r"pooler\.dense\.weight is missing"),
    ],
)
def test_a_head_of_another_shape_names_the_way_on(directories, name, make, arguments, message):
    with pytest.raises(InputError, match=rf"{name}/.*{message}.*new_head=True.*--new-head"):
        make.from_checkpoint(directories / name, **arguments)


@pytest.mark.parametrize("make", [BertEncoder, BertEmbedder])
def test_models_without_a_head_have_no_new_one(directories, make):
    with pytest.raises(InputError, match="new_head"):
        make.from_checkpoint(directories / "classes", new_head=True)


def test_one_class_is_a_number_to_transformers(directories):
    model = BertClassifier.from_checkpoint(directories / "one")
    assert model.problem_type == "regression"
    assert "problem_type" not in BertClassifier(model.config, num_classes=1).checkpoint_settings()
