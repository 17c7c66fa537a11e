"""Options and added tokens of `BertTokenizer` against Hugging Face's tokenizers."""

import itertools
import unicodedata

import pytest
import tensorflow as tf
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import models, normalizers, pre_tokenizers

from exports.fresh_process import operations
from exports.operations import REFUSED_OPERATIONS, SERVED_TEXT_OPERATIONS
from keras_bert.errors import InputError
from keras_bert.text.added_tokens import AddedToken
from keras_bert.text.character_rules import CHARACTER_RULES
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import SPECIAL_TOKENS
from tests.conformance import check_preprocessing

PIECES = """the do ##g ##s covid été ete ÉTÉ 你 好 ##好 x straße strasse ß é e a b ##a ##b ##e foo
bar ##bar ##foo , - [ ] σ ς ##σ ##ς ο ı i I ##i c ##c A F ##O ##o"""
TOKENS = (*SPECIAL_TOKENS, *PIECES.split())
TEXTS = [
    "",
    "Straße STRASSE été ÉTÉ e\u0301te\u0301 İıI ΣΑΣ ος",
    "foo bar foo  bar foo\tbar FOO BAR foobar",
    "a你好b 㐀x好好 \U0002b820x",
    "covid-19 COVID-19, covid-19x xcovid-19",
    "[E1]the[E1] [e1] the [E1] .",
    "a\x00b\u00adc\ue000d\u200de \u2028 \u3000x\x0cy",
    "e\u1734\u0345 \u0301x",
    "the" + "a" * 120 + " x",
]
CHARACTERS = st.one_of(
    st.sampled_from(
        "abeEéÉßσΣς你好 \t\n,.-[]\u0301\u00a0\u2028\u3000İıI'_xF\ue000\u200d\u1734\x0c\x00"
    ),
    st.sampled_from(["foo", "foo bar", "the", "covid-19", "Été", "[E1]", "FOO"]),
    st.characters(exclude_categories=["Cs", "Cn"]),
)
STRINGS = st.lists(st.lists(CHARACTERS, max_size=10).map("".join), min_size=1, max_size=25)
FLAGS = st.fixed_dictionaries(
    dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), st.booleans())
)
CONTENTS = ["foo bar", "foo", "Été", "covid-19", "[E1]", "你好", "好", "e", "x ", " x", "b_"]


def peer_of(added=(), *, lowercase=True, strip_accents=None, chinese=True, longest=100):
    """The tokenizer of Hugging Face with the same settings."""
    ids = {token: index for index, token in enumerate(TOKENS)}
    peer = tokenizers.Tokenizer(
        models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=longest)
    )
    peer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=chinese,
        strip_accents=strip_accents,
        lowercase=lowercase,
    )
    peer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    for token in added:
        flags = {name: getattr(token, name) for name in ("single_word", "lstrip", "rstrip")}
        flags |= {"normalized": token.normalized, "special": token.special}
        add = peer.add_special_tokens if token.special else peer.add_tokens
        add([tokenizers.AddedToken(token.content, **flags)])
    return peer


def assert_equals(tokenizer, peer, texts):
    ids, starts, ends = (part.to_list() for part in tokenizer.tokenize_with_offsets(texts))
    assert tokenizer(texts).to_list() == ids
    for text, *row in zip(texts, ids, starts, ends, strict=True):
        expected = peer.encode(text, add_special_tokens=False)
        assert row[0] == expected.ids, repr(text)
        for (first, last), start, end in zip(expected.offsets, *row[1:], strict=True):
            assert start == len(text[:first].encode())
            # An accent that was stripped belongs to the token before it.
            further = text.encode()[len(text[:last].encode()) : end].decode()
            assert all(unicodedata.category(c) in ("Mn", "Mc") for c in further)


OPTIONS = list(itertools.product([True, False], [None, True, False], [True, False]))


@pytest.fixture(scope="module")
def plain():
    """Each combination of options: our tokenizer and the peer."""
    return {
        (lowercase, accents, chinese): (
            BertTokenizer(
                TOKENS,
                lowercase=lowercase,
                strip_accents=accents,
                tokenize_chinese_chars=chinese,
                character_rules="tokenizers",
            ),
            peer_of(lowercase=lowercase, strip_accents=accents, chinese=chinese),
        )
        for lowercase, accents, chinese in OPTIONS
    }


@pytest.mark.parametrize("options", OPTIONS)
def test_options_equal_tokenizers(plain, options):
    assert_equals(*plain[options], TEXTS)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(OPTIONS), STRINGS)
def test_any_strings_equal_tokenizers(plain, options, texts):
    assert_equals(*plain[options], texts)


