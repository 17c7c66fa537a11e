import random

import pytest

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
