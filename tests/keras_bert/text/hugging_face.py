"""Tokenizers and directories as Hugging Face's programs make them."""

import json

import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, processors

from keras_bert.text.vocabulary import SPECIAL_TOKENS

TOKENS = (
    *SPECIAL_TOKENS,
    *["the", "dog", "##s", "été", "ete", "你", "A", "B", "Dog", "a", "b", "##a", "##b"],
)
TEXTS = ["The dogs", "Été ete", "你a好", "a" * 101, "foo bar Foo bar [E1] a[E1]b", "", "[MASK]"]


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
