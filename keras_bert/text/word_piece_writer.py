"""Writing a WordPiece tokenizer as Hugging Face's programs do."""

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_bert.atomic import write_json
from keras_bert.text.added_tokens import AddedToken
from keras_bert.text.character_rules import rules_of
from keras_bert.text.tokenizer_json import TOKENIZER
from keras_bert.text.tokenizer_settings import CONFIG, LOWERCASE, SPECIAL_KEYS, SPECIAL_LISTS
from keras_bert.text.vocabulary import VOCABULARY

if TYPE_CHECKING:
    from keras_bert.text.tokenizer import BertTokenizer


def write_word_piece(tokenizer: "BertTokenizer", directory: str | os.PathLike) -> None:
    """Writes the files of a tokenizer; see `BertTokenizer.save_assets`."""
    directory = Path(directory)
    vocabulary = tokenizer.vocabulary
    tokenizer.word_pieces.save(directory / VOCABULARY)
    special = vocabulary.special_tokens
    further = [token for token in tokenizer.added_tokens if token.special]
    settings = {
        "tokenizer_class": "BertTokenizer",
        LOWERCASE: tokenizer.lowercase,
        "strip_accents": tokenizer.strip_accents,
        "tokenize_chinese_chars": tokenizer.tokenize_chinese_chars,
        **dict(zip(SPECIAL_KEYS, special, strict=True)),
    }
    if further := [token.content for token in further if token.content not in special]:
        settings[SPECIAL_LISTS[1]] = further
    if tokenizer.sequence_length:
        settings["model_max_length"] = tokenizer.sequence_length
    is_bert = tokenizer.character_rules == "bert"
    needs_file = bool(tokenizer.added_tokens) or not is_bert
    needs_file |= tokenizer.max_input_chars_per_word != rules_of("bert").max_characters
    if needs_file:
        write_json(directory / TOKENIZER, _tokenizer_json(tokenizer))
        if is_bert:
            # Whoever reads the file takes its writer's rules for granted.
            settings["character_rules"] = tokenizer.character_rules
    else:
        (directory / TOKENIZER).unlink(missing_ok=True)
    write_json(directory / CONFIG, settings)


def _tokenizer_json(tokenizer: "BertTokenizer") -> dict[str, Any]:
    vocabulary, pieces = tokenizer.vocabulary, tokenizer.word_pieces
    # Special tokens in the order of `Vocabulary.special_tokens`: start and end.
    _, unknown, start, end, _ = vocabulary.special_tokens
    added = {
        content: AddedToken(content, normalized=False, special=True)
        for content in vocabulary.special_tokens
    }
    added |= {token.content: token for token in tokenizer.added_tokens}
    first, second = ({"Sequence": {"id": name, "type_id": n}} for n, name in enumerate("AB"))

    def mark(content: str, segment: int = 0) -> dict[str, Any]:
        return {"SpecialToken": {"id": content, "type_id": segment}}

    single = [mark(start), first, mark(end)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": vocabulary.ids[token.content], **dataclasses.asdict(token)}
            for token in sorted(added.values(), key=lambda token: vocabulary.ids[token.content])
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": tokenizer.tokenize_chinese_chars,
            "strip_accents": tokenizer.strip_accents,
            "lowercase": tokenizer.lowercase,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": [*single, second, mark(end, 1)],
            "special_tokens": {
                content: {"id": content, "ids": [vocabulary.ids[content]], "tokens": [content]}
                for content in (start, end)
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": unknown,
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": tokenizer.max_input_chars_per_word,
            # Ids without gaps: a repeated token has its last one, the others get names.
            "vocab": {
                token if pieces.ids[token] == index else f"[repeated {index}]": index
                for index, token in enumerate(pieces.tokens)
            },
        },
    }
