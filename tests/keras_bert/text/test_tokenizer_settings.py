"""Tokenizer configurations: every key is honoured, harmless or refused by name."""

import pytest

from keras_bert import load_tokenizer
from keras_bert.errors import InputError
from keras_bert.text import tokenizer_settings
from keras_bert.text.added_tokens import AddedToken
from keras_bert.text.tokenizer import BertTokenizer
from tests.keras_bert.text.hugging_face import TOKENS, vocabulary_file, write

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
