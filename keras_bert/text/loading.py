"""The tokenizer of a model directory, whichever kind it is."""

import os
from pathlib import Path

from keras_bert.errors import InputError
from keras_bert.reading import read_json_object, shown
from keras_bert.text.byte_pair import BytePairTokenizer
from keras_bert.text.sentence_piece import SentencePieceTokenizer
from keras_bert.text.tokenization import Tokenizer
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.tokenizer_json import read_tokenizer_file
from keras_bert.text.vocabulary import VOCABULARY

_SENTENCES = "sentence_bert_config.json"
_FILES = (VOCABULARY, "tokenizer.json", "vocab.json", "spiece.model")


def holds_tokenizer(directory: str | os.PathLike) -> bool:
    """Whether `load_tokenizer` finds files of a tokenizer in a directory."""
    return any((Path(directory) / name).is_file() for name in _FILES)


def load_tokenizer(directory: str | os.PathLike, *, lowercase: bool | None = None) -> Tokenizer:
    """Reads the tokenizer of a model directory.

    Args:
        directory: str or path. Holds `vocab.txt` or the `tokenizer.json` of a WordPiece model
            (`BertTokenizer`), `vocab.json` and `merges.txt` or the `tokenizer.json` of byte pairs
            (`BytePairTokenizer`), or `spiece.model` (`SentencePieceTokenizer`).
        lowercase: bool or None. For a directory with `vocab.txt` that does not say it.

    Returns:
        A `Tokenizer`. Its `sequence_length` is that of `sentence_bert_config.json` where the
        directory is one of sentence-transformers.

    Raises:
        InputError: If the directory has no such file, a file is damaged, or one says something
            that the tokenizer cannot do.

    Example:

    ```python
    tokenizer = load_tokenizer("my-model")
    tokenizer(["Hello, world!"])
    ```
    """
    directory = Path(directory)
    tokenizer = _load(directory, lowercase)
    path = directory / _SENTENCES
    if path.exists():
        _heed_sentences(path, tokenizer)
    return tokenizer


def _load(directory: Path, lowercase: bool | None) -> Tokenizer:
    file = read_tokenizer_file(directory)
    kind = file.kind if file else None
    if kind == "WordPiece" or (directory / VOCABULARY).exists():
        return BertTokenizer.from_checkpoint(directory, lowercase=lowercase)
    if lowercase is not None:
        raise InputError(
            f"{directory}: `lowercase` must be left out for a directory without {VOCABULARY}. "
            f"Received: lowercase={lowercase}"
        )
    if (directory / "spiece.model").exists():
        return SentencePieceTokenizer.from_checkpoint(directory)
    if kind == "BPE" or (directory / "vocab.json").exists():
        return BytePairTokenizer.from_checkpoint(directory)
    if kind == "Unigram":
        raise InputError(
            f"{file.path}: `model.type` 'Unigram' is read from its SentencePiece file; put "
            f"spiece.model beside it. Received: model.type={kind!r}"
        )
    if file:
        raise file.error("model.type", "'WordPiece' or 'BPE'", kind)
    raise InputError(
        f"{directory}: must hold a tokenizer: {', '.join(_FILES)}. Received: none of these files"
    )


def _heed_sentences(path: Path, tokenizer: Tokenizer) -> None:
    """Takes the length over from sentence-transformers, and compares the case."""
    settings = read_json_object(path)
    length = settings.get("max_seq_length")
    if length is not None:
        if type(length) is not int or length < 1:
            raise InputError(
                f"{path}: `max_seq_length` must be a positive integer or null. "
                f"Received: max_seq_length={shown(length)}"
            )
        tokenizer.sequence_length = min(length, tokenizer.sequence_length or length)
    if settings.get("do_lower_case") and not getattr(tokenizer, "lowercase", False):
        raise InputError(
            f"{path}: `do_lower_case` must be false where the tokenizer keeps capitals. "
            "Received: do_lower_case=true"
        )
