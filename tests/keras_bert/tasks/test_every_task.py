"""Every task, from its files to answers of a model that was saved and read again."""

import dataclasses

import pytest
import tensorflow as tf

from keras_bert.tasks.examples import Examples
from keras_bert.tasks.families import load_predictor
from keras_bert.tasks.registry import TASKS
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.training.example_batches import training_batches
from tests.conformance import assert_same_json
from tests.keras_bert.tasks.files import FILES, write_files


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """Making graphs would take most of the time."""
    monkeypatch.setattr(tf, "function", lambda function, **_: function)


def test_all_tasks_are_here():
    # The diagnostics of GLUE have no data to train on.
    assert set(FILES) == set(TASKS) - {"ax"}


@pytest.mark.parametrize("name", FILES)
def test_one_step(name, tmp_path, tiny_config, vocabulary):
    task, data = TASKS[name], str(tmp_path / "data")
    write_files(name, tmp_path / "data")
    labels = task.labels(data)
    train = task.read(data, "train", labels=labels)
    dev = task.read(data, task.dev_splits[0], labels=labels)

    config = dataclasses.replace(tiny_config, num_layers=1, max_sequence_length=80)
    options = {**task.family.defaults, **task.options}
    if "lstm_dim" in options:
        options["lstm_dim"] = 8
    model = task.family.model_class(config, **task.family.model_arguments(labels, options))
    tokenizer = BertTokenizer(vocabulary, sequence_length=80)
    predictor = task.family(model, tokenizer, **options)
    rows = predictor.rows(train)
    model.compile("adam", predictor.loss(), metrics=predictor.metrics(), run_eagerly=True)
    before = [variable.numpy() for variable in model.trainable_variables]
    strategy = tf.distribute.get_strategy()
    batch = next(iter(training_batches(rows, strategy, batch_size=len(rows), seed=0)))
    model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
    after = [variable.numpy() for variable in model.trainable_variables]
    assert any((one != other).any() for one, other in zip(before, after, strict=True))

    answers = predictor.predict(dev)
    scores = task.score(dev, answers, labels=labels)
    assert isinstance(scores[task.metric], float)
    assert scores == task.score(dev, answers, labels=labels)
    predictor.set_options(**task.tuned_options(dev, answers))
    answers = predictor.predict(Examples(dev.columns, ids=dev.ids))
    task.write_predictions(tmp_path / "predictions", dev, answers, labels=labels)
    assert (tmp_path / "predictions").stat().st_size > 0

    model.save_checkpoint(tmp_path / "model", tokenizer=tokenizer)
    loaded = load_predictor(tmp_path / "model")
    assert type(loaded) is task.family
    assert loaded.options == predictor.options
    assert_same_json(loaded.predict(Examples(dev.columns)), answers, 1e-5)
