import re
import unicodedata

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_bert.errors import InputError
from keras_bert.text.character_rules import LATER_CHARACTERS
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.conformance import check_preprocessing
from tests.keras_bert.text.reference_tokenizer import tokenize, tokenize_with_offsets, words

PROBES = [
    "",
    " \t\n",
    "The unaffable dog, running away!",
    "UNAFFABLE Dog's",
    "Ünïcode résumé café É",
    "ß ﬁ ½ … ™ ① Ⅷ",
    "İstanbul ǅ ΣΑΣ",
    "你好dog你 好",
    "full－width ａｂｃ",
    "a\x00b c\u200bd e\u00adf g\ufffdh",
    "nbsp\u00a0space thin\u2009space line\u2028break",
    "[MASK] [SEP] [CLS] ##ing",
    "$ ^ ` ~ + = < > |",
    "«quotes» “quotes” – dash",
    "한국어",
    "👩‍💻 emoji",
    "e\u0301e\u0301 a\u200b\u0301b \u0301",
    "a" * 200,
    "a" * 201 + " the",
    "é" * 200 + " " + "é" * 201,
    "好" * 201,
    "😀" * 200 + "x",
]
# Python's tables know these by now, or will; the layer keeps to Unicode 14.
LATER = re.compile(
    "[" + re.sub(r"\\x\{(\w+)\}", lambda match: chr(int(match[1], 16)), LATER_CHARACTERS) + "]"
)
# What normalisation, splitting and the alignment of offsets look at.
CHARACTERS = st.one_of(
    st.sampled_from(
        "ab eEsS.,-'[]#\t\n\r\x00\x85\u00a0\u2028\u3000\u200d\u00ad\ufeff\ufffdßİıǅﬁ½…™①ΣσςéÉ\u0301"
        "\u0308\u0345你好㐀豈ａ－한글ᄒ가😀👩\U0001e943\U00010570\U000e0001"
    ),
    st.characters(max_codepoint=0x17F, exclude_categories=["Cs"]),
    st.characters(exclude_categories=["Cs", "Cn"]),
)
# Modifier letters of Unicode 14: a final sigma beside them is the one known difference.
MODIFIERS = re.compile("[\U00010780-\U000107ba\U0001aff0-\U0001affe]")
STRINGS = st.text(
    CHARACTERS.filter(lambda c: not LATER.match(c) and not MODIFIERS.match(c)), max_size=12
)


@pytest.fixture(scope="module", params=[True, False], ids=["uncased", "cased"])
def tokenizer(request, vocabulary):
    return BertTokenizer(vocabulary, lowercase=request.param)


def as_tokens(tokenizer, ids):
    return [tokenizer.vocabulary.tokens[i] for i in ids]


def assert_equals_reference(tokenizer, texts):
    """Ids, offsets and word ids of the layer against those of the reference."""
    known = frozenset(tokenizer.vocabulary.tokens)
    plain = tokenizer(texts).to_list()
    ids, starts, ends = tokenizer.tokenize_with_offsets(texts)
    numbers = tokenizer.word_ids(ids).to_list()
    rows = zip(texts, plain, ids.to_list(), starts.to_list(), ends.to_list(), numbers, strict=True)
    for text, row, row_ids, row_starts, row_ends, row_numbers in rows:
        assert row == row_ids
        spans = list(zip(as_tokens(tokenizer, row_ids), row_starts, row_ends, strict=True))
        assert spans == tokenize_with_offsets(text, known, tokenizer.lowercase), repr(text)
        assert len(set(row_numbers)) == len(words(text, tokenizer.lowercase))
        assert row_numbers == sorted(row_numbers)


def test_probes_equal_the_reference(tokenizer):
    assert_equals_reference(tokenizer, PROBES)


def assert_code_points_equal_the_reference(tokenizer, code_points):
    characters = (chr(code) for code in code_points if not 0xD800 <= code < 0xE000)
    assert_equals_reference(tokenizer, [f"a{c}b" for c in characters if not LATER.match(c)])


def test_code_points_equal_the_reference(tokenizer):
    assert_code_points_equal_the_reference(tokenizer, [*range(0x3100), *range(0x3100, 0x32000, 11)])


@pytest.mark.slow
def test_all_code_points_equal_the_reference(tokenizer):
    assert_code_points_equal_the_reference(tokenizer, range(0x110000))


