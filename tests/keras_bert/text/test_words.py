"""Texts to words, and words to rows."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert.errors import InputError
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.word_windows import WordWindows
from keras_bert.text.words import split_words
from tests.conformance import check_preprocessing


def words_of(text):
    return [word.decode() for word in split_words(tf.constant([text]))[0][0].numpy()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Germany's team (1974).", "Germany 's team ( 1974 ) ."),
        ("The U.S. and J. Smith, e.g.", "The U.S. and J. Smith , e.g."),
        ("O'Brien don't AT&T’s rock'n'roll", "O'Brien don't AT&T ’s rock'n'roll"),
        ('"3-0", 1,000.5 $5 -- a.b.com...', '" 3-0 " , 1,000.5 $ 5 -- a.b.com ...'),
        ("他在Beijing工作。\u3000naïve\u00a0cafe\u0301", "他 在 Beijing 工 作 。 naïve cafe\u0301"),
        (" \t\n", ""),
        ("", ""),
    ],
)
def test_words(text, expected):
    assert words_of(text) == expected.split(" ") * bool(expected)


@settings(max_examples=60, deadline=None)
@given(
    st.text(
        st.sampled_from("ab C9.'’s-(,、你 \t\u00a0\u0301\x00é😀\u2028")
        | st.characters(codec="utf-8")
    )
)
def test_words_are_parts_of_the_text_and_leave_out_spaces_alone(text):
    encoded = text.encode()
    words, starts, ends = (part[0].numpy() for part in split_words(tf.constant([encoded])))
    rest, place = b"", 0
    for word, start, end in zip(words, starts, ends, strict=True):
        assert place <= start < end
        assert encoded[start:end] == word
        word.decode()
        rest, place = rest + encoded[place:start], end
    assert not (rest + encoded[place:]).decode().strip()


def test_invalid_bytes_are_kept():
    words, starts, ends = split_words(tf.constant([b"a \xff\xfeb c"]))
    text = b"a \xff\xfeb c"
    spans = zip(starts[0].numpy(), ends[0].numpy(), strict=True)
    assert [text[i:j] for i, j in spans] == list(words[0].numpy())
    assert b"".join(words[0].numpy()) == b"a\xff\xfebc"


SENTENCES = [
    ["Café", "U.S.", "unable", "你好", "\x00", "", "running", "!"],
    [],
    ["the"],
    ["\u200b", "unaffable"] * 9,
    ["a" * 30, "cat"],
]


@pytest.fixture(scope="module")
def tokenizer(vocabulary):
    return BertTokenizer(vocabulary)


def direct_rows(tokenizer, sentence, before, after, length):
    """The rows of a sentence, made token by token: (tokens, words with their tag here)."""
    start, end = tokenizer.vocabulary.start_id, tokenizer.vocabulary.end_id
    room = length - 2

    def tokens_of(words):
        return [tokenizer(word).numpy().tolist() for word in words]

    own, tags = [], []
    for number, ids in enumerate(tokens_of(sentence)):
        own += ids
        tags += [number] * bool(ids) + [-1] * (len(ids) - 1)
    if len(own) <= room:
        left, right = [], []
        ahead, behind = tokens_of(before), tokens_of(after)
        total_left, total_right = sum(map(len, ahead)), sum(map(len, behind))
        spare = room - len(own)
        for_left = min(total_left, max(spare // 2, spare - total_right))
        for_right = min(total_right, spare - for_left)
        for ids in reversed(ahead):
            if len(left) + len(ids) > for_left:
                break
            left = ids + left
        for ids in behind:
            if len(right) + len(ids) > for_right:
                break
            right += ids
        marks = [-1] * (len(left) + 1) + tags + [-1] * (len(right) + 1)
        return [([start, *left, *own, *right, end], marks)]
    step = room // 2
    begins = [0]
    while begins[-1] + room < len(own):
        begins.append(begins[-1] + step)
    rows = []
    for begin in begins:
        stop = min(begin + room, len(own))
        marks = []
        for place in range(begin, stop):
            # The row in which the place is farthest from a border within the sentence.
            distances = []
            for other in begins:
                if other <= place < other + room:
                    low = place - other if other else len(own)
                    high = other + room - 1 - place if other != begins[-1] else len(own)
                    distances.append((min(low, high), other))
            marks.append(tags[place] if max(distances)[1] == begin else -1)
        rows.append(([start, *own[begin:stop], end], [-1, *marks, -1]))
    return rows


@pytest.mark.parametrize("length", [5, 9, 32])
@pytest.mark.parametrize("with_context", [False, True])
def test_rows_are_those_of_a_direct_loop(tokenizer, length, with_context):
    before = [["the", "dog"], ["unable"] * 4, ["oil"] * 40, [], ["cat"]]
    after = [["ran", "away"] * 20, [], ["unaffable"] * 40, ["is"], []]
    if not with_context:
        before = after = [[] for _ in SENTENCES]
    expected = [
        (number, *row)
        for number, sentence in enumerate(SENTENCES)
        for row in direct_rows(tokenizer, sentence, before[number], after[number], length)
    ]

    def ragged(lists):
        return tf.ragged.constant(lists, tf.string, ragged_rank=1)

    context = (ragged(before), ragged(after)) if with_context else ()
    rows = WordWindows(tokenizer, length)(ragged(SENTENCES), *context)
    found = []
    for index, number in enumerate(rows["example"].numpy()):
        real = rows["padding_mask"][index].numpy()
        ids, word = rows["token_ids"][index].numpy(), rows["word"][index].numpy()
        assert (word[~real] == -1).all()
        found.append((number, ids[real].tolist(), word[real].tolist()))
    assert found == expected
    for number, sentence in enumerate(SENTENCES):
        tagged = [
            word for other, _, marks in found if other == number for word in marks if word >= 0
        ]
        assert tagged == [i for i, word in enumerate(sentence) if tokenizer(word).shape[0]]
    assert rows["token_ids"].shape[1] <= length
    assert not rows["segment_ids"].numpy().any()


def test_max_windows_keeps_the_first_rows(tokenizer):
    words = tf.ragged.constant([["the", "unaffable", "cat"] * 9, ["the"], []], ragged_rank=1)
    every = WordWindows(tokenizer, 9)(words)
    example = every["example"].numpy().tolist()
    assert example.count(0) > 2
    for most in (1, 2):
        rows = WordWindows(tokenizer, 9, max_windows=most)(words)
        kept = [*range(most), *range(example.count(0), len(example))]
        np.testing.assert_array_equal(rows["example"], np.array(example)[kept])
        np.testing.assert_array_equal(rows["token_ids"], every["token_ids"].numpy()[kept])
        # Every first token of a word in the rows that are kept has a tag, once.
        own = rows["example"].numpy() == 0
        tags = rows["word"].numpy()[own]
        tags = tags[tags >= 0].tolist()
        tokens = 7 + 3 * (most - 1)
        sizes = [len(tokenizer(word)) for word in ("the", "unaffable", "cat")] * 9
        firsts = np.cumsum([0, *sizes])
        assert tags == [word for word in range(27) if firsts[word] < tokens]


def test_sentences_stand_in_the_middle_of_their_context(tokenizer):
    words = tf.ragged.constant([["cat"]])
    rows = WordWindows(tokenizer, 9)(
        words, tf.ragged.constant([["the"] * 9]), tf.ragged.constant([["dog"] * 9])
    )
    tokens = [tokenizer.vocabulary.tokens[index] for index in rows["token_ids"][0].numpy()]
    assert " ".join(tokens) == "[CLS] the the the cat dog dog dog [SEP]"
    assert rows["word"][0].numpy().tolist() == [-1, -1, -1, -1, 0, -1, -1, -1, -1]


def test_conformance(tokenizer):
    words = tf.ragged.constant(SENTENCES, ragged_rank=1)
    layer = WordWindows(tokenizer, 12, max_windows=2)
    check_preprocessing(layer, words)
    assert layer(words[:0])["word"].shape[0] == 0
    with pytest.raises(InputError, match="sequence_length=4"):
        WordWindows(tokenizer, 4)
    with pytest.raises(InputError, match="max_windows=0"):
        WordWindows(tokenizer, max_windows=0)


def test_context_on_one_side_alone(tokenizer):
    words = tf.ragged.constant([["cat"]])
    rows = WordWindows(tokenizer, 5)(words, after=tf.ragged.constant([["dog", "ran"]]))
    np.testing.assert_array_equal(rows["word"], [[-1, 0, -1, -1, -1]])


def test_a_long_text_takes_memory_in_proportion():
    # A copy of the text for each word would take 30 GB.
    words, _, ends = split_words(tf.constant(["dog's " * 50_000, "a"]))
    assert words.row_lengths().numpy().tolist() == [100_000, 1]
    assert words.flat_values[-3:].numpy().tolist() == [b"dog", b"'s", b"a"]
    assert ends[0, -1] == 299_999