def test_all_characters_equal_tokenizers(plain):
    codes = [*range(0x3100), *range(0x3100, 0x32000, 37), *range(0xE0000, 0x110000, 4099)]
    texts = [f"a{chr(code)}b" for code in codes if not 0xD800 <= code < 0xE000]
    for options in ((True, None, True), (False, True, False)):
        tokenizer, peer = plain[options]
        rows = peer.encode_batch(texts, add_special_tokens=False)
        assert tokenizer(texts).to_list() == [row.ids for row in rows]


TABLE = [
    [AddedToken("foo bar")],
    [AddedToken("FOO Bar", normalized=False)],
    [AddedToken("foo", single_word=True), AddedToken("foo bar", rstrip=True)],
    [AddedToken("[E1]", special=True, normalized=False, lstrip=True, rstrip=True)],
    [AddedToken("covid-19", single_word=True), AddedToken("covid")],
    [AddedToken("你好"), AddedToken("好", normalized=False, single_word=True)],
    [AddedToken("Été"), AddedToken("ÉTÉ", normalized=False)],
    [AddedToken("x", lstrip=True), AddedToken(" x", normalized=False)],
    [AddedToken("straße"), AddedToken("b_"), AddedToken("##g")],
]


@pytest.mark.parametrize("added", TABLE)
@pytest.mark.parametrize("options", [(True, None, True), (True, False, False), (False, None, True)])
def test_added_tokens_equal_tokenizers(added, options):
    lowercase, accents, chinese = options
    tokenizer = BertTokenizer(
        TOKENS,
        lowercase=lowercase,
        strip_accents=accents,
        tokenize_chinese_chars=chinese,
        added_tokens=added,
        character_rules="tokenizers",
    )
    peer = peer_of(added, lowercase=lowercase, strip_accents=accents, chinese=chinese)
    assert_equals(tokenizer, peer, TEXTS)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(CONTENTS), FLAGS), max_size=4, unique_by=lambda t: t[0]),
    st.sampled_from(OPTIONS),
    STRINGS,
)
def test_any_added_tokens_equal_tokenizers(tokens, options, texts):
    lowercase, accents, chinese = options
    added = [AddedToken(content, **flags) for content, flags in tokens]
    tokenizer = BertTokenizer(
        TOKENS,
        lowercase=lowercase,
        strip_accents=accents,
        tokenize_chinese_chars=chinese,
        added_tokens=added,
        character_rules="tokenizers",
    )
    peer = peer_of(added, lowercase=lowercase, strip_accents=accents, chinese=chinese)
    assert_equals(tokenizer, peer, texts)


def test_words_of_other_lengths_are_unknown():
    for longest in (1, 3, 100, 2000):
        tokenizer = BertTokenizer(
            TOKENS, max_input_chars_per_word=longest, character_rules="tokenizers"
        )
        texts = ["a", "aaa", "aaaa the", "a" * 100, "a" * 101, "a" * 2000, "é" * 2001]
        assert_equals(tokenizer, peer_of(longest=longest), texts)


def test_the_rules_follow_from_the_options():
    assert BertTokenizer(TOKENS).character_rules == "bert"
    assert BertTokenizer(TOKENS, lowercase=False).character_rules == "bert"
    assert BertTokenizer(TOKENS, strip_accents=False).character_rules == "tokenizers"
    assert BertTokenizer(TOKENS, tokenize_chinese_chars=False).max_input_chars_per_word == 100
    # The reference knows the final sigma, tokenizers does not.
    text = "Σς ΣΣ"
    names = {}
    for rules in CHARACTER_RULES:
        tokenizer = BertTokenizer(TOKENS, character_rules=rules)
        names[rules] = [tokenizer.vocabulary.tokens[i] for i in tokenizer(text).numpy()]
    assert names["bert"] == ["σ", "##ς", "σ", "##ς"]
    assert names["tokenizers"] == ["σ", "##ς", "σ", "##σ"]


def test_new_tokens_follow_the_old_ones():
    old = BertTokenizer(TOKENS, lowercase=True, sequence_length=64)
    new = old.add_tokens(["covid-19", "the", AddedToken("[E1]", normalized=False, special=True)])
    size = len(TOKENS)
    assert len(old.vocabulary) == size
    assert new.vocabulary.tokens == (*TOKENS, "covid-19", "[E1]")
    assert new.sequence_length == 64
    assert new("COVID-19 thes[E1]").numpy().tolist() == [
        size,
        TOKENS.index("the"),
        TOKENS.index("[UNK]"),
        size + 1,
    ]
    assert len(old("covid-19").numpy()) == 3
    assert new.word_pieces.tokens == TOKENS
    again = new.add_tokens(["[E2]", "covid-19"])
    assert again.vocabulary.tokens == (*new.vocabulary.tokens, "[E2]")


