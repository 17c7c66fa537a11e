import dataclasses
import signal

import pytest

from exports.__main__ import main
from keras_bert.models.classifier import BertClassifier
from keras_bert.text.tokenizer import BertTokenizer
from tests.exports.local_server import running, save_version

# Seconds for a test with its fixtures, of which the slowest exports a model on a busy machine.
_LONGEST = 400
_LONGEST_SLOW = 3600


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Ends a test that waits for a server, a process or a signal that never comes."""

    def end(*_):
        raise TimeoutError(f"{item.name} has not ended")

    earlier = signal.signal(signal.SIGALRM, end)
    signal.alarm(_LONGEST_SLOW if item.get_closest_marker("slow") else _LONGEST)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)


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
