"""Unequal inputs are told in one sentence, wherever the call is made."""

import keras
import pytest
import tensorflow as tf

from keras_bert.errors import InputError, sentence_of
from keras_bert.text.checks import check_sizes
from keras_bert.text.masking import MaskedLMMasker
from keras_bert.text.preprocessor import BertPreprocessor
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.windows import SlidingWindows

TEXTS, CHOICES = tf.TensorSpec([None], tf.string), tf.TensorSpec([None, None], tf.string)
PAIR = r"`text` must have as many first texts as second ones\. Received: "
WINDOWS = r"`query` and `context` must have the same number of strings\. Received: "


@pytest.fixture(scope="module")
def tokenizer(vocabulary):
    return BertTokenizer(vocabulary)


@pytest.fixture(scope="module")
def functions(tokenizer):
    preprocessor = BertPreprocessor(tokenizer, 16)
    windows = SlidingWindows(tokenizer, 16, stride=4, query_length=4)
    return {
        "pair": (lambda a, b: preprocessor((a, b)), [TEXTS, TEXTS]),
        "choices": (lambda a, b: preprocessor((a, b)), [TEXTS, CHOICES]),
        "pairs of choices": (lambda a, b: preprocessor((a, b)), [CHOICES, CHOICES]),
        "windows": (lambda a, b: windows(b, a), [TEXTS, TEXTS]),
    }


CASES = [
    ("pair", ["a"], ["a", "b"], PAIR, "1 and 2"),
    ("pair", ["a", "b", "c"], ["a", "b"], PAIR, "3 and 2"),
    # One beside several is no pair either, though TensorFlow would repeat it.
    ("choices", ["a"], [["a", "b"], ["c", "d"]], PAIR, r"1 and (\(2, 2\)|2)"),
    ("choices", ["a", "b", "c"], [["a"], ["b"]], PAIR, r"3 and (\(2, 1\)|2)"),
    ("pairs of choices", [["a"]], [["a", "b"]], PAIR, r"\(1, 1\) and \(1, 2\)"),
    ("pairs of choices", [["a"], ["b"]], [["a"]], PAIR, r"\(2, 1\) and \(1, 1\)"),
    ("windows", ["a", "b"], ["a", "b", "c"], WINDOWS, "2 and 3"),
    ("windows", ["a"], ["a", "b"], WINDOWS, "1 and 2"),
]


@pytest.mark.parametrize(("name", "first", "second", "rule", "received"), CASES)
def test_unequal_texts(functions, name, first, second, rule, received):
    function, specs = functions[name]
    first, second = tf.constant(first), tf.constant(second)
    with pytest.raises(InputError, match=f"^{rule}{received}$"):
        function(first, second)
    # Sizes that are known where the graph is made.
    with pytest.raises(InputError, match=f"^{rule}{received}$"):
        tf.function(function).get_concrete_function(first, second)
    graph = tf.function(function, input_signature=specs)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        graph(first, second)
    assert tf.strings.regex_full_match(sentence_of(caught.value.message), f"{rule}{received}")
    # What fits is answered as without the check.
    fitting = graph(first[:1], second[:1] if name == "choices" else first[:1])
    assert fitting["token_ids"].shape[0] == 1


def test_batches_of_a_data_set(functions):
    function, _ = functions["pair"]
    texts = tf.data.Dataset.from_tensor_slices(["a"] * 5)
    batches = tf.data.Dataset.zip(texts.batch(2), texts.batch(3)).map(function)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        list(batches)
    sentence = sentence_of(caught.value.message)
    assert sentence.startswith("`text` must have as many")
    assert sentence.endswith("Received: 2 and 3")


def test_a_saved_signature(functions, tmp_path):
    module = tf.Module()
    function, specs = functions["pair"]
    module.answer = tf.function(function, input_signature=specs)
    tf.saved_model.save(module, str(tmp_path))
    answer = tf.saved_model.load(str(tmp_path)).answer
    assert answer(["a"], ["b"])["token_ids"].shape == (1, 16)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        answer(["a"], ["a", "b"])
    assert sentence_of(caught.value.message).endswith("as second ones. Received: 1 and 2")


