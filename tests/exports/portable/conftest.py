import dataclasses

import pytest

from keras_bert.models.classifier import BertClassifier
from keras_bert.text.tokenizer import BertTokenizer


@pytest.fixture(scope="session")
def model_directory(tiny_config, vocabulary, tmp_path_factory):
    """A classifier's directory. Not to be changed."""
    directory = tmp_path_factory.mktemp("portable") / "model"
    config = dataclasses.replace(tiny_config, initializer_range=0.3)
    model = BertClassifier(config, labels=["no", "yes", "perhaps"])
    model.save_checkpoint(directory, tokenizer=BertTokenizer(vocabulary, sequence_length=32))
    return directory
