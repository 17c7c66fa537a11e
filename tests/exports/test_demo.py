"""The page of every family: it is built, answers, and refuses what has no answer."""

import asyncio
import re
import shutil
import types

import pytest

from exports.demo.model import DemoModel, load
from exports.demo.page import page
from exports.demo.server import application
from exports.signatures.base import STRINGS
from exports.signatures.families import signatures_of
from keras_bert.errors import InputError
from tests.exports.small_models import predictor_of

# What each family is asked.
INPUTS = {
    "classification": ["the dog ran away", ""],
    "multi_label": ["the dog ran away", "it was long"],
    "regression": ["the dog ran away", "it was long"],
    "question_answering": ["who ran away ?", "Café! The dog ran away. " * 20],
    "multiple_choice": ["the dog", "ran away\n\n was long now \na"],
    "embedding": ["the dog ran\nit was long\n\nthe dog ran"],
    "tagging": ["Café! The dog ran away."],
    "feature_tagging": ["Café! The dog ran away."],
    "fill_mask": ["the [MASK] ran [MASK]."],
}
# What has no answer, and what the page says.
REFUSED = {
    "classification": ([" ", "a"], "The text is empty"),
    "multi_label": (["", ""], "The text is empty"),
    "regression": (["\n", ""], "The text is empty"),
    "question_answering": (["who?", ""], "The context is empty"),
    "multiple_choice": (["the dog", "a\na"], "Received: 2, 1 of them different"),
    "embedding": (["one\n\n"], "Received: 1"),
    "tagging": ([""], "The text is empty"),
    "feature_tagging": ([""], "The text is empty"),
    "fill_mask": (["<b>no mask</b>"], "The text has no [MASK]"),
}


def model_in_memory(name, config, vocabulary):
    """A model whose signatures run as they are, without a graph."""
    signatures = signatures_of(predictor_of(name, config, vocabulary))
    functions = {signature.name: signature.function for signature in signatures.signatures()}
    # No page looks at the outputs' types and shapes.
    described = {
        signature.name: types.SimpleNamespace(
            structured_outputs=dict.fromkeys(signature.outputs, STRINGS)
        )
        for signature in signatures.signatures()
    }
    return DemoModel(f"{name}, version 1", functions, signatures.description(described))


async def built(model):
    # Without a loop that runs, gradio makes loops that nobody closes.
    return page(model)


@pytest.fixture(scope="module", params=sorted(INPUTS))
def demo(request, tiny_config, vocabulary):
    """A model and its page."""
    model = model_in_memory(request.param, tiny_config, vocabulary)
    return model, asyncio.run(built(model))


def answered(blocks, *inputs):
    """What the page shows for inputs: the line about the reply, and each output."""
    (function,) = (one for one in blocks.fns.values() if one.api_name == "answer")
    return asyncio.run(blocks.process_api(function, list(inputs)))["data"]


def test_every_family_has_a_page_that_answers(demo):
    model, blocks = demo
    task = model.description["task"]
    status, *shown = answered(blocks, *INPUTS[task])
    assert re.search(r"Answered in \d+ ms", status)
    CHECKS[task](model, *shown)


def test_input_without_an_answer_gets_a_message(demo):
    model, blocks = demo
    values, message = REFUSED[model.description["task"]]
    status, *shown = answered(blocks, *values)
    assert message in status
    # No answer of another input stands beside it.
    assert not any(has_content(value) for value in shown)


def has_content(value):
    if isinstance(value, dict):
        # Tables are emptied, bars have no label.
        return any(any(row) for row in value.get("data", [])) or bool(value.get("label"))
    return bool(value)


def bars(shown):
    return {entry["label"]: entry["confidence"] for entry in shown["confidences"]}


def check_classification(model, shown):
    reply = model.ask(text=INPUTS["classification"][0])
    assert bars(shown) == pytest.approx(
        dict(zip(reply["labels"], reply["probabilities"], strict=True))
    )
    assert shown["label"] == reply["label"]


def check_multi_label(model, chosen, shown):
    first, second = INPUTS["multi_label"]
    reply = model.ask("pairs", text_a=first, text_b=second)
    assert bars(shown) == pytest.approx(
        dict(zip(reply["labels"], reply["probabilities"], strict=True))
    )
    expected = [
        label for label, is_in in zip(reply["labels"], reply["chosen"], strict=True) if is_in
    ]
    assert chosen == (", ".join(expected) or "none")


def check_regression(model, shown):
    first, second = INPUTS["regression"]
    score = model.ask("pairs", text_a=first, text_b=second)["score"]
    assert score != pytest.approx(model.ask(text=first)["score"])
    assert float(shown["label"]) == pytest.approx(score, abs=1e-3)