@settings(max_examples=200, deadline=None)
@given(st.lists(STRINGS, min_size=1, max_size=20))
def test_any_strings_equal_the_reference(tokenizer, texts):
    assert_equals_reference(tokenizer, texts)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STRINGS, min_size=40, max_size=60))
def test_200_000_strings_equal_the_reference(tokenizer, texts):
    assert_equals_reference(tokenizer, texts)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=20), min_size=1, max_size=20))
def test_any_bytes_equal_the_reference(tokenizer, texts):
    known = frozenset(tokenizer.vocabulary.tokens)
    ids, starts, ends = tokenizer.tokenize_with_offsets(texts)
    surfaces = []
    for text, row, row_starts, row_ends in zip(
        texts, ids.to_list(), starts.to_list(), ends.to_list(), strict=True
    ):
        assert as_tokens(tokenizer, row) == tokenize(text, known, tokenizer.lowercase)
        surfaces += [text[i:j] for i, j in zip(row_starts, row_ends, strict=True)]
    # Each slice of the original bytes, invalid ones included, is one token again. (A piece inside
    # a word would be looked up differently on its own.)
    again = tokenizer(tf.constant(surfaces, tf.string)).to_list()
    for token_id, row in zip(ids.flat_values.numpy(), again, strict=True):
        token = tokenizer.vocabulary.tokens[token_id]
        if token != "[UNK]" and not token.startswith("##"):
            assert row == [token_id]


@pytest.mark.parametrize(
    "data", [b"\xff", b"a\x80b", b"\xc3", b"\xed\xa0\x80", "dog".encode("utf-16"), b"\xc0\xaf"]
)
def test_invalid_utf8_is_dropped(tokenizer, data):
    expected = tokenize(data, frozenset(tokenizer.vocabulary.tokens), tokenizer.lowercase)
    assert as_tokens(tokenizer, tokenizer(tf.constant(data)).numpy()) == expected


def test_shapes(tokenizer):
    the, dog = tokenizer.vocabulary.ids["the"], tokenizer.vocabulary.ids["dog"]
    assert tokenizer("the dog").numpy().tolist() == [the, dog]
    assert tokenizer(tf.constant([], tf.string)).to_list() == []
    assert tokenizer(["the", ""]).to_list() == [[the], []]
    assert tokenizer([["the", "dog"], ["", "the dog"]]).to_list() == [
        [[the], [dog]],
        [[], [the, dog]],
    ]
    ragged = tf.ragged.constant([["the"], [], ["dog", "the dog"]])
    assert tokenizer(ragged).to_list() == [[[the]], [], [[dog], [the, dog]]]
    assert tokenizer(tf.zeros([0, 3], tf.string)).shape[0] == 0
    assert tokenizer(["the"]).dtype == tf.int32
    assert tokenizer(np.array(["the"])).to_list() == [[the]]


@pytest.mark.parametrize("text", ["Café", "naïve Ångström", "각 한글", "Ελλάδα ά"])
def test_composed_and_decomposed_letters(text):
    """Uncased they are the same; cased they are other characters, as to the reference."""
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    letters = sorted({letter for form in forms for letter in (*form, *form.lower())} - {" "})
    pieces = [prefix + letter for letter in letters for prefix in ("", "##")]
    vocabulary = Vocabulary(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces))
    for lowercase in (True, False):
        composed, decomposed = BertTokenizer(vocabulary, lowercase=lowercase)(forms).to_list()
        assert (composed == decomposed) == lowercase
        assert vocabulary.ids["[UNK]"] not in composed + decomposed


def test_offsets_have_the_shape_of_the_ids(tokenizer):
    for text in (
        "the dog",
        [],
        ["the dog", ""],
        [["the"], ["dog"]],
        tf.ragged.constant([["a"], []]),
    ):
        text = tf.constant(text, tf.string) if isinstance(text, list) else text
        expected = tokenizer(text)
        for part in tokenizer.tokenize_with_offsets(text):
            tf.nest.assert_same_structure(part, tf.cast(expected, part.dtype))
            assert tf.size(part) == tf.size(expected)
        numbers = tokenizer.word_ids(expected)
        assert tf.size(numbers) == tf.size(expected)


def test_word_ids_of_a_dense_batch(tokenizer):
    ids = tokenizer(["unaffable dog", "the dog ran"]).to_tensor()
    words_of_rows = tokenizer.word_ids(ids).numpy()
    assert words_of_rows[:, 0].tolist() == [0, 0]
    assert words_of_rows[1, :3].tolist() == [0, 1, 2]