def test_special_tokens_stay_plain_text_unless_asked_for():
    tokenizer = BertTokenizer(TOKENS, added_tokens=[AddedToken("[MASK]", lstrip=True)])
    assert tokenizer.vocabulary.mask_id not in tokenizer("the [MASK]").numpy()
    asked = tokenizer.with_options(special_tokens_in_text=True)
    ids, starts, ends = asked.tokenize_with_offsets("the  [MASK]")
    assert ids.numpy().tolist() == [TOKENS.index("the"), 4]
    assert (starts.numpy().tolist(), ends.numpy().tolist()) == ([0, 3], [3, 11])


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ("covid", "`tokens`"),
        (7, "`tokens`"),
        ([""], "content=''"),
        (["a\nb"], "content"),
        ([5], "content=5"),
        ([None], "content=None"),
        (["\u200d"], "normalized=False"),
        (["iPhone", "IPHONE"], "content='IPHONE'"),
        ([{"content": "a", "lstrip": 1}], "lstrip"),
    ],
)
def test_what_is_no_token_is_refused(tokens, message):
    with pytest.raises(InputError, match=message):
        BertTokenizer(TOKENS).add_tokens(tokens)


@pytest.mark.parametrize(
    "options",
    [
        {"strip_accents": 1},
        {"lowercase": "yes"},
        {"tokenize_chinese_chars": None},
        {"max_input_chars_per_word": 0},
        {"max_input_chars_per_word": True},
        {"character_rules": "java"},
    ],
)
def test_arguments_are_checked(options):
    with pytest.raises(InputError, match=next(iter(options))):
        BertTokenizer(TOKENS, **options)


def full_tokenizer():
    return BertTokenizer(
        TOKENS,
        strip_accents=False,
        tokenize_chinese_chars=False,
        added_tokens=[AddedToken("foo bar"), AddedToken("Été", normalized=False, single_word=True)],
    )


def test_conformance():
    # Configuration, graph, tf.data and export.
    check_preprocessing(full_tokenizer(), tf.constant(TEXTS))


def test_an_export_holds_what_tensorflow_serving_has(tmp_path):
    module, tokenizer = tf.Module(), full_tokenizer()
    module.tokenize = tf.function(
        lambda text: [part.to_tensor(-1) for part in tokenizer.tokenize_with_offsets(text)],
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(module, tmp_path)
    names = operations(str(tmp_path))
    assert {name for name in names if not hasattr(tf.raw_ops, name)} <= SERVED_TEXT_OPERATIONS
    # A table would have to be initialised by whoever loads the graph.
    assert not [name for name in names if "HashTable" in name or name in REFUSED_OPERATIONS]
    # Held by its name: its variables live as long as it does.
    module = tf.saved_model.load(tmp_path)
    loaded = module.tokenize(tf.constant(TEXTS))
    for part, expected in zip(loaded, tokenizer.tokenize_with_offsets(TEXTS), strict=True):
        assert part.numpy().tolist() == expected.to_tensor(-1).numpy().tolist()


@pytest.mark.parametrize("count", [1, 2, 7])
def test_first_tokens_are_those_of_the_whole_string(count):
    texts = [
        *TEXTS,
        "the foo bar " * 30,
        "foo   bar x" * 30,
        "你好" * 60,
        "好x " * 60,
        "ab\x0c" * 40 + " x",
        "x" * 30 + "  foo" * 30,
        *("a" * length + "é" * 9 + " x" * 90 for length in range(9)),
    ]
    for tokenizer in (
        full_tokenizer(),
        BertTokenizer(TOKENS, added_tokens=["foo", "covid"]),
        BertTokenizer(TOKENS, added_tokens=["好x", AddedToken("foo", lstrip=True)]),
        BertTokenizer(TOKENS, tokenize_chinese_chars=False),
        BertTokenizer(TOKENS),
    ):
        expected = [row[:count] for row in tokenizer(texts).to_list()]
        assert tokenizer.first_tokens(tf.constant(texts), count).to_list() == expected


def test_thousands_of_added_tokens():
    words = [f"word{number}" for number in range(3000)]
    tokenizer = BertTokenizer(TOKENS).add_tokens(words)
    ids = tokenizer(["word2999 the WORD17 word1"]).to_list()[0]
    first = len(TOKENS)
    assert ids == [first + 2999, TOKENS.index("the"), first + 17, first + 1]
