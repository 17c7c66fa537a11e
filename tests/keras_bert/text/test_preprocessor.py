import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.models.encoder import BertEncoder
from keras_bert.text.packing import truncate_pair
from keras_bert.text.preprocessor import BertPreprocessor
from keras_bert.text.tokenizer import BertTokenizer
from tests.conformance import check_preprocessing


@pytest.fixture(scope="module")
def tokenizer(vocabulary):
    return BertTokenizer(vocabulary)


def rendered(preprocessor, features):
    return [preprocessor.tokenizer.vocabulary.to_text(row) for row in features["token_ids"].numpy()]


def test_single_texts(tokenizer):
    preprocessor = BertPreprocessor(tokenizer, 6)
    features = preprocessor(["the dog", "", "the dog ran away and was my dog"])
    assert rendered(preprocessor, features) == [
        "[CLS] the dog [SEP]",
        "[CLS] [SEP]",
        "[CLS] the dog ran away [SEP]",
    ]
    assert features["token_ids"].shape == (3, 6)
    assert features["padding_mask"].numpy().sum(axis=1).tolist() == [4, 2, 6]
    assert not features["segment_ids"].numpy().any()


@pytest.mark.parametrize("text", [" ", " \t\r\n", "\u3000\u00a0", "\x00\u200b\ufffd"])
def test_texts_without_anything_to_read_are_empty(tokenizer, text):
    preprocessor = BertPreprocessor(tokenizer, 6)
    for one, other in zip(preprocessor([text]).values(), preprocessor([""]).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_pairs(tokenizer):
    preprocessor = BertPreprocessor(tokenizer, 8)
    features = preprocessor((["the dog", "my"], ["ran", "him dog ran away and down and out"]))
    assert rendered(preprocessor, features) == [
        "[CLS] the dog [SEP] ran [SEP]",
        "[CLS] my [SEP] him dog ran away [SEP]",
    ]
    assert features["segment_ids"].numpy().tolist() == [
        [0, 0, 0, 0, 1, 1, 0, 0],
        [0, 0, 0, 1, 1, 1, 1, 1],
    ]


def popped(first, second, budget):
    """The reference: one token at a time from the longer one, from the second on a tie."""
    first, second = list(first), list(second)
    while len(first) + len(second) > budget:
        (first if len(first) > len(second) else second).pop()
    return first, second


@pytest.mark.parametrize(
    ("truncation", "expected"),
    [
        ("only_first", "[CLS] the [SEP] ran away and [SEP]"),
        ("only_second", "[CLS] the dog my [SEP] ran [SEP]"),
    ],
)
def test_truncation_of_one_side(tokenizer, truncation, expected):
    preprocessor = BertPreprocessor(tokenizer, 7, truncation=truncation)
    features = preprocessor((["the dog my"], ["ran away and"]))
    assert rendered(preprocessor, features) == [expected]
    # A side that is not to be cut, but fills the row alone, leaves nothing of the other one.
    long = "the dog ran away and " * 3
    features = preprocessor(([long], [long]))
    assert features["padding_mask"].numpy().all()
    assert features["segment_ids"].numpy().sum() == {"only_first": 5, "only_second": 1}[truncation]


def test_choices(tokenizer):
    preprocessor = BertPreprocessor(tokenizer, 8)
    endings = [["ran", "ran away", ""], ["the", "my my", "and"]]
    features = preprocessor((["the dog", "my"], endings))
    assert features["token_ids"].shape == (2, 3, 8)
    assert rendered(preprocessor, {"token_ids": features["token_ids"][1]}) == [
        "[CLS] my [SEP] the [SEP]",
        "[CLS] my [SEP] my my [SEP]",
        "[CLS] my [SEP] and [SEP]",
    ]
    alone = preprocessor(([["the dog"] * 3, ["my"] * 3], endings))
    for name, tensor in features.items():
        assert (tensor.numpy() == alone[name].numpy()).all()
    single = preprocessor(endings)
    assert (
        rendered(preprocessor, {"token_ids": single["token_ids"][0]})[1] == "[CLS] ran away [SEP]"
    )
    longest = BertPreprocessor(tokenizer, 40, padding="longest")
    check_preprocessing(longest, (tf.constant(["the dog", "my"]), tf.constant(endings)))
    none = (tf.constant([], tf.string), tf.zeros([0, 4], tf.string))
    assert preprocessor(none)["token_ids"].shape == (0, 4, 8)


def test_texts_of_wrong_shape(tokenizer):
    preprocessor = BertPreprocessor(tokenizer, 8)
    with pytest.raises(InputError, match="3 texts"):
        preprocessor((["a"], ["b"], ["c"]))
    with pytest.raises(InputError, match="two axes"):
        preprocessor([[["a"]]])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ([("a", "b"), ("c", "d")], ["zip(*pairs)", "('a', 'b')"]),
        ([("a", "b", "c")], ["zip(*pairs)", "('a', 'b', 'c')"]),
        ([["a", "b"], ["c"]], ["rows of 1, 2"]),
        ((["a", "b"], ["c"]), ["2 and 1"]),
        ((["a", "b"], "c"), ["2 and 1"]),
        ((["a", "b", "c"], [["d", "e"]]), ["3 and (1, 2)"]),
        ((tf.constant(["a"]), tf.constant(["b", "c"])), ["1 and 2"]),
        (None, ["None"]),
        (7, ["7"]),
        ([1, 2], ["1 at place 0"]),
        (["a", None], ["None at place 1"]),
        (["a", float("nan")], ["nan at place 1"]),
        ((["a"], [2]), ["2 at place 0"]),
        ((["a"], None), ["None"]),
        (np.array(["a", None], object), ["None"]),
        (np.arange(3), ["int64"]),
        (tf.constant([1.0]), ["float32"]),
        ({"text": ["a"]}, ["{'text': ['a']}"]),
        (tf.ragged.constant([["a"], ["b", "c"]]), ["ragged"]),
        ((), ["0 texts"]),
    ],
)
def test_wrong_texts_end_in_one_line(tokenizer, text, words):
    preprocessor = BertPreprocessor(tokenizer, 8)
    # In a graph too, where TensorFlow would add pages about it.
    graph = tf.function(lambda: preprocessor(text))
    for call in (lambda: preprocessor(text), graph):
        with pytest.raises(InputError) as caught:
            call()
        assert "\n" not in str(caught.value)
        for word in ["`text`", "Received:", *words]:
            assert word in str(caught.value)


