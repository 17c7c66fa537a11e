"""`tokenizer.json`: what equals BERT is read, anything else refused by its place."""

import copy
import json

import pytest
import tokenizers

from keras_bert import load_tokenizer
from keras_bert.errors import InputError
from keras_bert.text.tokenizer import BertTokenizer
from tests.keras_bert.text.hugging_face import (
    TOKENS,
    ids_of,
    peer,
    peer_ids,
    vocabulary_file,
    write,
)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lowercase": False},
        {"strip_accents": False},
        {"lowercase": False, "strip_accents": True},
        {"handle_chinese_chars": False},
        {"handle_chinese_chars": False, "strip_accents": False, "lowercase": False},
    ],
)
def test_a_tokenizer_file_alone_equals_tokenizers(tmp_path, options):
    theirs = peer(**options)
    theirs.add_tokens(["foo bar", tokenizers.AddedToken("Foo", normalized=False, rstrip=True)])
    theirs.add_special_tokens([tokenizers.AddedToken("[E1]", single_word=True)])
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = load_tokenizer(tmp_path)
    assert isinstance(ours, BertTokenizer)
    assert ours.max_input_chars_per_word == 100
    assert len(ours.vocabulary) == theirs.get_vocab_size()
    assert ids_of(ours) == peer_ids(tmp_path)
    # What we write opens there and here, equal.
    ours.save_assets(tmp_path / "saved")
    assert peer_ids(tmp_path / "saved") == peer_ids(tmp_path)
    assert ids_of(load_tokenizer(tmp_path / "saved")) == peer_ids(tmp_path)
    again = load_tokenizer(tmp_path / "saved")
    assert again.get_config() | {"name": 0} == ours.get_config() | {"name": 0}
    written = json.loads((tmp_path / "saved" / "tokenizer.json").read_text())
    theirs = json.loads((tmp_path / "tokenizer.json").read_text())
    assert {key: written[key] for key in ("model", "added_tokens", "post_processor")} == {
        key: theirs[key] for key in ("model", "added_tokens", "post_processor")
    }


@pytest.mark.parametrize("added", [[], ["foo bar"]])
@pytest.mark.parametrize("lowercase", [True, False])
def test_default_rules_survive_saving(tmp_path, lowercase, added):
    tokenizer = BertTokenizer(TOKENS, lowercase=lowercase, sequence_length=77, added_tokens=added)
    (tmp_path / "tokenizer.json").write_text("{}")
    tokenizer.save_assets(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.get_config() | {"name": 0} == tokenizer.get_config() | {"name": 0}
    assert again.character_rules == "bert"
    assert (tmp_path / "tokenizer.json").exists() == bool(added)
    if added:
        assert peer_ids(tmp_path) == ids_of(tokenizer)


def changed(path, value):
    """The tokenizer's file with another value at a place."""
    values = copy.deepcopy(json.loads(peer().to_str()))
    *parents, last = path
    place = values
    for key in parents:
        place = place[key]
    if value is KeyError:
        del place[last]
    else:
        place[last] = value
    return values


REFUSED_PARTS = [
    (("normalizer",), None),
    (("normalizer",), {"type": "NFC"}),
    (("normalizer", "clean_text"), False),
    (("normalizer", "lowercase"), None),
    (("normalizer", "strip_accents"), "yes"),
    (("normalizer", "language"), "tr"),
    (
        ("normalizer",),
        {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "Lowercase"}]},
    ),
    (("normalizer",), {"type": "Sequence", "normalizers": 3}),
    (("pre_tokenizer",), None),
    (("pre_tokenizer",), {"type": "Whitespace"}),
    (("pre_tokenizer",), {"type": "WhitespaceSplit"}),
    (("post_processor", "type"), "RobertaProcessing"),
    (("post_processor", "single"), []),
    (("post_processor", "pair", 3, "Sequence", "type_id"), 0),
    (("truncation",), {"direction": "Left", "max_length": 8, "strategy": "LongestFirst"}),
    (("padding",), {"direction": "Left"}),
    (("padding",), {"pad_id": 7, "pad_token": "[PAD]"}),
    (("model", "type"), "WordLevel"),
    (("model", "type"), "Unigram"),
    (("model", "continuing_subword_prefix"), "@@"),
    (("model", "max_input_chars_per_word"), 0),
    (("model", "unk_token"), "[NONE]"),
    (("model", "dropout"), 0.1),
    (("model", "vocab"), None),
    (("model", "vocab", "the"), "5"),
    (("model", "vocab", "the"), 6),
    (("model", "vocab", "the"), 99),
    (("model", "vocab", "the"), KeyError),
    (("added_tokens", 0, "id"), 3),
    (("added_tokens", 0, "id"), None),
    (("added_tokens", 0, "colour"), "red"),
    (("added_tokens",), 3),
    (("words",), ["x"]),
]


