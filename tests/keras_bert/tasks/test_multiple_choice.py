import dataclasses

import keras
import numpy as np
import pytest

from keras_bert.errors import InputError
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.families import load_predictor
from keras_bert.tasks.multiple_choice import ChoicePredictor
from keras_bert.tasks.rows import Rows
from keras_bert.text.tokenizer import BertTokenizer

CONTEXTS = ["the dog ran", "he was the first man", "my day"]
CHOICES = [["away", "down"], ["on the water . he", "in a", "not", "find"], ["a b c", "d", "e f"]]


@pytest.fixture
def predictor(tiny_config, vocabulary):
    keras.utils.set_random_seed(1)
    model = BertMultipleChoice(dataclasses.replace(tiny_config, num_layers=1, dropout=0.0))
    return ChoicePredictor(model, BertTokenizer(vocabulary, sequence_length=16))


def test_each_example_is_scored_as_its_choices_are_alone(predictor):
    examples = Examples({"context": CONTEXTS, "choices": CHOICES})
    single = Examples(
        {
            "context": [c for c, texts in zip(CONTEXTS, CHOICES, strict=True) for _ in texts],
            "choices": [[text] for texts in CHOICES for text in texts],
        }
    )
    logits = iter(np.concatenate(predictor.forward(predictor.rows(single))))
    for texts, answer in zip(CHOICES, predictor.predict(examples), strict=True):
        scores = np.array([next(logits) for _ in texts])
        shares = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(answer["probabilities"], shares, atol=1e-5)
        assert answer["choice"] == shares.argmax()
        assert answer["text"] == texts[answer["choice"]]


def test_the_context_is_cut_and_choices_stay_whole(predictor, vocabulary):
    examples = Examples({"context": ["dog " * 50], "choices": [["he ran away", "he"]]})
    rows = predictor.rows(examples)
    texts = [vocabulary.to_text(np.array(row)) for row in rows.features["token_ids"][0]]
    assert texts == [
        "[CLS] " + "dog " * 10 + "[SEP] he ran away [SEP]",
        "[CLS] " + "dog " * 12 + "[SEP] he [SEP]",
    ]
    assert [sum(row) for row in rows.features["segment_ids"][0].to_list()] == [4, 2]
    assert rows.lengths.tolist() == [16]


def test_a_step_of_training_and_the_way_to_disk(predictor, tmp_path):
    examples = Examples({"context": CONTEXTS, "choices": CHOICES}, targets=[1, 3, 0])
    model = predictor.model
    model.compile(keras.optimizers.Adam(1e-2), loss=predictor.loss(), metrics=predictor.metrics())
    rows = predictor.rows(examples)
    inputs, targets = rows.batch(np.array([2, 1]))
    assert inputs["token_ids"].shape == (2, 4, 16)
    assert targets.numpy().tolist() == [0, 3]
    first, last = (model.train_on_batch(inputs, targets, return_dict=True) for _ in range(2))
    assert last["loss"] < first["loss"]
    assert set(first) >= {"loss", "accuracy"}
    model.save_checkpoint(tmp_path, tokenizer=predictor.tokenizer)
    loaded = load_predictor(tmp_path)
    assert (loaded.name, loaded.sequence_length) == ("multiple_choice", 16)
    assert loaded.predict(examples) == predictor.predict(examples)


def test_directories_of_other_software(predictor, tmp_path):
    predictor.model.task_specific_params = {}
    predictor.model.save_checkpoint(tmp_path, tokenizer=predictor.tokenizer)
    assert isinstance(load_predictor(tmp_path), ChoicePredictor)


@pytest.mark.parametrize("choices", [[], "a", ["a", 1], None])
def test_wrong_choices(predictor, choices):
    with pytest.raises(InputError, match=r"`choices` must be a list .* Received: "):
        predictor.predict(Examples({"context": ["the dog"], "choices": [choices]}))


def test_memory_does_not_depend_on_the_number_of_choices(predictor, monkeypatch):
    sizes = []
    inputs = Rows.inputs

    def recorded(rows, indices):
        batch = inputs(rows, indices)
        sizes.append(batch["token_ids"].shape[:2])
        return batch

    monkeypatch.setattr(Rows, "inputs", recorded)
    choices = ["a dog", "the cat ran", "it"] * 20
    examples = Examples({"context": ["it was"], "choices": [choices]})
    (answer,) = predictor.predict(examples, batch_size=8)
    assert len(answer["probabilities"]) == 60
    np.testing.assert_allclose(answer["probabilities"][:3], answer["probabilities"][3:6], atol=1e-6)
    assert sum(batch for batch, _ in sizes) == 60
    assert all(batch <= 8 and choices == 1 for batch, choices in sizes)