def test_arrays_of_python_strings_are_texts(tokenizer):
    preprocessor = BertPreprocessor(tokenizer, 8)
    expected = preprocessor(["the", "dog"])["token_ids"].numpy()
    for texts in (np.array(["the", "dog"], object), np.array(["the", "dog"]), ("the", "dog")):
        if isinstance(texts, tuple):
            features = preprocessor((texts, texts))
            assert features["token_ids"].shape == (2, 8)
        else:
            np.testing.assert_array_equal(preprocessor(texts)["token_ids"], expected)


def test_one_giant_among_many_is_cut_before_it_is_tokenized(tokenizer):
    texts = tf.constant(["the dog"] * 999 + ["the dog ran " * 2_000_000])
    features = BertPreprocessor(tokenizer, 16, padding="longest")(texts)
    assert features["token_ids"].shape == (1000, 16)
    assert features["padding_mask"].numpy()[-1].all()


@given(st.integers(0, 12), st.integers(0, 12), st.integers(2, 14))
def test_truncation_equals_the_reference(first, second, budget):
    rows = tf.ragged.constant([list(range(first))]), tf.ragged.constant([list(range(second))])
    rows = tuple(tf.cast(row, tf.int32) for row in rows)
    kept = [row.to_list()[0] for row in truncate_pair(*rows, budget=budget)]
    assert kept == list(popped(range(first), range(second), budget))


def test_longest_padding_and_batches_of_none_or_one(tokenizer):
    preprocessor = BertPreprocessor(tokenizer, 40, padding="longest")
    assert preprocessor(["the", "the dog ran"])["token_ids"].shape == (2, 16)
    assert preprocessor(["the " * 15])["token_ids"].shape == (1, 32)
    assert preprocessor(["the " * 50])["token_ids"].shape == (1, 40)
    assert preprocessor("the")["token_ids"].shape == (1, 16)
    none = tf.constant([], tf.string)
    assert preprocessor(none)["token_ids"].shape == (0, 16)
    assert BertPreprocessor(tokenizer, 16)(none)["token_ids"].shape == (0, 16)


def test_special_tokens_in_text_are_plain_text(tokenizer, vocabulary):
    features = BertPreprocessor(tokenizer, 32)(["[MASK] [SEP] [CLS] [PAD]"])
    ids = features["token_ids"].numpy()[0].tolist()
    assert ids.count(vocabulary.mask_id) == 0
    assert (ids.count(vocabulary.start_id), ids.count(vocabulary.end_id)) == (1, 1)


@pytest.mark.parametrize("padding", ["sequence_length", "longest"])
def test_conformance(tokenizer, padding):
    preprocessor = BertPreprocessor(tokenizer, 8, padding=padding)
    check_preprocessing(preprocessor, tf.constant(["the dog", "", "a b c d e f g h i j"]))
    check_preprocessing(preprocessor, (tf.constant(["the dog", ""]), tf.constant(["ran", "x y"])))


