import dataclasses
import json

import numpy as np
import pytest

from keras_bert.checkpoints.huggingface import read_settings
from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.tasks.classification import ClassPredictor, LabelsPredictor, ScorePredictor
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.families import load_predictor
from keras_bert.text.tokenizer import BertTokenizer
from tests.conformance import check_family

TEXTS = ["the dog ran", "", "a cat and a dog and a bird went away to see people", "x" * 300, "now"]


@pytest.fixture
def make(tiny_config, vocabulary):
    def make(family, labels=(), **options):
        # Weights large enough for different texts to have clearly different answers.
        config = dataclasses.replace(tiny_config, initializer_range=0.3)
        model = family.model_class(config, **family.model_arguments(labels, options))
        return family(model, BertTokenizer(vocabulary, sequence_length=16), **options)

    return make


def test_classes(make, tmp_path):
    examples = Examples({"text": TEXTS}, targets=[0, 1, 2, 0, 1])
    answers = check_family(make(ClassPredictor, ["no", "yes", "perhaps"]), examples, tmp_path)
    for answer in answers:
        shares = answer["probabilities"]
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
        assert answer["label"] == max(shares, key=shares.get)
    assert read_settings(tmp_path / "model")["problem_type"] == "single_label_classification"


def test_pairs(make, tmp_path):
    columns = {"text_a": TEXTS, "text_b": TEXTS[::-1]}
    predictor = make(ClassPredictor, ["no", "yes"])
    check_family(predictor, Examples(columns, targets=[0, 1, 0, 0, 1]), tmp_path)
    rows = predictor.rows(Examples(columns))
    expected = predictor.preprocessor((TEXTS, TEXTS[::-1]))
    inputs = rows.inputs(np.arange(len(TEXTS)))
    for name, tensor in expected.items():
        np.testing.assert_array_equal(inputs[name], tensor)


def test_several_labels(make, tmp_path):
    examples = Examples({"text": TEXTS}, targets=[[0, 2], [], [1], [0], [2]])
    predictor = make(LabelsPredictor, ["a", "b", "c"], threshold=0.3)
    answers = check_family(predictor, examples, tmp_path)
    for answer in answers:
        chosen = [name for name, share in answer["probabilities"].items() if share >= 0.3]
        assert answer["labels"] == chosen
    assert {len(answer["labels"]) for answer in answers} != {1}
    rows = predictor.rows(examples)
    flags = [[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]]
    np.testing.assert_array_equal(rows.targets, flags)


def test_numbers(make, tmp_path):
    examples = Examples({"text": TEXTS}, targets=[0.0, 1.5, -2.0, 3.0, 1.0])
    answers = check_family(make(ScorePredictor), examples, tmp_path)
    assert len({answer["score"] for answer in answers}) == len(TEXTS)
    model = BertClassifier.from_checkpoint(tmp_path / "model")
    assert (model.problem_type, model.num_classes) == ("regression", 1)


def test_an_option_of_another_family(make):
    with pytest.raises(InputError, match=r"must be among threshold. Received: stride"):
        make(LabelsPredictor, ["a"], stride=3)


def test_directories_of_other_software(make, tmp_path):
    """What transformers writes says the family by `architectures` and `problem_type`."""
    predictor = make(LabelsPredictor, ["a", "b"])
    predictor.model.task_specific_params = {}
    predictor.model.save_checkpoint(tmp_path, tokenizer=predictor.tokenizer)
    assert isinstance(load_predictor(tmp_path), LabelsPredictor)
    number = BertClassifier(predictor.model.config, num_classes=1)
    # One class is a number, as in transformers, where nothing else is said.
    number.save_checkpoint(tmp_path, tokenizer=predictor.tokenizer)
    assert json.loads((tmp_path / "config.json").read_text()).get("problem_type") is None
    assert isinstance(load_predictor(tmp_path), ScorePredictor)


def test_a_directory_that_is_no_task(make, tmp_path):
    predictor = make(ClassPredictor, ["no", "yes"])
    predictor.model.encoder.save_checkpoint(tmp_path, tokenizer=predictor.tokenizer)
    predictor.model.task_specific_params = {"keras_bert": {"family": "weather"}}
    predictor.model.save_checkpoint(tmp_path / "b", tokenizer=predictor.tokenizer)
    with pytest.raises(InputError, match="not a fine-tuned model"):
        load_predictor(tmp_path)
    with pytest.raises(InputError, match="'weather'"):
        load_predictor(tmp_path / "b")


def test_half_of_a_surrogate_pair_is_a_replacement_character(make):
    predictor = make(ClassPredictor, ["no", "yes"])
    odd, plain = predictor.predict(Examples({"text": ["the \ud800 dog", "the \ufffd dog"]}))
    assert odd == plain