def check_question_answering(model, answer, told, best, marked):
    question, context = INPUTS["question_answering"]
    reply = model.ask(question=question, context=context)
    assert "".join(piece["token"] for piece in marked) == context
    found = [piece["token"] for piece in marked if piece["class_or_confidence"]]
    if reply["answer"]:
        assert [answer] == found == [reply["answer"]]
    else:
        assert answer == "none in this context"
        assert not found
    assert ("not above" in told) == bool(reply["answer"])
    assert [row[0] for row in best["data"]] == reply["top_answers"][: reply["top_counts"]]
    assert len(best["data"]) > 1


def check_multiple_choice(model, shown):
    lines = ["ran away", "was long now", "a"]
    reply = model.ask(context="the dog", choices=lines)
    assert bars(shown) == pytest.approx(dict(zip(lines, reply["probabilities"], strict=True)))
    assert shown["label"] == reply["text"]


def check_embedding(model, matrix):
    reply = model.ask("similarity", text_a="the dog ran", text_b="it was long")
    rows = [[float(cell) for cell in row[1:]] for row in matrix["data"]]
    assert [row[0] for row in matrix["data"]] == [
        "1. the dog ran",
        "2. it was long",
        "3. the dog ran",
    ]
    assert [row[number] for number, row in enumerate(rows)] == pytest.approx([1, 1, 1])
    assert rows[0][1] == pytest.approx(reply["similarity"], abs=1e-5)
    assert rows[0][2] == pytest.approx(1)
    assert matrix["metadata"]["display_value"][0][1] == "1.00"


def check_tagging(model, marked, words):
    (text,) = INPUTS["tagging"]
    reply = model.ask(text=text)
    assert "".join(piece["token"] for piece in marked) == text
    found = [
        (piece["token"], piece["class_or_confidence"])
        for piece in marked
        if piece["class_or_confidence"]
    ]
    assert found == list(zip(reply["entities"], reply["entity_types"], strict=True))
    assert found
    assert [row[:2] for row in words["data"]] == list(
        map(list, zip(reply["tokens"], reply["tags"], strict=True))
    )


def check_fill_mask(model, best, table):
    reply = model.ask(text="the [MASK] ran [MASK].")
    first = list(zip(reply["tokens"][0], reply["texts"][0], strict=True))
    assert best == first[0][1]
    rows = table["data"]
    assert [row[0] for row in rows] == ["1 of 2"] * 3 + ["2 of 2"] * 3
    assert [(row[1], row[3]) for row in rows[:3]] == first


CHECKS = {
    "classification": check_classification,
    "multi_label": check_multi_label,
    "regression": check_regression,
    "question_answering": check_question_answering,
    "multiple_choice": check_multiple_choice,
    "embedding": check_embedding,
    "tagging": check_tagging,
    "feature_tagging": check_tagging,
    "fill_mask": check_fill_mask,
}


def test_names_are_shown_as_text(tiny_config, vocabulary):
    model = model_in_memory("classification", tiny_config, vocabulary)
    model.name = "<script>"
    shown = [
        str(getattr(block, "value", "")) for block in asyncio.run(built(model)).blocks.values()
    ]
    (heading,) = (value for value in shown if "<h1>" in value)
    assert "&lt;script&gt;" in heading
    assert "<script>" not in heading
    for fact in ("classification", "float32", "24 tokens", "labels: no, yes, perhaps"):
        assert fact in heading


def test_halves_of_surrogate_pairs_keep_their_place(tiny_config, vocabulary):
    model = model_in_memory("tagging", tiny_config, vocabulary)
    assert model.ask(text="\ud800 ran")["tokens"] == ["?", "ran"]


def test_the_application_names_no_place_in_the_network(tiny_config, vocabulary):
    model = model_in_memory("classification", tiny_config, vocabulary)

    async def look():
        blocks = application(model).routes[-1].app.get_blocks()
        return blocks.get_config_file()["stylesheets"], blocks.theme_css

    stylesheets, theme = asyncio.run(look())
    assert stylesheets == []
    # The SVG name space is a name, not a place.
    assert set(re.findall(r"https?:[^'\" )]+", theme)) <= {"http://www.w3.org/2000/svg"}


def test_the_newest_version_is_loaded(exported, tmp_path):
    for number in ("2", "10"):
        shutil.copytree(exported / "out" / "1", tmp_path / number)
    (tmp_path / "11").mkdir()
    assert load(tmp_path).name == f"{tmp_path.name}, version 10"
    assert load(tmp_path / "2").name == f"{tmp_path.name}, version 2"


def test_a_task_without_a_page():
    with pytest.raises(InputError, match="Received: other"):
        page(DemoModel("name", {}, {"task": "other"}))
