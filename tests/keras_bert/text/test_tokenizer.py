import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert.text.tokenizer import BertTokenizer
from tests.conformance import check_preprocessing
from tests.keras_bert.text.reference_tokenizer import tokenize

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
    "a" * 200,
    "a" * 201,
]


@pytest.fixture(scope="module", params=[True, False], ids=["uncased", "cased"])
def tokenizer(request, vocabulary):
    return BertTokenizer(vocabulary, lowercase=request.param)


def as_tokens(tokenizer, ids):
    return [tokenizer.vocabulary.tokens[i] for i in ids]


@pytest.mark.parametrize("text", PROBES, ids=range(len(PROBES)))
def test_probes_equal_the_reference(tokenizer, text):
    expected = tokenize(text, set(tokenizer.vocabulary.tokens), tokenizer.lowercase)
    assert as_tokens(tokenizer, tokenizer(text).numpy()) == expected


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.text(st.characters(max_codepoint=0x2FF) | st.sampled_from("a e s 你 ! [ ] ' é \u0301")),
        min_size=1,
        max_size=4,
    )
)
def test_any_latin_text_equals_the_reference(tokenizer, texts):
    known = set(tokenizer.vocabulary.tokens)
    for text, ids in zip(texts, tokenizer(texts).to_list(), strict=True):
        assert as_tokens(tokenizer, ids) == tokenize(text, known, tokenizer.lowercase)


@pytest.mark.parametrize(
    "data", [b"\xff", b"a\x80b", b"\xc3", b"\xed\xa0\x80", "dog".encode("utf-16"), b"\xc0\xaf"]
)
def test_invalid_utf8_is_dropped(tokenizer, data):
    expected = tokenize(data, set(tokenizer.vocabulary.tokens), tokenizer.lowercase)
    assert as_tokens(tokenizer, tokenizer(tf.constant(data)).numpy()) == expected


def test_shapes(tokenizer):
    assert tokenizer("the dog").shape == (2,)
    assert tokenizer(tf.constant([], tf.string)).shape[0] == 0
    assert tokenizer(["the", ""]).to_list() == [[tokenizer.vocabulary.ids["the"]], []]
    assert tokenizer(["the"]).dtype == tf.int32
    np.testing.assert_array_equal(tokenizer(np.array(["the"])).numpy(), tokenizer(["the"]).numpy())


def test_conformance(tokenizer):
    check_preprocessing(tokenizer, tf.constant(["The dog ran.", "", "unaffable é"]))


def test_assets_round_trip(tokenizer, tmp_path):
    tokenizer.save_assets(tmp_path)
    loaded = BertTokenizer.from_checkpoint(tmp_path)
    assert loaded.get_config()["vocabulary"] == tokenizer.get_config()["vocabulary"]
    assert loaded.lowercase == tokenizer.lowercase