def test_special_tokens_in_text(vocabulary):
    tokenizer = BertTokenizer(vocabulary, special_tokens_in_text=True)
    plain = BertTokenizer(vocabulary)
    texts = ["the [MASK] ran[SEP]é", "", "[MASK]", "[mask] [MASK", "\xff[CLS][PAD][UNK] dog"]
    ids, starts, ends = tokenizer.tokenize_with_offsets(texts)
    assert tokenizer(texts).to_list() == ids.to_list()
    the, ran, mask = (vocabulary.ids[token] for token in ("the", "ran", "[MASK]"))
    accent = plain("é").numpy().tolist()
    assert ids.to_list()[:3] == [[the, mask, ran, vocabulary.end_id, *accent], [], [mask]]
    assert ids[3].numpy().tolist() == plain(texts[3]).numpy().tolist()
    assert starts[0].numpy().tolist() == [0, 4, 11, 14, 19]
    assert ends[0].numpy().tolist() == [3, 10, 14, 19, 21]
    data = texts[4].encode()
    surfaces = [data[i:j] for i, j in zip(starts[4].numpy(), ends[4].numpy(), strict=True)]
    assert surfaces[1:4] == [b"[CLS]", b"[PAD]", b"[UNK]"]
    assert mask not in plain(texts).flat_values
    check_preprocessing(tokenizer, tf.constant(texts))


def test_special_tokens_after_nul(vocabulary):
    tokenizer = BertTokenizer(vocabulary, special_tokens_in_text=True)
    ids, starts, ends = tokenizer.tokenize_with_offsets(["\x00the d\x00og[MASK]\x00 [MASK] ran"])
    tokens = [vocabulary.tokens[index] for index in ids.flat_values]
    assert tokens == ["the", "dog", "[MASK]", "[MASK]", "ran"]
    assert starts[0].numpy().tolist() == [1, 5, 9, 17, 24]
    assert ends[0].numpy().tolist() == [4, 9, 15, 23, 27]


@pytest.mark.parametrize("count", [1, 3, 10])
def test_first_tokens_are_those_of_the_whole_string(tokenizer, count):
    texts = [
        *PROBES,
        "the dog ran. " * 50,
        "unaffable" * 50,
        "你好" * 50,
        "the\n" + "a" * 300 + " the",
        " " * 300 + "the dog",
        "\u0301".join("abcdefghij" * 20),
    ]
    expected = [row[:count] for row in tokenizer(texts).to_list()]
    assert tokenizer.first_tokens(tf.constant(texts), count).to_list() == expected


@pytest.mark.parametrize(("unit", "tokens"), [("the dog ", 2), ("a", 0), ("é好", 2)])
def test_strings_of_10_megabytes(tokenizer, unit, tokens):
    times = 10_000_000 // len(unit.encode())
    ids = tokenizer(unit * times).numpy()
    # One word of 10 million letters is one [UNK].
    assert len(ids) == (tokens * times or 1)
    first = tokenizer.first_tokens(tf.constant([unit * times, "the"]), 8)
    assert first[0].numpy().tolist() == ids[:8].tolist()
    assert first.nrows() == 2


def test_a_vocabulary_without_words_is_refused():
    with pytest.raises(InputError, match="cannot tokenize with these tokens"):
        BertTokenizer(SPECIAL_TOKENS)


def test_conformance(tokenizer):
    check_preprocessing(tokenizer, tf.constant(["The dog ran.", "", "unaffable é"]))


def test_assets_round_trip(tokenizer, tmp_path):
    tokenizer.save_assets(tmp_path)
    loaded = BertTokenizer.from_checkpoint(tmp_path)
    assert loaded.get_config()["vocabulary"] == tokenizer.get_config()["vocabulary"]
    assert loaded.lowercase == tokenizer.lowercase


def test_a_long_text_with_a_long_word_takes_memory_in_proportion(vocabulary):
    # A copy of the text for each word would take 30 GB.
    ids = BertTokenizer(vocabulary)(["the dog " * 50_000 + "x" * 201])
    tokens = np.array(BertTokenizer(vocabulary).vocabulary.tokens)[ids[0].numpy()]
    assert tokens.tolist() == ["the", "dog"] * 50_000 + ["[UNK]"]
