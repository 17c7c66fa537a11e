import itertools
import pickle
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_gen import units
from data_gen.documents import Document
from data_gen.lexicon import Lexicon
from data_gen.sentences import split_sentences
from data_gen.tokenization import tokenize_documents
from keras_bert.errors import InputError
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import SPECIAL_TOKENS, Vocabulary

CHINESE = "我爱北京天安门他说你好世界。！，"


@pytest.fixture(scope="module")
def tokenizer(vocabulary):
    tokens = dict.fromkeys((*vocabulary.tokens, *CHINESE, "cafe", "new", "york"))
    return BertTokenizer(Vocabulary(tuple(tokens)), lowercase=True)


def unit_strings(tokenizer, tokenized):
    """Returns the units, sentence by sentence, each as its tokens."""
    pieces = [tokenizer.vocabulary.tokens[token_id] for token_id in tokenized.token_ids]
    result = []
    for start, end in itertools.pairwise(tokenized.sentence_starts):
        sentence = []
        for index in range(start, end):
            if tokenized.unit_starts[index]:
                sentence.append(pieces[index])
            else:
                sentence[-1] += f" {pieces[index]}"
        result.append(sentence)
    return result


def given_units(tokenizer, text, *found, **kwargs):
    """Tokenizes one paragraph with the named parts of it as units."""
    spans, end = [], 0
    for part in found:
        start = text.index(part, end)
        end = start + len(part)
        spans.append((start, end))
    document = Document([text], [spans])
    tokenized = tokenize_documents([document], tokenizer, "en", segmentation="given", **kwargs)
    assert tokenized.unit_starts.dtype == bool
    assert tokenized.unit_starts.shape == tokenized.token_ids.shape
    return unit_strings(tokenizer, tokenized)


def test_sentences_and_documents(tokenizer):
    documents = [
        Document(["It is here. It ran.", "\u200b"]),
        Document(["\x00"]),
        Document(["你好。我爱你！"]),
    ]
    tokenized = tokenize_documents(documents, tokenizer, "en")
    assert len(tokenized) == 2
    assert tokenized.document_starts.tolist() == [0, 2, 4]
    assert tokenized.token_ids.dtype == np.int32
    assert tokenized.unit_starts is None
    expected = tokenizer(["It is here.", "It ran.", "你好。", "我爱你！"])
    assert tokenized.token_ids.tolist() == expected.flat_values.numpy().tolist()
    assert np.diff(tokenized.sentence_starts).tolist() == expected.row_lengths().numpy().tolist()


def test_lines_that_are_sentences(tokenizer):
    document = Document(["It is here. It ran.", "Go!"])
    tokenized = tokenize_documents([document], tokenizer, "en", split=False)
    assert len(tokenized.sentence_starts) - 1 == 2


def test_nothing(tokenizer):
    for options in ({}, {"segmentation": "given"}, {"segmentation": "jieba"}):
        tokenized = tokenize_documents([], tokenizer, "en", **options)
        assert len(tokenized) == 0
        assert tokenized.sentence_starts.tolist() == [0]
    document = Document(["\u200b"], [[(0, 1)]])
    assert len(tokenize_documents([document], tokenizer, "en", segmentation="given")) == 0


def test_words_are_units_by_default(tokenizer):
    assert given_units(tokenizer, "unaffable dogs ran.") == [
        ["un ##a ##f ##f ##able", "dog ##s", "ran", "."]
    ]


def test_given_units_in_bytes_of_the_text(tokenizer):
    assert given_units(tokenizer, "Café in New York, now", "Café", "New York") == [
        ["cafe", "in", "new york", ",", "now"]
    ]
    # A combining accent, an astral character and deleted ones move the bytes.
    text = "Cafe\u0301 \U0001f5fc\u200b in\x00 Ne\u00adw York\u0301 now cat dog"
    assert given_units(tokenizer, text, "Ne\u00adw York\u0301", "cat dog") == [
        ["cafe", "[UNK]", "in", "new york", "now", "cat dog"]
    ]
    assert given_units(tokenizer, "他说你好，我爱北京", "他", "说", "你好", "北京") == [
        ["他", "说", "你 好", "，", "我", "爱", "北 京"]
    ]


def test_given_units_next_to_each_other_and_inside_words(tokenizer):
    assert given_units(tokenizer, "cat dog cat dog", "cat dog", "cat dog") == [
        ["cat dog", "cat dog"]
    ]
    # "##s" goes with its word, whatever the span says.
    assert given_units(tokenizer, "my dogs ran", "dog") == [["my", "dog ##s", "ran"]]
    assert given_units(tokenizer, "my dogs ran", "s ran") == [["my", "dog ##s ran"]]


def test_units_are_cut_where_sentences_are(tokenizer):
    assert given_units(tokenizer, "I see. My dog ran. So it is.", "see. My", "dog ran. So it") == [
        ["i", "see ."],
        ["my", "dog ran ."],
        ["so it", "is", "."],
    ]
    assert given_units(tokenizer, "I see. My dog", "see. My", split=False) == [
        ["i", "see . my", "dog"]
    ]


def test_units_of_many_sentences(tokenizer, monkeypatch):
    monkeypatch.setattr("data_gen.tokenization._SENTENCES_AT_A_TIME", 3)
    text = "Café now. " * 10
    assert given_units(tokenizer, text.strip(), *["Café now"] * 10) == [["cafe now", "."]] * 10


