"""Directories that other programs wrote: every key is honoured, harmless or refused by name."""

import copy
import json

import pytest
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, processors

from keras_bert import load_tokenizer
from keras_bert.errors import InputError
from keras_bert.text import tokenizer_settings
from keras_bert.text.added_tokens import AddedToken
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import SPECIAL_TOKENS

TOKENS = (
    *SPECIAL_TOKENS,
    *["the", "dog", "##s", "été", "ete", "你", "A", "B", "Dog", "a", "b", "##a", "##b"],
)
TEXTS = ["The dogs", "Été ete", "你a好", "a" * 101, "foo bar Foo bar [E1] a[E1]b", "", "[MASK]"]
# What transformers 4 and 5 and sentence-transformers write beside BERT's vocabulary.
WRITTEN = {
    "add_prefix_space": None,
    "added_tokens_decoder": {},
    "additional_special_tokens": [],
    "auto_map": {"AutoTokenizer": ["x.Y", None]},
    "backend": "tokenizers",
    "bos_token": None,
    "chat_template": "{{ messages }}",
    "clean_text": True,
    "clean_up_tokenization_spaces": True,
    "cls_token": "[CLS]",
    "do_basic_tokenize": True,
    "do_lower_case": True,
    "eos_token": None,
    "extra_special_tokens": {},
    "full_tokenizer_file": None,
    "init_inputs": [],
    "is_local": True,
    "local_files_only": False,
    "mask_token": {"__type": "AddedToken", "content": "[MASK]", "lstrip": False},
    "max_len": 512,
    "max_length": 128,
    "model_input_names": ["input_ids", "attention_mask"],
    "model_max_length": 1000000000000000019884624838656,
    "name_or_path": "bert-base-uncased",
    "never_split": None,
    "pad_to_multiple_of": None,
    "pad_token": "[PAD]",
    "pad_token_type_id": 0,
    "padding_side": "right",
    "processor_class": "BertProcessor",
    "sep_token": "[SEP]",
    "special_tokens_map_file": "/somewhere/special_tokens_map.json",
    "split_special_tokens": False,
    "stride": 0,
    "strip_accents": None,
    "tokenize_chinese_chars": True,
    "tokenizer_class": "BertTokenizer",
    "tokenizer_file": "/somewhere/tokenizer.json",
    "truncation_side": "right",
    "truncation_strategy": "longest_first",
    "unk_token": "[UNK]",
    "use_fast": True,
    "wordpieces_prefix": "##",
}


