"""Tokens that are found in the text as a whole, before it is split into words."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.errors import InputError
from keras_bert.text.ragged import row_ids

_SPACE = r"[\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]"
# Letters, marks, digits, connectors and joiners; with the letters that Unicode calls symbols.
_WORD = (
    r"[\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200C}\x{200D}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}"
    r"\x{1F150}-\x{1F169}\x{1F170}-\x{1F189}]"
)
_BUCKETS = 2**62


@dataclasses.dataclass(frozen=True)
class AddedToken:
    """A token that is found in the text as a whole, as `tokenizers.AddedToken`.

    Args:
        content: str. The token, one word or several.
        single_word: bool. Only where no letter, digit or mark stands beside it.
        lstrip: bool. Take in the whitespace before it.
        rstrip: bool. Take in the whitespace after it.
        normalized: bool. Find it in the normalised text, so that "Covid" is found where "COVID"
            is written. False: in the text as it is written.
        special: bool. A mark for models rather than a word. It only travels with the token.

    Raises:
        InputError: If `content` is not a string or empty, or another argument is not a bool.
    """

    content: str
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = True
    special: bool = False

    def __post_init__(self):
        # tf-text's expressions end at NUL, and a line holds one token.
        if not isinstance(self.content, str) or not self.content or {*self.content} & {*"\0\n\r"}:
            raise InputError(
                "an added token must be a string that is not empty and has no line breaks. "
                f"Received: content={self.content!r}"
            )
        for field in dataclasses.fields(self)[1:]:
            if not isinstance(getattr(self, field.name), bool):
                raise InputError(
                    f"`{field.name}` of the added token {self.content!r} must be a bool. "
                    f"Received: {getattr(self, field.name)!r}"
                )

    @classmethod
    def of(cls, value: "AddedToken | Mapping[str, Any] | str") -> Self:
        """Returns the token that `value` is, describes or names."""
        if isinstance(value, AddedToken):
            return value
        return cls(**value) if isinstance(value, Mapping) else cls(value)


def added_tokens_of(
    values: "Iterable[AddedToken | Mapping[str, Any] | str]",
) -> tuple[AddedToken, ...]:
    """Returns added tokens in order; of those with equal content, the last one's flags count.

    Raises:
        InputError: If `values` is one string, or an item is not a token.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"`tokens` must be a list of tokens. Received: tokens={values!r}")
    tokens = [AddedToken.of(value) for value in values]
    return tuple({token.content: token for token in tokens}.values())


class Pieces(NamedTuple):
    """Texts in pieces, in order; each vector `(pieces,)`."""

    row: tf.Tensor  # int64: the text.
    text: tf.Tensor  # The piece; an added token as it is written in the text.
    token: tf.Tensor  # int32: the id of an added token, -1 elsewhere.
    start: tf.Tensor  # int64: bytes of the text.
    end: tf.Tensor  # int64, exclusive.

    @property
    def plain(self) -> tf.Tensor:
        """The pieces without added tokens: those are empty."""
        return tf.where(self.token < 0, self.text, "")


