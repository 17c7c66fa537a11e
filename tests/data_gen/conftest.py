import random

import pytest

from data_gen.engine import generate
from data_gen.options import PretrainingDataOptions
from tests.conftest import WORDS


@pytest.fixture
def corpus(tmp_path):
    """A file of 60 documents, each of 4 paragraphs of 3 sentences."""
    rng = random.Random(0)

    def sentence():
        return " ".join(rng.choices(WORDS[:80], k=rng.randint(3, 9))).capitalize() + "."

    def document():
        return "\n".join(" ".join(sentence() for _ in range(3)) for _ in range(4))

    path = tmp_path / "corpus.txt"
    path.write_text("\n\n".join(document() for _ in range(60)) + "\n")
    return path


@pytest.fixture
def vocabulary_file(vocabulary, tmp_path):
    vocabulary.save(tmp_path / "vocab.txt")
    return tmp_path / "vocab.txt"


@pytest.fixture
def make_shards(corpus, vocabulary_file, tmp_path):
    """Makes a shard directory of the corpus and returns it."""

    def make(output="shards", **changes):
        values = {"sequence_length": 32, "partition_bytes": 4000, **changes}
        path = tmp_path / output
        generate(PretrainingDataOptions(str(corpus), str(vocabulary_file), str(path), **values))
        return path

    return make