def peer(**options):
    """A tokenizer as `BertTokenizer` of transformers makes it."""
    ids = {token: index for index, token in enumerate(TOKENS)}
    result = tokenizers.Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    defaults = {"handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    result.normalizer = normalizers.BertNormalizer(clean_text=True, **{**defaults, **options})
    result.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    result.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    result.add_special_tokens(list(SPECIAL_TOKENS))
    return result


def write(directory, **files):
    for name, value in files.items():
        text = value if isinstance(value, str) else json.dumps(value)
        suffix = "txt" if name == "vocab" else "json"
        (directory / f"{name}.{suffix}").write_text(text, encoding="utf-8")
    return directory


def vocabulary_file(tokens=TOKENS):
    return "\n".join(tokens) + "\n"


def ids_of(tokenizer, texts=TEXTS):
    # Special tokens in the text are plain text unless asked for.
    return tokenizer.with_options(special_tokens_in_text=True)(texts).to_list()


def peer_ids(directory, texts=TEXTS):
    result = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
    return [row.ids for row in result.encode_batch(texts, add_special_tokens=False)]


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


@pytest.mark.parametrize("lowercase", [True, False])
def test_default_rules_survive_saving(tmp_path, lowercase):
    tokenizer = BertTokenizer(TOKENS, lowercase=lowercase, sequence_length=77)
    tokenizer.save_assets(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.get_config() | {"name": 0} == tokenizer.get_config() | {"name": 0}
    assert again.character_rules == "bert"
    assert peer_ids(tmp_path) == ids_of(tokenizer)


def test_every_key_that_is_written_is_known(tmp_path):
    write(tmp_path, vocab=vocabulary_file(), tokenizer_config=WRITTEN)
    assert load_tokenizer(tmp_path).sequence_length is None
    known = tokenizer_settings.HONOURED | tokenizer_settings.HARMLESS
    known |= {*tokenizer_settings.ONLY, *tokenizer_settings.WORD_PIECES_ONLY}
    assert set(WRITTEN) - known == {"add_prefix_space"}


# Each key: a value that is honoured, with what it does, or one that is refused.
HONOURED = [
    ({"do_lower_case": False}, {"lowercase": False, "character_rules": "bert"}),
    ({"do_lower_case": True, "strip_accents": False}, {"strip_accents": False}),
    ({"do_lower_case": False, "strip_accents": True}, {"strip_accents": True}),
    ({"do_lower_case": True, "strip_accents": True}, {"strip_accents": None}),
    ({"do_lower_case": True, "tokenize_chinese_chars": False}, {"tokenize_chinese_chars": False}),
    ({"do_lower_case": True, "model_max_length": 96}, {"sequence_length": 96}),
    ({"do_lower_case": True, "model_max_length": 96.0}, {"sequence_length": 96}),
    ({"do_lower_case": True, "tokenizer_class": "DistilBertTokenizerFast"}, {"lowercase": True}),
    ({"do_lower_case": True, "character_rules": "tokenizers"}, {"character_rules": "tokenizers"}),
]


@pytest.mark.parametrize(("settings", "expected"), HONOURED)
def test_keys_are_honoured(tmp_path, settings, expected):
    write(tmp_path, vocab=vocabulary_file(), tokenizer_config=settings)
    config = load_tokenizer(tmp_path).get_config()
    assert {key: config[key] for key in expected} == expected


REFUSED = [
    {"do_lower_case": "yes"},
    {"do_lower_case": None},
    {"strip_accents": 1.5},
    {"tokenize_chinese_chars": None},
    {"do_basic_tokenize": False},
    {"clean_text": False},
    {"padding_side": "left"},
    {"truncation_side": "left"},
    {"pad_token_type_id": 3},
    {"wordpieces_prefix": "@@"},
    {"tokenizer_class": "BertJapaneseTokenizer"},
    {"tokenizer_class": "RobertaTokenizerFast"},
    {"tokenizer_class": "PreTrainedTokenizerFast"},
    {"tokenizer_class": 3},
    {"word_tokenizer_type": "mecab"},
    {"subword_tokenizer_type": "character"},
    {"mecab_kwargs": {"mecab_dic": "ipadic"}},
    {"model_max_length": "512"},
    {"model_max_length": 0},
    {"never_split": ["covid-19"]},
    {"do_normalize_unicode": True},
    {"keep_newlines": False},
    {"character_rules": "java"},
    {"cls_token": 5},
    {"cls_token": "<s>"},
    {"added_tokens_decoder": ["a"]},
    {"added_tokens_decoder": {"99": {"content": "new"}}},
    {"added_tokens_decoder": {"x": {"content": "new"}}},
    {"added_tokens_decoder": {"5": {"content": "new"}}},
    {"added_tokens_decoder": {"18": {"content": "new", "colour": "red"}}},
    {"added_tokens_decoder": {"18": {"content": "new", "lstrip": "no"}}},
    {"additional_special_tokens": "x"},
    {"extra_special_tokens": [3]},
]


@pytest.mark.parametrize("settings", REFUSED, ids=str)
def test_what_cannot_be_done_is_refused_by_name(tmp_path, settings):
    write(tmp_path, vocab=vocabulary_file(), tokenizer_config={"do_lower_case": True, **settings})
    with pytest.raises(InputError) as caught:
        load_tokenizer(tmp_path)
    message = str(caught.value)
    assert str(tmp_path) in message
    assert "\n" not in message
    key = next(iter(settings))
    named = {"cls_token": "special token", "added_tokens_decoder": "added"}
    assert key in message or named[key] in message


def test_other_special_tokens_are_honoured(tmp_path):
    tokens = ["<pad>", "<unk>", "<s>", "</s>", "<mask>", "the"]
    names = dict(zip(tokenizer_settings.SPECIAL_KEYS, tokens, strict=False))
    write(tmp_path, vocab=vocabulary_file(tokens), special_tokens_map=names)
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.vocabulary.special_tokens == tuple(tokens[:5])
    assert tokenizer("the x").numpy().tolist() == [5, 1]
    tokenizer.save_assets(tmp_path / "saved")
    assert load_tokenizer(tmp_path / "saved").vocabulary == tokenizer.vocabulary
    write(tmp_path, tokenizer_config={"do_lower_case": True, "cls_token": "the"})
    with pytest.raises(InputError, match=r"special_tokens_map\.json.*cls_token"):
        load_tokenizer(tmp_path)


def test_added_tokens_of_each_file_are_found(tmp_path):
    size = len(TOKENS)
    write(
        tmp_path,
        vocab=vocabulary_file(),
        tokenizer_config={"do_lower_case": True, "additional_special_tokens": ["[E1]", "[E2]"]},
        added_tokens={"foo bar": size, "[E1]": size + 1},
    )
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.vocabulary.tokens[size:] == ("foo bar", "[E1]", "[E2]")
    assert tokenizer("Foo  [E2]FOO bar").numpy().tolist()[1:] == [size + 2, size]
    assert tokenizer.added_tokens[1] == AddedToken("[E1]", normalized=False, special=True)
    decoder = {str(size): {"content": "foo bar", "single_word": True, "special": False}}
    (tmp_path / "added_tokens.json").unlink()
    write(tmp_path, tokenizer_config={"do_lower_case": True, "added_tokens_decoder": decoder})
    assert load_tokenizer(tmp_path).added_tokens == (AddedToken("foo bar", single_word=True),)


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
    texts = [text for text in TEXTS if path != ("truncation",)]
    assert ids_of(load_tokenizer(tmp_path), texts) == peer_ids(tmp_path, texts)


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


@pytest.mark.parametrize("content", ["{", "[]", '"a"', "[" * 100_000, b"\xff\xfe"])
@pytest.mark.parametrize(
    "name",
    ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"],
)
def test_damaged_files_are_refused_by_name(tmp_path, name, content):
    write(tmp_path, vocab=vocabulary_file())
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        load_tokenizer(tmp_path)


def test_case_is_told_by_the_vocabulary_where_no_file_says_it(tmp_path):
    cased = write(tmp_path, vocab=vocabulary_file())
    assert not load_tokenizer(cased).lowercase
    assert load_tokenizer(cased, lowercase=True).lowercase
    write(tmp_path, tokenizer_config={"model_max_length": 8})
    with pytest.raises(InputError, match=r"do_lower_case.*'A'"):
        load_tokenizer(cased)
    assert not load_tokenizer(cased, lowercase=False).lowercase
    uncased = vocabulary_file(
        [token for token in TOKENS if token.startswith("[") or token.islower()]
    )
    write(tmp_path, vocab=uncased)
    assert load_tokenizer(tmp_path).lowercase
    write(tmp_path, manifest={"lowercase": False})
    assert not BertTokenizer.from_checkpoint(tmp_path).lowercase
    with pytest.raises(InputError, match=r"lowercase=True"):
        load_tokenizer(tmp_path, lowercase=True)


def test_sentence_transformers_say_the_length(tmp_path):
    BertTokenizer(TOKENS, sequence_length=512).save_assets(tmp_path)
    write(tmp_path, sentence_bert_config={"max_seq_length": 128, "do_lower_case": False})
    assert load_tokenizer(tmp_path).sequence_length == 128
    for settings in ({"max_seq_length": "128"}, {"max_seq_length": -1}, ["a"]):
        write(tmp_path, sentence_bert_config=settings)
        with pytest.raises(InputError, match="sentence_bert_config"):
            load_tokenizer(tmp_path)
    BertTokenizer(TOKENS, lowercase=False).save_assets(tmp_path)
    write(tmp_path, sentence_bert_config={"max_seq_length": 128, "do_lower_case": True})
    with pytest.raises(InputError, match="do_lower_case"):
        load_tokenizer(tmp_path)


def test_a_directory_without_tokenizer_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"vocab\.txt.*spiece\.model"):
        load_tokenizer(tmp_path)
