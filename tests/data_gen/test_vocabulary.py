import random
import subprocess
import sys

import pytest

from data_gen.vocabulary import learn_vocabulary
from keras_bert.errors import InputError
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import SPECIAL_TOKENS

TEXT = [
    "The lower, the LOWEST; new newer newest!",
    "Café au lait, naïve.",
    "你好 world\u00ad[MASK]",
]

# Many pairs of letters are equally frequent here: only a fixed order of ties gives one result.
_LEARN = """
import random
from data_gen.vocabulary import learn_vocabulary
rng = random.Random(1)
words = ["".join(rng.choices("abcdefgh", k=rng.randint(1, 8))) for _ in range(1500)]
print(*learn_vocabulary([" ".join(words)], size=700).tokens)
"""


def test_special_tokens_come_first_and_text_is_covered():
    vocabulary = learn_vocabulary(TEXT, size=200)
    assert vocabulary.tokens[:5] == SPECIAL_TOKENS
    assert vocabulary.pad_id == 0
    ids = BertTokenizer(vocabulary, lowercase=True)(TEXT).flat_values.numpy()
    assert vocabulary.unknown_id not in ids


def test_words_are_split_as_the_tokenizer_splits_them():
    tokens = learn_vocabulary(TEXT, size=200, minimum_frequency=1).tokens
    assert {"cafe", "naive", "你", "好", "mask", "world"} <= set(tokens)
    assert not any("你好" in token or token != token.lower() for token in tokens[5:])


def test_cased_keeps_capitals_and_accents():
    tokens = learn_vocabulary(TEXT, size=200, lowercase=False, minimum_frequency=1).tokens
    assert {"Café", "LOWEST", "naïve"} <= set(tokens)


def test_size_and_minimum_frequency_bound_the_vocabulary():
    words = ["lowest lower low"] * 3 + ["rarity"]
    assert "rarity" not in learn_vocabulary(words, size=200).tokens
    assert len(learn_vocabulary(words, size=25)) == 25


def test_size_below_the_alphabet():
    with pytest.raises(InputError, match=r"at least 13, .* Received: 12"):
        learn_vocabulary(["abcd dcba b"], size=12)
    # Five special tokens, four letters, and each of those inside a word too.
    assert len(learn_vocabulary(["abcd dcba b"], size=13)) == 13


def test_rare_characters_are_left_out():
    vocabulary = learn_vocabulary(["aab aab x"], size=50, characters=2)
    assert set("".join(vocabulary.tokens[5:])) == set("ab#")


def test_ties_do_not_depend_on_the_process():
    other = subprocess.run(
        [sys.executable, "-c", _LEARN], capture_output=True, text=True, check=True
    )
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefgh", k=rng.randint(1, 8))) for _ in range(1500)]
    here = learn_vocabulary([" ".join(words)], size=700).tokens
    assert other.stdout.split() == list(here)


def test_text_without_spaces_is_not_kept_in_memory(monkeypatch):
    texts = ["你好你好 the dog", "你好", "the dogs", "他说 the"] * 3
    expected = learn_vocabulary(texts, size=60)
    monkeypatch.setattr("data_gen.vocabulary._SPACED_TEXTS", 1)
    assert learn_vocabulary(texts, size=60) == expected