@pytest.mark.parametrize("names", [("a", "b"), None], ids=["by-name", "in-order"])
def test_inputs_of_a_functional_model(tokenizer, names):
    inputs = [keras.Input((), dtype="string", name=name) for name in ("a", "b")]
    preprocessor = BertPreprocessor(tokenizer, 16)
    outputs = preprocessor(tuple(inputs))
    model = keras.Model(dict(zip(names, inputs, strict=True)) if names else inputs, outputs)
    texts = [tf.constant(["a"]), tf.constant(["a", "b"])]
    with pytest.raises(InputError, match=f"^{PAIR}1 and 2$"):
        model(dict(zip(names, texts, strict=True)) if names else texts)
    shapes = [keras.Input((size,), dtype="string") for size in (4, 5)]
    with pytest.raises(InputError, match=rf"^{PAIR}\(None, 4\) and \(None, 5\)$"):
        preprocessor(tuple(shapes))


def test_seeds_of_masks(tokenizer, vocabulary):
    masker = MaskedLMMasker(vocabulary, 4)
    features = BertPreprocessor(tokenizer, 16)(["a dog", "a cat"])
    rule = "`seeds` must be one for each row of `token_ids`. Received: 1 and "
    # One seed would give all rows the same masks.
    with pytest.raises(InputError) as caught:
        masker(features, tf.range(1))
    assert str(caught.value).startswith(rule)
    specs = {name: tf.TensorSpec([None, 16], x.dtype) for name, x in features.items()}
    graph = tf.function(masker, input_signature=[specs, tf.TensorSpec([None], tf.int32)])
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        graph(features, tf.range(1))
    assert sentence_of(caught.value.message) == f"{rule}2"
    short = {**features, "padding_mask": features["padding_mask"][:, :9]}
    with pytest.raises(InputError, match=r"`padding_mask` .*\(2, 9\) and \(2, 16\)"):
        masker(short, tf.range(2))


def test_ragged_and_empty_tensors():
    ragged = tf.ragged.constant([["a"], ["b", "c"]])
    first, second = check_sizes("rule", [ragged, tf.zeros([2])])
    assert first is ragged
    with pytest.raises(InputError, match=r"^rule\. Received: .* and 0$"):
        check_sizes("rule", [ragged, tf.zeros([0])])
    spec = tf.RaggedTensorSpec([None, None], tf.string)
    graph = tf.function(
        lambda a, b: check_sizes("rule", [a, b])[0].nrows(),
        input_signature=[spec, tf.TensorSpec([None], tf.float32)],
    )
    assert graph(ragged, second) == 2
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        graph(ragged, tf.zeros([0]))
    assert sentence_of(caught.value.message) == "rule. Received: 2 and 0"


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            "{{function_node __inference_f_1}} assertion failed: [a `rule`. Received: 2 and 3]\n"
            "\t [[{{node layer/Assert/Assert}}]] [Op:__inference_f_1]",
            "a `rule`. Received: 2 and 3",
        ),
        (
            "Graph execution error:\n\nDetected at node Assert defined at (most recent call last)\n"
            "<stack traces unavailable>\nassertion failed: [a rule] [2 [3]]\n\t [[{{node A}}]] "
            "[Op:f]",
            "a rule 2 [3]",
        ),
        (
            "2 root error(s) found.\n  (0) INVALID_ARGUMENT: assertion failed: [a rule (1, 2)]\n"
            "\t [[{{node A}}]]\n  (1) INVALID_ARGUMENT: assertion failed: [a rule (1, 2)]",
            "a rule (1, 2)",
        ),
        (
            "{{function_node f}} indices = 7 is not in [0, 2)\n\t [[{{node G}}]] [Op:f]",
            "indices = 7 is not in [0, 2)",
        ),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_what_stands_around_a_sentence(message, sentence):
    assert sentence_of(message) == sentence