@pytest.mark.parametrize(("path", "value"), REFUSED_PARTS, ids=str)
def test_parts_that_are_not_of_bert_are_refused_by_name(tmp_path, path, value):
    write(tmp_path, tokenizer=changed(path, value))
    with pytest.raises(InputError) as caught:
        load_tokenizer(tmp_path)
    message = str(caught.value)
    assert str(tmp_path / "tokenizer.json") in message
    assert path[0].split("_")[0] in message or path[-1] in message or "special" in message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (
            ("normalizer",),
            {"type": "Sequence", "normalizers": [json.loads(peer().to_str())["normalizer"]]},
        ),
        (
            ("normalizer",),
            {
                "type": "Sequence",
                "normalizers": [
                    {
                        "type": "BertNormalizer",
                        "clean_text": True,
                        "handle_chinese_chars": True,
                        "strip_accents": None,
                        "lowercase": False,
                    },
                    {"type": "Lowercase"},
                ],
            },
        ),
        (
            ("pre_tokenizer",),
            {
                "type": "Sequence",
                "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "BertPreTokenizer"}],
            },
        ),
        (("post_processor",), {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}),
        (("post_processor",), None),
        (("decoder",), {"type": "WordPiece", "prefix": "##", "cleanup": False}),
        (
            ("truncation",),
            {"direction": "Right", "max_length": 512, "strategy": "LongestFirst", "stride": 0},
        ),
        (("model", "max_input_chars_per_word"), 3),
    ],
    ids=str,
)
def test_parts_that_are_equal_are_read(tmp_path, path, value):
    write(tmp_path, tokenizer=changed(path, value))
    assert ids_of(load_tokenizer(tmp_path)) == peer_ids(tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"tokenizer_config": {"do_lower_case": False}}, "do_lower_case"),
        ({"tokenizer_config": {"strip_accents": False}}, "strip_accents"),
        ({"tokenizer_config": {"tokenize_chinese_chars": False}}, "tokenize_chinese_chars"),
        ({"tokenizer_config": {"unk_token": "[PAD]"}}, "unk_token"),
        ({"tokenizer_config": {"cls_token": "[SEP]"}}, "cls_token"),
        ({"vocab": vocabulary_file(TOKENS[:-1])}, r"vocab\.txt"),
        ({"vocab": vocabulary_file((*TOKENS, "more"))}, r"vocab\.txt"),
        ({"vocab": vocabulary_file((*TOKENS[:-2], *TOKENS[:-3:-1]))}, r"vocab\.txt"),
    ],
)
def test_files_that_contradict_each_other_are_refused(tmp_path, files, message):
    write(tmp_path, tokenizer=peer().to_str(), **files)
    with pytest.raises(InputError, match=message):
        load_tokenizer(tmp_path)
    write(tmp_path, vocab=vocabulary_file(), tokenizer_config={"do_lower_case": True})
    assert load_tokenizer(tmp_path).vocabulary.tokens == TOKENS
