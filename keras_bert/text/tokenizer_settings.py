"""What `tokenizer_config.json` and the files beside it say, key by key.

A key is honoured, or changes no ids here, or has but one value that fits; any other key, and any
other value, is refused by name. So no setting of a tokenizer passes unseen.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_bert.errors import InputError
from keras_bert.reading import read_json_object, shown
from keras_bert.text.added_tokens import AddedToken
from keras_bert.text.character_rules import CHARACTER_RULES

CONFIG, SPECIAL, ADDED = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
# Hugging Face writes 10^30 where no length was set.
_NO_LENGTH = 1 << 30
LOWERCASE = "do_lower_case"
# In the order of `Vocabulary.special_tokens`.
SPECIAL_KEYS = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
# Further special tokens; they are found in the text.
MORE_SPECIAL_KEYS = ("bos_token", "eos_token")
SPECIAL_LISTS = ("additional_special_tokens", "extra_special_tokens")
HONOURED = frozenset(
    {
        *(LOWERCASE, "strip_accents", "tokenize_chinese_chars", "model_max_length"),
        *("tokenizer_class", "added_tokens_decoder", "never_split", "character_rules"),
        *SPECIAL_KEYS,
        *MORE_SPECIAL_KEYS,
        *SPECIAL_LISTS,
    }
)
HARMLESS = frozenset(
    {
        # Where the files came from and how they are opened.
        *("name_or_path", "_name_or_path", "special_tokens_map_file", "tokenizer_file"),
        *("vocab_file", "full_tokenizer_file", "backend", "is_local", "local_files_only"),
        *("use_fast", "from_slow", "init_inputs", "auto_map", "processor_class", "_commit_hash"),
        *("transformers_version", "revision", "cache_dir", "trust_remote_code", "device_map"),
        *("files_loaded", "slow_tokenizer_class", "language", "tokenizer_type", "model_type"),
        # Defaults of a call; whoever calls here says length and padding, and trims from the right.
        *("max_length", "max_len", "stride", "truncation", "truncation_strategy", "padding"),
        *("pad_to_multiple_of", "model_input_names", "return_token_type_ids", "return_tensors"),
        *("return_attention_mask", "model_specific_special_tokens"),
        # From ids back to text, and chats.
        *("clean_up_tokenization_spaces", "decode_with_prefix_space", "chat_template"),
        *("chat_control_tokens", "response_schema", "response_template"),
        # Whether special tokens may be written in the text: `special_tokens_in_text` says it here.
        "split_special_tokens",
        "verbose",
    }
)
ONLY = {"padding_side": "right", "truncation_side": "right", "pad_token_type_id": 0}
WORD_PIECES_ONLY = {
    "do_basic_tokenize": True,
    "clean_text": True,
    "wordpieces_prefix": "##",
    "word_tokenizer_type": "basic",
    "subword_tokenizer_type": "wordpiece",
    "do_word_tokenize": True,
    "do_subword_tokenize": True,
}
# Of tokenizers that have no such settings.
NO_NORMALIZER = {
    LOWERCASE: False,
    "strip_accents": False,
    "tokenize_chinese_chars": False,
    "character_rules": None,
}
# BERT's tokenizer under its own name and those of models that took it over.
WORD_PIECE_CLASSES = (
    "BertTokenizer",
    "DistilBertTokenizer",
    "ElectraTokenizer",
    "MobileBertTokenizer",
    "ConvBertTokenizer",
    "SqueezeBertTokenizer",
)
# Whatever `tokenizer.json` says.
ANY_CLASSES = ("PreTrainedTokenizer", "TokenizersBackend")


def read_settings(
    directory: str | os.PathLike,
    classes: tuple[str, ...],
    only: Mapping[str, Any] = WORD_PIECES_ONLY,
) -> dict[str, Any]:
    """Reads `tokenizer_config.json` and `special_tokens_map.json`, where a directory has them.

    Args:
        directory: str or path.
        classes: names of the tokenizers of transformers that are this one, without `Fast`.
        only: keys of which only one value fits, beside those of all tokenizers.

    Returns:
        The keys that are honoured; special tokens as strings.

    Raises:
        InputError: If a file is damaged, the two contradict each other, or a key is unknown or has
            a value that does not fit.
    """
    path = Path(directory) / CONFIG
    settings = read_json_object(path) if path.exists() else {}
    for key, value in settings.items():
        _check(path, key, value, classes, {**ONLY, **only})
    settings = {key: value for key, value in settings.items() if key in HONOURED}
    _merge_special_tokens(directory, settings)
    for key in (*SPECIAL_KEYS, *MORE_SPECIAL_KEYS):
        if settings.get(key) is not None:
            settings[key] = _content(path, key, settings[key])
    return settings


def _check(
    path: Path, key: str, value: Any, classes: tuple[str, ...], only: Mapping[str, Any]
) -> None:
    if key in HARMLESS:
        return
    if key in only:
        allowed, fits = repr(only[key]), value is None or value == only[key]
    elif key in (LOWERCASE, "tokenize_chinese_chars"):
        allowed, fits = "true or false", isinstance(value, bool)
    elif key == "strip_accents":
        allowed, fits = "true, false or null", value is None or isinstance(value, bool)
    elif key == "tokenizer_class":
        name = value.removesuffix("Fast") if isinstance(value, str) else value
        allowed = f"one of {', '.join(classes)}, which this tokenizer equals"
        fits = name is None or name in classes
    elif key == "character_rules":
        allowed, fits = f"one of {', '.join(CHARACTER_RULES)}", value in CHARACTER_RULES
    elif key == "model_max_length":
        allowed = "a positive integer"
        fits = value is None or (_is_number(value) and value >= 1)
    elif key == "never_split":
        # transformers 5 ignores it; earlier ones heeded it in their slow tokenizer alone.
        allowed = "empty; words that stay whole are added tokens, see `add_tokens`"
        fits = not value
    elif key in HONOURED:
        return
    else:
        # A key without a value asks for nothing.
        allowed = "left out: the key is unknown. Delete it if it changes no tokens"
        fits = value is None or value in ("", [], {})
    if not fits:
        raise InputError(f"{path}: `{key}` must be {allowed}. Received: {key}={shown(value)}")


def _merge_special_tokens(directory: str | os.PathLike, settings: dict[str, Any]) -> None:
    """Adds the special tokens of `special_tokens_map.json`."""
    path = Path(directory) / SPECIAL
    for key, value in (read_json_object(path) if path.exists() else {}).items():
        if key not in (*SPECIAL_KEYS, *MORE_SPECIAL_KEYS, *SPECIAL_LISTS):
            if value not in (None, "", [], {}):
                raise InputError(
                    f"{path}: `{key}` is not a kind of special token that is known. "
                    f"Received: {key}={shown(value)}"
                )
        elif key in SPECIAL_LISTS:
            if not settings.get(key):
                settings[key] = value
        else:
            value = _content(path, key, value)
            said = settings.get(key)
            if said is not None and _content(path, key, said) != value:
                raise InputError(
                    f"{path}: `{key}` must be that of {CONFIG}, {shown(said)}. "
                    f"Received: {key}={shown(value)}"
                )
            settings.setdefault(key, value)


def _content(path: Path, key: str, value: Any) -> str:
    """The string of a token, which may stand in an object with its flags."""
    content = value.get("content") if isinstance(value, Mapping) else value
    if not isinstance(content, str):
        raise InputError(f"{path}: `{key}` must be a token. Received: {key}={shown(value)}")
    return content


def length_of(settings: Mapping[str, Any]) -> int | None:
    """Returns `model_max_length`, or None where no length was set."""
    length = settings.get("model_max_length")
    return int(length) if length and length < _NO_LENGTH else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_added_tokens(
    directory: str | os.PathLike, settings: Mapping[str, Any]
) -> dict[int, AddedToken]:
    """Returns the added tokens of `tokenizer_config.json` and `added_tokens.json` by their ids.

    Raises:
        InputError: If a token is damaged or stands under two ids.
    """
    found: dict[int, AddedToken] = {}
    path = Path(directory) / CONFIG
    decoder = settings.get("added_tokens_decoder") or {}
    if not isinstance(decoder, Mapping):
        raise InputError(f"{path}: `added_tokens_decoder` must be an object. Received: {decoder}")
    for key, value in decoder.items():
        put_token(found, path, key, added_token(path, value))
    path = Path(directory) / ADDED
    special = {settings.get(key) for key in (*SPECIAL_KEYS, *MORE_SPECIAL_KEYS)}
    special |= {token.content for token in further_special_tokens(directory, settings)}
    for content, token_id in (read_json_object(path) if path.exists() else {}).items():
        is_special = content in special
        token = AddedToken(content, normalized=not is_special, special=is_special)
        # Flags are in the other file, if anywhere.
        if all(content != other.content for other in found.values()):
            put_token(found, path, token_id, token)
    return found


def further_special_tokens(
    directory: str | os.PathLike, settings: Mapping[str, Any]
) -> list[AddedToken]:
    """Returns the special tokens beside the five of BERT, which may be without an id yet."""
    path = Path(directory) / CONFIG
    found = []
    for key in SPECIAL_LISTS:
        values = settings.get(key) or []
        values = list(values.values()) if isinstance(values, Mapping) else values
        if not isinstance(values, list):
            raise InputError(f"{path}: `{key}` must be a list. Received: {key}={shown(values)}")
        for value in values:
            if isinstance(value, Mapping):
                found.append(added_token(path, {**value, "special": True}))
            else:
                found.append(AddedToken(_content(path, key, value), normalized=False, special=True))
    for key in MORE_SPECIAL_KEYS:
        if settings.get(key) is not None:
            found.append(AddedToken(settings[key], normalized=False, special=True))
    return found


def added_token(path: Path, value: Any) -> AddedToken:
    """Returns the token that an object of a file describes.

    Raises:
        InputError: If it is not an object, lacks its content, or has an unknown key.
    """
    flags = ("content", "single_word", "lstrip", "rstrip", "normalized", "special")
    if not isinstance(value, Mapping) or not isinstance(value.get("content"), str):
        raise InputError(f"{path}: an added token must be an object. Received: {shown(value)}")
    if unknown := sorted(set(value) - {*flags, "id", "__type"}):
        raise InputError(
            f"{path}: an added token has an unknown key. Received: {unknown[0]} of {shown(value)}"
        )
    special = value.get("special", False)
    try:
        return AddedToken(
            **{
                # As in tokenizers: marks are found as they are written.
                "normalized": not special,
                **{key: value[key] for key in flags if key in value},
            }
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def put_token(found: dict[int, AddedToken], path: Path, key: Any, token: AddedToken) -> None:
    """Adds a token under its id.

    Raises:
        InputError: If the id is none, or another token has it.
    """
    try:
        token_id = int(key)
    except (TypeError, ValueError):
        token_id = -1
    if token_id < 0 or isinstance(key, bool | float):
        raise InputError(
            f"{path}: the id of an added token must be an integer from 0. "
            f"Received: {shown(key)} for {token.content!r}"
        )
    if found.setdefault(token_id, token).content != token.content:
        raise InputError(
            f"{path}: two added tokens have one id. "
            f"Received: {token_id} for {found[token_id].content!r} and {token.content!r}"
        )
