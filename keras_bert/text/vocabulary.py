"""Vocabularies: one token per line, the line number is the id."""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_bert.atomic import new_file
from keras_bert.errors import InputError

PAD, UNKNOWN, START, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
VOCABULARY = "vocab.txt"
# ASCII only: U+2028 is a token of the published Chinese vocabulary.
_SPACES = " \t\r\n\f\v"
_INSIDE_WORD = "##"
# Byte pairs write line breaks and tabs as letters, too.
_WORD_MARKERS = {_INSIDE_WORD: ("##",), "Ġ": ("Ġ", "Ċ", "č", "ĉ"), "▁": ("▁",)}
SPECIAL_TOKENS = (PAD, UNKNOWN, START, END, MASK)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """An immutable vocabulary.

    Args:
        tokens: Iterable of str. Token of each id; WordPieces inside a word start with `##`. The
            special tokens must be among them. Of a repeated token the last id counts, as in
            google-research/bert and transformers.
        special_tokens: Sequence of five str: for padding, the unknown, the start, the end of a
            segment and the mask.
        source: str. Where the tokens come from, for error messages.
        word_marker: str. How pieces tell where words are: `"##"` begins those inside a word, `"Ġ"`
            (byte pairs) and `"▁"` (SentencePiece) those with which a word begins.

    Raises:
        InputError: On an empty token or a missing special token; the message names the line.

    Example:

    ```python
    vocabulary = Vocabulary.from_file("vocab.txt")
    vocabulary.mask_id      # 103 in the published uncased vocabulary
    ```
    """

    tokens: tuple[str, ...]
    special_tokens: tuple[str, ...] = SPECIAL_TOKENS
    source: str = dataclasses.field(default="vocabulary", compare=False)
    word_marker: str = _INSIDE_WORD

    def __post_init__(self):
        if self.word_marker not in _WORD_MARKERS:
            raise InputError(
                f"`word_marker` must be one of {', '.join(_WORD_MARKERS)}. "
                f"Received: word_marker={self.word_marker!r}"
            )
        object.__setattr__(self, "tokens", tuple(self.tokens))
        object.__setattr__(self, "special_tokens", tuple(self.special_tokens))
        if len(self.special_tokens) != len(SPECIAL_TOKENS):
            raise InputError(
                "`special_tokens` must name five tokens: padding, unknown, start, end, mask. "
                f"Received: special_tokens={self.special_tokens}"
            )
        if not self.tokens:
            raise InputError(f"{self.source}: the vocabulary is empty")
        for line, token in enumerate(self.tokens, start=1):
            if not token.strip(_SPACES):
                raise InputError(f"{self.source}, line {line}: a token must not be blank")
        for token in self.special_tokens:
            if token not in self.ids:
                raise InputError(f"{self.source}: the vocabulary lacks the special token {token}")

    @classmethod
    def from_file(cls, path: str | os.PathLike, *, sha256: str | None = None) -> "Vocabulary":
        """Reads a `vocab.txt` in UTF-8, as google-research/bert does.

        A byte-order mark, CR before LF, spaces around a token and empty last lines do not count.

        Args:
            path: str or path.
            sha256: str or None. Fingerprint of the vocabulary that the data beside it were made
                with; another one is an `InputError`.
        """
        vocabulary = cls(read_tokens(path), source=str(path))
        if sha256 not in (None, vocabulary.sha256):
            raise InputError(
                f"{path}: the data beside it were made with another vocabulary: SHA-256 {sha256} "
                f"expected. Received: {vocabulary.sha256}"
            )
        return vocabulary

    @classmethod
    def of(cls, value: "Vocabulary | Mapping[str, Any] | Iterable[str]") -> "Vocabulary":
        """Returns the vocabulary that `value` is, describes (`get_config`) or lists."""
        if isinstance(value, Vocabulary):
            return value
        return cls(**value) if isinstance(value, Mapping) else cls(tuple(value))

    def save(self, path: str | os.PathLike) -> None:
        """Writes one token per line."""
        with new_file(path) as temporary:
            temporary.write_text("\n".join(self.tokens) + "\n", encoding="utf-8", newline="\n")

    def __len__(self) -> int:
        return len(self.tokens)

    @functools.cached_property
    def ids(self) -> dict[str, int]:
        """Id of each token; the last one of a token that is repeated."""
        return {token: index for index, token in enumerate(self.tokens)}

    @functools.cached_property
    def sha256(self) -> str:
        """Fingerprint of the tokens in order, stored beside everything made from them."""
        return hashlib.sha256("\n".join(self.tokens).encode()).hexdigest()

    @functools.cached_property
    def special_ids(self) -> tuple[int, ...]:
        """Ids of the special tokens: padding, unknown, start, end, mask."""
        return tuple(self.ids[token] for token in self.special_tokens)

    @functools.cached_property
    def starts_word(self) -> np.ndarray:
        """Bool array `(vocabulary_size,)`: false for pieces that continue a word."""
        marked = np.array([t.startswith(_WORD_MARKERS[self.word_marker]) for t in self.tokens])
        starts = ~marked if self.word_marker == _INSIDE_WORD else marked
        starts[list(self.special_ids)] = True
        starts.flags.writeable = False
        return starts

    @property
    def pad_id(self) -> int:
        return self.special_ids[0]

    @property
    def unknown_id(self) -> int:
        return self.special_ids[1]

    @property
    def start_id(self) -> int:
        return self.special_ids[2]

    @property
    def end_id(self) -> int:
        return self.special_ids[3]

    @property
    def mask_id(self) -> int:
        return self.special_ids[4]

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments as JSON has them; `of` makes the vocabulary from them."""
        config = {"tokens": list(self.tokens), "special_tokens": list(self.special_tokens)}
        if self.word_marker != _INSIDE_WORD:
            config["word_marker"] = self.word_marker
        return config

    def to_text(self, token_ids: Iterable[int]) -> str:
        """Returns a readable rendering: pieces joined to words, padding left out."""
        words: list[str] = []
        for token_id in token_ids:
            token = self.tokens[int(token_id)]
            if token == self.special_tokens[0]:
                continue
            if token.startswith("##") and words:
                words[-1] += token[2:]
            else:
                words.append(token)
        return " ".join(words)


def read_tokens(path: str | os.PathLike) -> tuple[str, ...]:
    """Returns the tokens of a `vocab.txt`; see `Vocabulary.from_file`.

    Raises:
        InputError: If the file cannot be read, is not UTF-8 or is empty.
    """
    try:
        content = Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot read the vocabulary: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: the vocabulary must be UTF-8") from error
    # Not splitlines(): the published Chinese vocabulary holds U+2028 as a token.
    lines = content.removeprefix("\ufeff").split("\n")
    while lines and not lines[-1].strip(_SPACES):
        lines.pop()
    if not lines:
        raise InputError(f"{path}, line 1: the vocabulary is empty")
    # U+2028 is a token, though Python counts it as space.
    return tuple(line.strip() or line.strip(_SPACES) for line in lines)