def test_a_document_without_the_units_that_are_asked_for(tokenizer):
    with pytest.raises(InputError, match=r"`--segmentation given`.*Received: none with 'It ran.'"):
        tokenize_documents([Document(["It ran."])], tokenizer, "en", segmentation="given")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_spans_of_tokens_as_one_by_one(tokenizer, data):
    letters = st.sampled_from("ab éß你好\u200b\x00\U0001f5fc.-")
    sentences = data.draw(st.lists(st.text(letters, min_size=1), min_size=1, max_size=4))
    spans = []
    for sentence in sentences:
        borders = data.draw(st.sets(st.integers(0, len(sentence))))
        pairs = itertools.pairwise(sorted(borders))
        spans.append([pair for pair in pairs if data.draw(st.booleans())])
    rows, starts, _ = tokenizer.tokenize_with_offsets(sentences)
    counts = rows.row_lengths().numpy()
    found = units.continues_span(sentences, spans, counts, starts.flat_values.numpy())
    expected = []
    for sentence, row, places in zip(sentences, spans, starts.to_list(), strict=True):
        owners = [-1]
        for place in places:
            character = len(sentence.encode()[:place].decode())
            owners.append(next((n for n, (a, b) in enumerate(row) if a <= character < b), -1))
        expected += [a == b >= 0 for a, b in itertools.pairwise(owners)]
    assert found.tolist() == expected


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("aB .!?。！\t\u3000\xa0\u200b\x00\x85\u2028é你\U0001f5fc\r\"')”")))
def test_sentences_are_found_again_in_their_paragraph(text):
    paragraph = text.strip()
    for language in ("en", "zh"):
        parts = split_sentences(paragraph, language)
        spans = [(n, n + 1) for n in range(len(paragraph))]
        for part, found in zip(parts, units.sentence_spans(paragraph, parts, spans), strict=True):
            assert found == [(n, n + 1) for n in range(len(part))]


def test_chinese_words(tokenizer, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        document = Document(["他说你好，我爱北京天安门。 cat dogs"])
        tokenized = tokenize_documents([document], tokenizer, "zh", segmentation="jieba")
    flat = [unit for sentence in unit_strings(tokenizer, tokenized) for unit in sentence]
    assert {"北 京", "天 安 门", "他", "cat", "dog ##s"} <= set(flat)
    assert "jieba" not in capfd.readouterr().err.lower()


def test_jieba_is_missing(tokenizer, monkeypatch):
    units._load_jieba.cache_clear()
    monkeypatch.setitem(sys.modules, "jieba", None)
    with pytest.raises(InputError, match="needs the package jieba"):
        tokenize_documents([Document(["你好"])], tokenizer, "zh", segmentation="jieba")


@pytest.fixture
def lexicon(tokenizer, tmp_path):
    def write(*entries):
        path = tmp_path / "entities.txt"
        path.write_text("\n".join(entries), encoding="utf-8-sig")
        return pickle.loads(pickle.dumps(Lexicon.from_file(path, tokenizer)))

    return write


def lexicon_units(tokenizer, text, lexicon, **options):
    tokenized = tokenize_documents([Document([text])], tokenizer, "en", lexicon=lexicon, **options)
    return unit_strings(tokenizer, tokenized)


def test_lexicon_takes_the_leftmost_and_longest(tokenizer, lexicon):
    entries = lexicon(
        "New York", "new york water", "york water", "", "  ", "☃ unknown", "dog", "天安门"
    )
    assert len(entries) == 5
    assert lexicon_units(tokenizer, "New York water, new York and york water dog", entries) == [
        ["new york water", ",", "new york", "and", "york water", "dog"]
    ]
    assert lexicon_units(tokenizer, "我爱天安门。york", entries)[0][:3] == ["我", "爱", "天 安 门"]


def test_lexicon_keeps_to_words_and_sentences(tokenizer, lexicon):
    entries = lexicon("my dog", "dogs ran", "s ran", "see. my")
    assert lexicon_units(tokenizer, "my dogs. my dog", entries) == [
        ["my", "dog ##s", "."],
        ["my dog"],
    ]
    assert lexicon_units(tokenizer, "the dogs ran", entries) == [["the", "dog ##s ran"]]
    assert lexicon_units(tokenizer, "I see. My dog", entries) == [["i", "see", "."], ["my dog"]]
    assert lexicon_units(tokenizer, "I see. My dog", entries, split=False) == [
        ["i", "see . my", "dog"]
    ]


def test_lexicon_overrides_other_units(tokenizer, lexicon):
    found = given_units(tokenizer, "cat dog now day", "cat dog now", lexicon=lexicon("dog"))
    assert found == [["cat", "dog", "now", "day"]]
    found = given_units(tokenizer, "cat dog now day", "cat dog now", lexicon=lexicon("now day"))
    assert found == [["cat dog", "now day"]]


def test_wrong_lexicons(tokenizer, lexicon, tmp_path):
    with pytest.raises(InputError, match=r"entities.txt: a phrase per line.*none in 2 lines"):
        lexicon("☃", "☃ dog")
    with pytest.raises(InputError, match=r"none.txt: cannot read"):
        Lexicon.from_file(tmp_path / "none.txt", tokenizer)
    (tmp_path / "entities.txt").write_bytes(b"good\nb\xe9d\n")
    with pytest.raises(InputError, match=r"entities.txt, line 2: the text must be UTF-8"):
        Lexicon.from_file(tmp_path / "entities.txt", tokenizer)


def test_special_tokens_stay_what_they_are(tokenizer):
    assert tokenizer.vocabulary.tokens[:5] == SPECIAL_TOKENS
    assert given_units(tokenizer, "[MASK] dog", "[MASK]") == [["[ mask ]", "dog"]]
