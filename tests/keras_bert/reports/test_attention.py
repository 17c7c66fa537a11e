import re

import numpy as np
import pytest

from keras_bert.models.classifier import BertClassifier
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.reports.attention import Attention, attention_of, attention_section
from keras_bert.tasks.classification import ClassPredictor
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.multiple_choice import ChoicePredictor
from keras_bert.tasks.question_answering import QuestionAnsweringPredictor
from keras_bert.text.tokenizer import BertTokenizer
from tests.page_parser import Page


@pytest.fixture
def tokenizer(vocabulary):
    return BertTokenizer(vocabulary, sequence_length=16)


def test_attention_of_a_text(tiny_config, tokenizer):
    predictor = ClassPredictor(BertClassifier(tiny_config, labels=("a", "b")), tokenizer)
    found = attention_of(predictor, Examples({"text": ["the cat ran"]}), {"label": "a"})
    assert found.tokens == ["[CLS]", "the", "cat", "ran", "[SEP]"]
    assert found.probabilities.shape == (2, 2, 5, 5)
    # No attention to padding: what real tokens get is all.
    np.testing.assert_allclose(found.probabilities.sum(axis=-1), 1, rtol=1e-5)
    ids = np.array([[tokenizer.vocabulary.tokens.index(token) for token in found.tokens]], "int32")
    inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": np.ones((1, 5), bool)}
    expected = predictor.model.encoder(inputs, return_attentions=True)["attentions"]
    np.testing.assert_allclose(found.probabilities, np.concatenate(expected), atol=1e-6)


def test_attention_of_the_chosen_choice(tiny_config, tokenizer):
    predictor = ChoicePredictor(BertMultipleChoice(tiny_config), tokenizer)
    example = Examples({"context": ["the cat"], "choices": [["ran", "was able", "had a dog"]]})
    found = attention_of(predictor, example, {"choice": 1})
    assert found.tokens == ["[CLS]", "the", "cat", "[SEP]", "was", "able", "[SEP]"]


def test_attention_of_the_window_with_the_answer(tiny_config, tokenizer):
    predictor = QuestionAnsweringPredictor(
        BertSpanPredictor(tiny_config), tokenizer, query_length=4, stride=4
    )
    context = "the cat ran away . " * 4 + "a dog had come from water"
    example = Examples({"question": ["who had come"], "context": [context]})
    start = context.index("dog")
    answer = {"answer": "dog had", "start": start, "end": start + 7}
    found = attention_of(predictor, example, answer)
    assert found.tokens[1:4] == ["who", "had", "come"]
    assert "dog" in found.tokens
    assert "dog" not in attention_of(predictor, example, {"answer": "", "start": 0}).tokens


def test_every_head_has_its_map():
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.ones(3), (2, 4, 3)).astype(np.float32)
    section = attention_section(Attention(["[CLS]", "<b>", "x" * 50], shares), "of <i>this</i>")
    page = Page(section.html)
    assert page.is_balanced
    assert page.tags["details"] == 2
    assert page.tags["use"] == page.tags["image"] == 8
    assert page.tags["img"] == 1
    assert section.html.count('id="attention-tokens"') == 1
    text = "".join(page.text)
    assert "<b>" in text
    assert "x" * 12 + "…" in text
    assert "x" * 13 not in text
    labels = [label for label in page.values("aria-label") if "attention" in label]
    assert labels[5].startswith("Layer 2, head 2")


def test_of_many_tokens_those_of_most_attention_are_shown():
    shares = np.full((1, 1, 60, 60), 0.1 / 59, np.float32)
    shares[..., 7] = 0.9
    tokens = [f"t{i}" for i in range(60)]
    # Of the others, the first ones.
    section = attention_section(Attention(tokens, shares), "")
    shown = re.findall(r'text-anchor="end">(.*?)<', section.html)
    assert shown == tokens[:40]
    shares[..., [7, 55]] = shares[..., [55, 7]]
    section = attention_section(Attention(tokens, shares), "")
    shown = re.findall(r'text-anchor="end">(.*?)<', section.html)
    assert shown == [*tokens[:39], "t55"]
    assert "Of 60 tokens" in section.html