class AddedTokenSplitter:
    """Cuts texts at added tokens as `tokenizers` does: the first, of those the longest.

    Args:
        tokens: sequence of `AddedToken`.
        patterns: sequence of str, all different. What to find for each: its content, or that
            normalised.
        ids: sequence of int.
    """

    def __init__(
        self, tokens: tuple[AddedToken, ...], patterns: tuple[str, ...], ids: tuple[int, ...]
    ):
        self._tokens = tokens
        # RE2 takes the first alternative that fits.
        longest_first = sorted(patterns, key=lambda pattern: (-len(pattern), pattern))
        self._expression = "(" + "|".join(map(re.escape, longest_first)) + ")"
        hashes = tf.strings.to_hash_bucket_fast(patterns, _BUCKETS).numpy()
        places = np.argsort(hashes)
        self._hashes = hashes[places]
        self._patterns = [patterns[place] for place in places]
        self._ids = np.array(ids, "int32")[places]
        self._flags = {
            name: np.array([getattr(token, name) for token in tokens])[places]
            for name in ("single_word", "lstrip", "rstrip")
        }

    def __call__(self, text: tf.Tensor) -> Pieces:
        """Cuts strings `(rows,)`."""
        # tf-text ends a string at NUL; normalisation deletes both.
        text = tf.strings.regex_replace(text, r"\x00", "\x01")
        pieces, starts, ends = tf_text.regex_split_with_offsets(
            text, self._expression, self._expression
        )
        piece, row = pieces.flat_values, row_ids(pieces)
        # A binary search: a table would have to be tracked by whoever exports the graph.
        found = tf.searchsorted(
            tf.constant(self._hashes), tf.strings.to_hash_bucket_fast(piece, _BUCKETS)
        )
        found = tf.minimum(found, len(self._patterns) - 1)
        found = tf.where(tf.gather(tf.constant(self._patterns), found) == piece, found, -1)
        if self._flags["single_word"].any():
            found = self._single_words(found, piece, row)
        pieces = self._joined(found, piece, row, starts.flat_values, ends.flat_values)
        return self._stripped(*pieces)

    def _has(self, flag: str, found: tf.Tensor) -> tf.Tensor:
        """Whether each is an added token with a flag."""
        values = tf.gather(tf.constant(self._flags[flag]), tf.maximum(found, 0))
        return tf.logical_and(found >= 0, values)

    def _single_words(self, found, piece, row):
        """Drops tokens that are part of a word and must not be."""
        same_row = row[1:] == row[:-1]
        begins = tf.strings.regex_full_match(piece, f"(?s){_WORD}.*")
        ends = tf.strings.regex_full_match(piece, f"(?s).*{_WORD}")
        before = tf.concat([tf.zeros_like(ends[:1]), tf.logical_and(ends[:-1], same_row)], 0)
        after = tf.concat([tf.logical_and(begins[1:], same_row), tf.zeros_like(begins[:1])], 0)
        inside = tf.logical_and(self._has("single_word", found), tf.logical_or(before, after))
        return tf.where(inside, -1, found)

    @staticmethod
    def _joined(found, piece, row, start, end):
        """Joins neighbouring pieces without tokens."""
        continues = tf.logical_and(row[1:] == row[:-1], tf.maximum(found[1:], found[:-1]) < 0)
        first = tf.concat([tf.ones_like(found[:1], tf.bool), tf.logical_not(continues)], 0)
        last = tf.concat([first[1:], tf.ones_like(found[:1], tf.bool)], 0)
        number = tf.cumsum(tf.cast(first, tf.int64)) - 1
        count = tf.reduce_sum(tf.cast(first, tf.int64))
        text = tf.strings.unsorted_segment_join(piece, number, count)
        found, row, start = (tf.boolean_mask(part, first) for part in (found, row, start))
        return found, text, row, start, tf.boolean_mask(end, last)

    def _stripped(self, found, text, row, start, end):
        """Gives tokens the whitespace beside them."""
        plain = found < 0
        same_row = row[1:] == row[:-1]
        nowhere = tf.zeros_like(plain[:1])
        if self._flags["rstrip"].any():
            after = tf.logical_and(self._has("rstrip", found)[:-1], same_row)
            after = tf.logical_and(plain, tf.concat([nowhere, after], 0))
            text = tf.where(after, tf.strings.regex_replace(text, rf"\A{_SPACE}+", ""), text)
            start = tf.where(plain, end - _bytes(text), start)
            taken = tf.concat([start[1:], end[-1:]], 0)
            grows = tf.concat([after[1:], nowhere], 0)
            end = tf.where(grows, taken, end)
        if self._flags["lstrip"].any():
            before = tf.logical_and(self._has("lstrip", found)[1:], same_row)
            before = tf.logical_and(plain, tf.concat([before, nowhere], 0))
            text = tf.where(before, tf.strings.regex_replace(text, rf"{_SPACE}+\z", ""), text)
            end = tf.where(plain, start + _bytes(text), end)
            taken = tf.concat([start[:1], end[:-1]], 0)
            grows = tf.concat([nowhere, before[:-1]], 0)
            start = tf.where(grows, taken, start)
        kept = tf.logical_or(found >= 0, text != "")
        token = tf.where(plain, -1, tf.gather(tf.constant(self._ids), tf.maximum(found, 0)))
        parts = (row, text, token, start, end)
        return Pieces(*(tf.boolean_mask(part, kept) for part in parts))


def _bytes(text: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.strings.length(text), tf.int64)


def with_tokens(
    pieces: Pieces, values: tf.RaggedTensor, of_tokens: tf.Tensor, rows: tf.Tensor
) -> tf.RaggedTensor:
    """Puts what is known of pieces together for their texts.

    Args:
        pieces: `Pieces`.
        values: `(pieces, values)` of the plain pieces; nothing for added tokens.
        of_tokens: `(pieces,)`. The value of each added token.
        rows: int64 scalar. Number of texts.

    Returns:
        A ragged tensor `(rows, values)`.
    """
    is_token = pieces.token >= 0
    single = tf.RaggedTensor.from_row_lengths(
        tf.boolean_mask(of_tokens, is_token), tf.cast(is_token, tf.int64)
    )
    # A piece is text or a token: one of the two has nothing in its row.
    of_pieces = tf.concat([values, single], 1)
    return tf.RaggedTensor.from_value_rowids(of_pieces, pieces.row, rows).merge_dims(1, 2)
