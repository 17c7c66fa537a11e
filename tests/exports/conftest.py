import dataclasses

import pytest

from exports.__main__ import main
from keras_bert.models.classifier import BertClassifier
from keras_bert.text.tokenizer import BertTokenizer
from tests.exports.local_server import running, save_version


@pytest.fixture(scope="session")
def exported(tiny_config, vocabulary, tmp_path_factory):
    """A model directory, `model`, and its export, `out/1`. Not to be changed."""
    directory = tmp_path_factory.mktemp("export")
    # Weights large enough for different texts to have clearly different answers.
    config = dataclasses.replace(tiny_config, initializer_range=0.3)
    model = BertClassifier(config, labels=["no", "yes", "perhaps"])
    tokenizer = BertTokenizer(vocabulary, sequence_length=32)
    model.save_checkpoint(directory / "model", tokenizer=tokenizer)
    arguments = ["savedmodel", "--model", str(directory / "model")]
    assert main([*arguments, "--output", str(directory / "out")]) == 0
    return directory


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A directory with version 1 of a small model. Not to be changed."""
    directory = tmp_path_factory.mktemp("models")
    save_version(directory, 1)
    return directory


@pytest.fixture(scope="module")
def server(models):
    with running(models) as result:
        yield result
