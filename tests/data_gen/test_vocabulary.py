import base64
import random
import subprocess
import sys
import time
import unicodedata

import numpy as np
import pytest
import tensorflow as tf

from data_gen.vocabulary import learn_vocabulary
from data_gen.words import WordCounter
from keras_bert.errors import InputError
from keras_bert.text.character_rules import rules_of
from keras_bert.text.normalization import Normalizer
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from keras_bert.text.word_pieces import split_normalized

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
    monkeypatch.setattr("data_gen.words._HELD_CHARACTERS", 1)
    monkeypatch.setattr("data_gen.words._BATCH_CHARACTERS", 1)
    assert learn_vocabulary(texts, size=60) == expected


LETTERS = "etaoinshrdlu"
BLOBS = {
    "just too long": "x" * 201,
    "letters": "".join(random.Random(1).choices("abcdefghijklmnop", k=30_000)),
    "encoded": base64.b64encode(random.Random(2).randbytes(3000), b"Az").decode().rstrip("="),
    "capitals and digits": "Q7" * 400,
    "composed letters": "\u00c9" * 300,
    "Thai": "\u0e01\u0e02\u0e04\u0e07" * 80,
    "Hangul": "\ud55c\uad6d\uc5b4" * 100,
    "astral letters": "\U00010400" * 250,
    "inner controls": "x\u00ad\x00" * 300,
}


@pytest.mark.parametrize("lowercase", [True, False], ids=["uncased", "cased"])
def test_words_that_the_tokenizer_does_not_know_change_nothing(lowercase):
    rng = random.Random(0)
    text = [" ".join("".join(rng.choices(LETTERS, k=5)) for _ in range(2000)) + " 你好! Caf\u00e9"]
    options = {"size": 600, "lowercase": lowercase}
    expected = learn_vocabulary(text, **options)
    for name, blob in BLOBS.items():
        # By itself, in a sentence, and beside what is split off.
        more = [blob, f"the {blob} dog", f"({blob}),你{blob}"]
        plain = [part.replace(blob, " ") for part in more]
        found = learn_vocabulary([*more, *text], **options)
        assert found == learn_vocabulary([*plain, *text], **options), name
        unknown = BertTokenizer(expected, lowercase=lowercase)(blob).numpy().tolist()
        assert unknown == [expected.unknown_id], name


def test_the_longest_word_that_the_tokenizer_knows_is_learned():
    tokens = learn_vocabulary(["q" * 200, "ab ab"], size=100).tokens
    assert {"q", "##q"} <= set(tokens)
    assert "q" not in learn_vocabulary(["q" * 201, "ab ab"], size=100).tokens
    # Characters count as they are after normalisation.
    assert "e" in learn_vocabulary(["e\u0301" * 200, "ab ab"], size=100).tokens
    with pytest.raises(InputError, match="no words of at most 200 characters"):
        learn_vocabulary(["q" * 300], size=100)


@pytest.mark.parametrize("lowercase", [True, False], ids=["uncased", "cased"])
def test_every_character_is_split_as_the_tokenizer_splits_it(lowercase):
    # A word that is none of the vocabulary is one token.
    tokenizer = BertTokenizer(Vocabulary((*SPECIAL_TOKENS, "the")), lowercase=lowercase)
    kinds = ("Cn", "Cs", "Co")
    characters = [chr(code) for code in range(0x110000)]
    characters = [c for c in characters if unicodedata.category(c) not in kinds]
    texts = tf.constant([f"a{character}b" for character in characters])
    expected = tokenizer(texts).row_lengths().numpy()
    normal = Normalizer(lowercase)(texts)
    words, _ = split_normalized(normal, rules_of("bert"))
    different = np.flatnonzero(words.row_lengths().numpy() != expected)
    assert not [characters[place] for place in different]
    # And no words but these reach the learner.
    counter = WordCounter(lowercase)
    counter.add(f"a{character}b" for character in characters)
    assert counter.counts.total() == expected.sum()


HOSTILE = {
    "one run of letters": lambda size: "".join(random.Random(1).choices("abcdefgh", k=size)),
    "marks out of order": lambda size: "a" + "\u0301\u0323" * (size // 4),
    "punctuation": lambda size: "!" * size,
    "Chinese": lambda size: "".join(random.Random(1).choices("的一是不了人我在有他", k=size // 3)),
    "Thai": lambda size: "".join(random.Random(1).choices("กขคงจฉชซญด", k=size // 3)),
    "words of 200": lambda size: ("abcdefghij" * 20 + " ") * (size // 201),
}


@pytest.mark.parametrize("lowercase", [True, False], ids=["uncased", "cased"])
def test_time_grows_with_the_text_whatever_it_is(lowercase):
    size = 200_000

    def seconds(text):
        begin = time.perf_counter()
        learn_vocabulary([text, "the dog and the cat"], size=500, lowercase=lowercase)
        return time.perf_counter() - begin

    rng = random.Random(0)
    plain = " ".join("".join(rng.choices(LETTERS, k=rng.randint(1, 8))) for _ in range(size // 5))
    usual = max(seconds(plain), seconds(plain))
    for name, make in HOSTILE.items():
        assert seconds(make(size)) < 5 * usual + 1, name


def test_words_in_memory_are_bounded(monkeypatch):
    monkeypatch.setattr("data_gen.words.MOST_WORDS", 100)
    rng = random.Random(0)
    counter = WordCounter(lowercase=True)
    for _ in range(20):
        rare = ["".join(rng.choices(LETTERS, k=12)) for _ in range(90)]
        counter.add([" ".join([*rare, *["often"] * 10])])
        assert len(counter.counts) <= 100
    assert counter.counts["often"] == 200