def test_random_bytes_make_well_formed_rows(tokenizer, vocabulary):
    random = np.random.default_rng(0)
    common = np.frombuffer("the dog . é 好\u0301\u00ad\x00 ".encode(), np.uint8)
    texts = [
        random.choice(common, size).tobytes() if size % 2 else random.bytes(size)
        for size in random.integers(0, 40, 100_000)
    ]
    preprocessor = BertPreprocessor(tokenizer, 12)
    dataset = tf.data.Dataset.from_tensor_slices(texts).batch(5000).map(preprocessor)
    for start, row in zip(range(0, len(texts), 5000), dataset, strict=True):
        expected = preprocessor(texts[start : start + 5000])
        for name, tensor in row.items():
            np.testing.assert_array_equal(tensor, expected[name])
        ids, mask = row["token_ids"].numpy(), row["padding_mask"].numpy()
        assert ids.shape == (5000, 12)
        assert ids.min() >= 0
        assert ids.max() < len(vocabulary)
        assert (ids[:, 0] == vocabulary.start_id).all()
        last = mask.sum(axis=1) - 1
        assert (ids[np.arange(5000), last] == vocabulary.end_id).all()
        assert (ids[~mask] == vocabulary.pad_id).all()
        assert ((ids == vocabulary.start_id) | (ids == vocabulary.end_id)).sum() == 10_000


def test_works_as_the_first_layer_of_a_functional_model(tokenizer):
    import keras

    text = keras.Input((), dtype="string")
    model = keras.Model(text, BertPreprocessor(tokenizer, 8)(text))
    assert model(tf.constant(["the dog"]))["token_ids"].shape == (1, 8)
    pair = (keras.Input((), dtype="string"), keras.Input((3,), dtype="string"))
    assert BertPreprocessor(tokenizer, 8)(pair)["token_ids"].shape == (None, 3, 8)


@pytest.mark.parametrize("padding", ["sequence_length", "longest"])
def test_from_texts_to_classes_in_one_functional_model(tokenizer, vocabulary, tmp_path, padding):
    import keras

    config = BertConfig(
        vocabulary_size=len(vocabulary),
        num_layers=1,
        hidden_dim=16,
        num_heads=2,
        intermediate_dim=32,
        max_sequence_length=16,
    )
    texts = [keras.Input((), dtype="string", name=name) for name in ("first", "second")]
    features = BertPreprocessor(tokenizer, 8, padding=padding)(tuple(texts))
    pooled = BertEncoder(config)(features)["pooled_output"]
    model = keras.Model(texts, keras.layers.Dense(2)(pooled))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, run_eagerly=True)
    pair = [tf.constant(["the dog", "my"]), tf.constant(["ran", "him and away"])]
    model.fit(pair, np.array([0, 1]), verbose=0)
    expected = model(pair).numpy()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(pair), expected)
    model.export(tmp_path / "exported", verbose=False)
    # Held by its name: its variables live as long as it does.
    exported = tf.saved_model.load(tmp_path / "exported")
    served = exported.serve(pair)
    np.testing.assert_allclose(served, expected, atol=1e-5)


def test_a_saved_model_of_the_preprocessor_answers_in_a_fresh_process(tokenizer, tmp_path):
    preprocessor = BertPreprocessor(tokenizer, 8)
    texts = ["The dog ran", "", "é" * 300, "a\x00b 你好 [MASK]"]
    module = tf.Module()
    module.answer = tf.function(
        lambda text: preprocessor(text), input_signature=[tf.TensorSpec([None], tf.string)]
    )
    tf.saved_model.save(module, tmp_path / "exported")
    assert not list((tmp_path / "exported" / "assets").iterdir())
    assert str(tmp_path).encode() not in (tmp_path / "exported" / "saved_model.pb").read_bytes()
    code = f"""
import json, tensorflow as tf, tensorflow_text
loaded = tf.saved_model.load({str(tmp_path / "exported")!r})
answer = loaded.answer(tf.constant({texts!r}))
print(json.dumps({{name: tensor.numpy().tolist() for name, tensor in answer.items()}}))
"""
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    expected = {name: tensor.numpy().tolist() for name, tensor in preprocessor(texts).items()}
    assert json.loads(result.stdout) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        {"sequence_length": 0},
        {"sequence_length": 4},
        {"sequence_length": -1},
        {"padding": "left"},
        {"truncation": "none"},
    ],
)
def test_wrong_arguments(tokenizer, arguments):
    with pytest.raises(InputError, match=next(iter(arguments))):
        BertPreprocessor(tokenizer, **arguments)
