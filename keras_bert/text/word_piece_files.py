"""Reading a WordPiece tokenizer: `vocab.txt`, `tokenizer.json`, `tokenizer_config.json`."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from keras_bert.errors import InputError
from keras_bert.reading import read_json_object
from keras_bert.text.added_tokens import AddedToken
from keras_bert.text.tokenizer_json import (
    TOKENIZER,
    TokenizerFile,
    read_normalizer,
    read_tokenizer_file,
)
from keras_bert.text.tokenizer_settings import (
    ANY_CLASSES,
    CONFIG,
    LOWERCASE,
    SPECIAL_KEYS,
    WORD_PIECE_CLASSES,
    further_special_tokens,
    length_of,
    put_token,
    read_added_tokens,
    read_settings,
)
from keras_bert.text.vocabulary import SPECIAL_TOKENS, VOCABULARY, read_tokens

_MANIFEST = "manifest.json"
# The share of tokens with capitals above which a vocabulary is one of text as it is written. That
# of an uncased model has none, but for words that users wrote over its unused tokens.
_CASED_SHARE = 0.05


def read_word_piece(directory: str | os.PathLike, lowercase: bool | None = None) -> dict[str, Any]:
    """Reads the files of a directory; returns the arguments of `BertTokenizer`.

    Args:
        directory: str or path.
        lowercase: bool or None. What counts where no file says it; None: as the vocabulary's
            tokens look.

    Raises:
        InputError: If a file is missing or damaged, says something that this tokenizer cannot do,
            or two files contradict each other.
    """
    directory = Path(directory)
    file = read_tokenizer_file(directory)
    if file and file.kind != "WordPiece":
        raise InputError(
            f"{file.path}: `model.type` must be 'WordPiece' for BertTokenizer; `load_tokenizer` "
            f"opens other kinds. Received: model.type={file.kind!r}"
        )
    classes = (*WORD_PIECE_CLASSES, *ANY_CLASSES) if file else WORD_PIECE_CLASSES
    settings = read_settings(directory, classes)
    special = _special_tokens(directory, file, settings)
    tokens = _tokens(directory, file)
    ids = {token: index for index, token in enumerate(tokens)}
    added = [
        token
        for token in _added_tokens(directory, file, settings, ids)
        # The tokens of every vocabulary go without saying.
        if token not in [AddedToken(t, normalized=False, special=True) for t in special]
        or token.content not in ids
    ]
    source = file.path if file and not (directory / VOCABULARY).exists() else directory / VOCABULARY
    arguments = {
        "vocabulary": {"tokens": tokens, "special_tokens": special, "source": str(source)},
        "added_tokens": added,
        "sequence_length": length_of(settings),
        **_normalizer(directory, file, settings, lowercase, tokens),
    }
    if file:
        arguments["max_input_chars_per_word"] = file.part("model").get(
            "max_input_chars_per_word", 100
        )
        file.check_calls((special[0], ids.get(special[0], -1)))
    rules = settings.get("character_rules")
    # BERT's own program knows neither that file nor added tokens.
    if rules is None and (file or any(token.content not in special for token in added)):
        rules = "tokenizers"
    return {**arguments, "character_rules": rules}


def _tokens(directory: Path, file: TokenizerFile | None) -> tuple[str, ...]:
    """The WordPieces in the order of their ids."""
    path = directory / VOCABULARY
    if not file:
        return read_tokens(path)
    model = file.part("model")
    file.check_keys("model", model, ("type", "vocab", "unk_token", *_MODEL))
    file.check("model", "continuing_subword_prefix", ("##",), model)
    longest = model.get("max_input_chars_per_word", 100)
    if type(longest) is not int or longest < 1:
        raise file.error("model.max_input_chars_per_word", "a positive integer", longest)
    ids = file.ids()
    if path.exists():
        tokens = read_tokens(path)
        _compare(path, tokens, file, ids)
        return tokens
    by_id = dict(sorted((token_id, token) for token, token_id in ids.items()))
    for place, token_id in enumerate(by_id):
        if token_id != place:
            raise InputError(
                f"{file.path}: `model.vocab` must have the ids 0, 1, 2, ... without gaps. "
                f"Received: no token with the id {place}, {by_id[token_id]!r} with {token_id}"
            )
    return tuple(by_id.values())


_MODEL = ("continuing_subword_prefix", "max_input_chars_per_word")


def _compare(path: Path, tokens: tuple[str, ...], file: TokenizerFile, ids: dict[str, int]) -> None:
    """Refuses a `vocab.txt` and a `tokenizer.json` that are not of one vocabulary."""
    own = {token: index for index, token in enumerate(tokens)}
    different = [token for token in own if ids.get(token) != own[token]]
    # Where a token is repeated, its first place may have a name of its own.
    for token, token_id in ids.items():
        is_free = token_id < len(tokens) and own[tokens[token_id]] != token_id
        if token not in own and not is_free:
            different.append(token)
    if different:
        token = different[0]
        raise InputError(
            f"{path}: another vocabulary than that of {TOKENIZER} beside it, which transformers "
            f"reads; delete the one that is out of date. Received: {token!r} has the id "
            f"{own.get(token)} here and {ids.get(token)} there"
        )


def _special_tokens(
    directory: Path, file: TokenizerFile | None, settings: Mapping[str, Any]
) -> tuple[str, ...]:
    """The strings of the five special tokens."""
    found = dict(zip(SPECIAL_KEYS, SPECIAL_TOKENS, strict=True))
    said = {key: settings[key] for key in SPECIAL_KEYS if settings.get(key) is not None}
    if file:
        in_file = {"unk_token": file.part("model").get("unk_token", "[UNK]"), **file.template()}
        for key, token in in_file.items():
            if said.get(key, token) != token:
                raise InputError(
                    f"{directory / CONFIG}: `{key}` must be that of {TOKENIZER}, {token!r}. "
                    f"Received: {key}={said[key]!r}"
                )
        found |= in_file
    return tuple((found | said).values())


def _added_tokens(
    directory: Path,
    file: TokenizerFile | None,
    settings: Mapping[str, Any],
    ids: Mapping[str, int],
) -> list[AddedToken]:
    """Added tokens, new ones in the order of their ids.

    Raises:
        InputError: If ids are not those that the tokens get.
    """
    found = file.added_tokens() if file else {}
    for token_id, token in read_added_tokens(directory, settings).items():
        put_token(found, directory / CONFIG, token_id, found.get(token_id, token))
        put_token(found, directory / CONFIG, token_id, token)
    place = file.path if file else directory / CONFIG
    following = max(ids.values()) + 1
    for token_id, token in sorted(found.items()):
        expected = ids.get(token.content, following)
        if token_id != expected:
            raise InputError(
                f"{place}: ids of added tokens must be those of the vocabulary, or follow it "
                f"without gaps: {expected} for {token.content!r}. Received: {token_id}"
            )
        following += token.content not in ids
    tokens = [token for _, token in sorted(found.items())]
    known = {token.content for token in tokens}
    return [
        *tokens,
        *(t for t in further_special_tokens(directory, settings) if t.content not in known),
    ]


def _normalizer(
    directory: Path,
    file: TokenizerFile | None,
    settings: Mapping[str, Any],
    lowercase: bool | None,
    tokens: Iterable[str],
) -> dict[str, Any]:
    """`lowercase`, `strip_accents` and `tokenize_chinese_chars`."""
    path = directory / CONFIG
    in_file = read_normalizer(file) if file else {}
    names = {LOWERCASE: "lowercase", "tokenize_chinese_chars": "tokenize_chinese_chars"}
    said = {name: settings[key] for key, name in names.items() if key in settings}
    if not in_file and "lowercase" not in said:
        said["lowercase"] = _said_by_shards(directory)
        if said["lowercase"] is None:
            said["lowercase"] = lowercase
        if said["lowercase"] is None:
            said["lowercase"] = _looks_lowercase(path, tokens)
    found = {"tokenize_chinese_chars": True, **in_file, **said}
    found.setdefault("strip_accents", None)
    if "strip_accents" in settings:
        is_said = settings["strip_accents"] is not None
        found["strip_accents"] = settings["strip_accents"] if is_said else found["lowercase"]
    for name, value in in_file.items():
        if found[name] != value:
            key = LOWERCASE if name == "lowercase" else name
            raise InputError(
                f"{path}: `{key}` must be that of {TOKENIZER}, {_json(value)}. transformers heeds "
                f"this file, tokenizers the other. Received: {key}={_json(found[name])}"
            )
    if lowercase is not None and lowercase != found["lowercase"]:
        raise InputError(
            f"{directory}: `lowercase` must be what the directory says, {found['lowercase']}. "
            f"Received: lowercase={lowercase}"
        )
    if found["strip_accents"] == found["lowercase"]:
        found["strip_accents"] = None
    return found


def _json(value: bool) -> str:
    return str(value).lower()


def _said_by_shards(directory: Path) -> bool | None:
    """What the manifest says where the directory is one of shards."""
    path = directory / _MANIFEST
    value = read_json_object(path).get("lowercase") if path.exists() else None
    return value if isinstance(value, bool) else None


def _looks_lowercase(path: Path, tokens: Iterable[str]) -> bool:
    """Whether a vocabulary is one of lower-cased text, where no file says it."""
    words = [token for token in tokens if not (token.startswith("[") and token.endswith("]"))]
    cased = [token for token in words if token != token.lower()]
    is_cased = len(cased) > _CASED_SHARE * len(words)
    if is_cased and path.exists():
        raise InputError(
            f"{path}: `{LOWERCASE}` must be said. transformers would lower-case, but the "
            f"vocabulary has {len(cased)} tokens with capitals, such as {cased[0]!r}. "
            f"Received: no {LOWERCASE}"
        )
    return not is_cased
