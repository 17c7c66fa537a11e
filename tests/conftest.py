import gc
import signal

import numpy as np
import pytest

from keras_bert.config import BertConfig
from keras_bert.text.vocabulary import Vocabulary
from tests import memory

_TEXT = """the a of to and in is it was he for on are with they be at this have from or one had by
word but not what all were we when your can said there use an each which she do how their if will
up other about out many then them these so some her would make like him into time has look two
more write go see number no way could people my than first water been call who oil its now find
long down day did get come made may part cat dog ran away un able aff able. , . ! ? ' - [ ]
mask 1 2 3"""
WORDS = _TEXT.split()

# Files of few tests that take minutes. A file belongs to one process as a whole; were these the
# last ones, the other process would wait for them.
_FIRST = ("test_backends.py", "test_readme.py", "test_commands.py")


# Seconds for a test with its fixtures, on a busy machine.
_LONGEST = 900
_LONGEST_SLOW = 3600


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item):
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {name: rank for rank, name in enumerate(_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


def pytest_configure() -> None:
    memory.bound_arenas()


def pytest_collection_finish() -> None:
    # What modules hold stays to the end: no collection need look at it again.
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def bounded_memory(request: pytest.FixtureRequest):
    """Gives memory back after each file, and fails where a file took too much."""
    memory.begin_measuring()
    yield
    peak = memory.peak_mebibytes()
    memory.release()
    memory.check_peak(request.path.name, peak)


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    pieces = ["##s", "##ed", "##ing", "##able", "##ly", "é", "e", "##é", "你", "好", "ß"]
    letters = [prefix + letter for letter in "abcdefghijklmnopqrstuvwxyz" for prefix in ("", "##")]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *pieces, *letters]
    return Vocabulary(tuple(dict.fromkeys(tokens)))


@pytest.fixture(scope="session")
def tiny_config(vocabulary) -> BertConfig:
    return BertConfig(
        vocabulary_size=len(vocabulary),
        num_layers=2,
        hidden_dim=32,
        num_heads=2,
        intermediate_dim=64,
        max_sequence_length=64,
    )


def _features(vocabulary, lengths) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    padding_mask = np.arange(9) < np.array(lengths)[..., np.newaxis]
    token_ids = random.integers(5, len(vocabulary), padding_mask.shape) * padding_mask
    return {
        "token_ids": token_ids.astype("int32"),
        "segment_ids": ((np.arange(9) >= 4) & padding_mask).astype("int32"),
        "padding_mask": padding_mask,
    }


@pytest.fixture
def features(vocabulary) -> dict[str, np.ndarray]:
    """Two rows of 9 tokens, the second padded."""
    return _features(vocabulary, [9, 6])


@pytest.fixture
def choice_features(vocabulary) -> dict[str, np.ndarray]:
    """Two rows of three choices, each of 9 tokens, some padded."""
    return _features(vocabulary, [[9, 6, 4], [7, 9, 3]])


@pytest.fixture
def pretraining_features(features) -> dict[str, np.ndarray]:
    return {**features, "masked_positions": np.array([[1, 5, 8], [2, 0, 0]], "int32")}
