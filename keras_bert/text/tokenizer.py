"""WordPiece in the TensorFlow graph, with BERT's own normalisation."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.atomic import write_json
from keras_bert.errors import InputError
from keras_bert.text.normalization import normalize
from keras_bert.text.offsets import source_spans, substrings
from keras_bert.text.packing import keep_first
from keras_bert.text.tokenization import Tokenizer, flatten, restore
from keras_bert.text.vocabulary import SPECIAL_TOKENS, UNKNOWN, Vocabulary

# A word of more than 200 characters is [UNK] in the reference; tf-text counts bytes.
_LONGEST_WORD = 200
_LONGEST_CHARACTER = 4
# Every long word matches, and so may some runs of words with other punctuation between them.
_HAS_LONG_WORD = (
    r"(?s).*[^\s!-/:-@\[-`{-~\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}]{" + f"{_LONGEST_WORD + 1}" + r"}.*"
)
# What follows the last space or Chinese character; before it, a text may be cut.
_UNFINISHED_WORD = r"[^\s\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}]*\z"
# Bytes to read for each token that is wanted; English has 5, Chinese 3.
_BYTES_PER_TOKEN = 8


@keras.saving.register_keras_serializable("keras_bert")
class BertTokenizer(Tokenizer):
    """Splits strings into WordPiece ids as google-research/bert does.

    Args:
        vocabulary: `Vocabulary` or a sequence of tokens.
        lowercase: bool. Lower-case and strip accents: true for uncased models.
        sequence_length: int or None. The length a model was trained with; the tokenizer only
            remembers it in `tokenizer_config.json` (`model_max_length`).
        special_tokens_in_text: bool. Whether `"[MASK]"` and the other special tokens, written so in
            the text, become their ids. By default they are plain text, so that nobody can bring
            them in.

    Call arguments:
        text: strings of any shape: a string, a list, a NumPy array, a tensor or a ragged tensor.

    Returns:
        An int32 `tf.RaggedTensor` of shape `(..., tokens)`; a dense vector `(tokens,)` for one
        string.

    Raises:
        InputError: If the vocabulary is not valid.

    Example:

    ```python
    tokenizer = BertTokenizer.from_vocabulary("vocab.txt", lowercase=True)
    tokenizer(["Hello, world!"])        # <tf.RaggedTensor [[7592, 1010, 2088, 999]]>
    ```

    References:
        - `FullTokenizer` in `tokenization.py` of google-research/bert.
        - Song et al. 2021, arXiv:2012.15524 (the linear-time algorithm of tf-text).
    """

    def __init__(
        self,
        vocabulary: Vocabulary | Sequence[str],
        *,
        lowercase: bool = True,
        sequence_length: int | None = None,
        special_tokens_in_text: bool = False,
        **kwargs: Any,
    ):
        super().__init__(Vocabulary.of(vocabulary), **kwargs)
        self.lowercase = lowercase
        self.sequence_length = sequence_length
        self.special_tokens_in_text = special_tokens_in_text
        try:
            self._wordpiece = tf_text.FastWordpieceTokenizer(
                list(self.vocabulary.tokens),
                max_bytes_per_word=_LONGEST_WORD * _LONGEST_CHARACTER,
                token_out_type=tf.int32,
                unknown_token=UNKNOWN,
            )
        except RuntimeError as error:  # For example: special tokens and nothing else.
            raise InputError(
                f"{self.vocabulary.source}: cannot tokenize with these tokens: {error}"
            ) from error
        self._starts_word = self.vocabulary.starts_word

    @classmethod
    def from_vocabulary(cls, path: str | os.PathLike, *, lowercase: bool = True) -> "BertTokenizer":
        """Reads a `vocab.txt`."""
        return cls(Vocabulary.from_file(path), lowercase=lowercase)

    @classmethod
    def from_checkpoint(cls, directory: str | os.PathLike) -> "BertTokenizer":
        """Reads `vocab.txt` and, where present, `tokenizer_config.json` of a model directory.

        Raises:
            InputError: If the vocabulary is missing or the configuration asks for a normalisation
                that BERT does not have.
        """
        directory = Path(directory)
        settings: dict[str, Any] = {}
        path = directory / "tokenizer_config.json"
        if path.exists():
            try:
                settings = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise InputError(f"{path}: not JSON: {error}") from error
        lowercase = settings.get("do_lower_case", True)
        if settings.get("strip_accents") not in (None, lowercase):
            raise InputError(
                f"{path}: `strip_accents` must equal `do_lower_case`, as in BERT. "
                f"Received: strip_accents={settings['strip_accents']}"
            )
        length = settings.get("model_max_length")
        return cls(
            Vocabulary.from_file(directory / "vocab.txt"),
            lowercase=lowercase,
            # Hugging Face writes 10^30 where no length was set.
            sequence_length=length if isinstance(length, int) and length < 1 << 30 else None,
        )

    def save_assets(self, directory: str | os.PathLike) -> None:
        """Writes `vocab.txt` and `tokenizer_config.json`, as in Hugging Face's layout."""
        directory = Path(directory)
        self.vocabulary.save(directory / "vocab.txt")
        names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
        settings = {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": self.lowercase,
            **dict(zip(names, SPECIAL_TOKENS, strict=True)),
        }
        if self.sequence_length:
            settings["model_max_length"] = self.sequence_length
        write_json(directory / "tokenizer_config.json", settings)

    def tokenize_rows(self, text):
        return self._tokenize(text)[0]

    def first_tokens(self, text, count):
        # The beginning of a long string usually holds enough tokens; it is cut where it cannot
        # change them. Where it does not hold enough, the whole string is read.
        beginning = tf.strings.substr(text, 0, count * _BYTES_PER_TOKEN)
        cut = tf.strings.length(text) > count * _BYTES_PER_TOKEN
        places = tf.where(cut)
        shortened = tf.strings.regex_replace(tf.gather_nd(beginning, places), _UNFINISHED_WORD, "")
        tokens = self.tokenize_rows(tf.tensor_scatter_nd_update(text, places, shortened))
        places = tf.where(tf.logical_and(cut, tokens.row_lengths() < count))
        whole = self.tokenize_rows(tf.gather_nd(text, places))
        order = tf.tensor_scatter_nd_update(
            tf.range(tokens.nrows()), places, tokens.nrows() + tf.range(whole.nrows())
        )
        tokens = tf.gather(tf.concat([tokens, whole], axis=0), order)
        return keep_first(tokens, tf.fill([tokens.nrows()], tf.constant(count, tf.int64)))

    def tokenize_with_offsets(self, text):
        """Tokenizes and says which bytes of the given strings each token stands for.

        Args:
            text: strings of any shape.

        Returns:
            Three tensors of the shape that a call returns: the ids, int32, and their starts and
            exclusive ends, int64, in bytes of the string as it was given: before normalisation,
            invalid bytes included. An accent that was stripped belongs to the token before it;
            tokens that come from one character share its span.

        Example:

        ```python
        ids, starts, ends = tokenizer.tokenize_with_offsets("Café!")    # starts [0 5], ends [5 6]
        ```
        """
        text = self.to_strings(text)
        return tuple(restore(text, part) for part in self._tokenize(flatten(text), offsets=True))

    def word_ids(self, token_ids):
        """Numbers the words of each string and says to which of them each token belongs.

        A word is what stands between spaces and punctuation; each punctuation mark and each
        Chinese character is one of its own.

        Args:
            token_ids: int32 tensor or ragged tensor `(..., tokens)`, as a call returns it.

        Returns:
            int32 of the same shape, counted from 0 in each string.
        """
        if isinstance(token_ids, tf.RaggedTensor) and token_ids.ragged_rank > 1:
            return token_ids.with_values(self.word_ids(token_ids.values))
        starts = tf.cast(tf.gather(self._starts_word, token_ids), tf.int32)
        if not isinstance(starts, tf.RaggedTensor):
            return tf.cumsum(starts, axis=-1) - 1
        counted = tf.concat([[0], tf.cumsum(starts.flat_values)], 0)
        before = tf.gather(counted, tf.gather(starts.row_starts(), starts.value_rowids()))
        return starts.with_flat_values(counted[1:] - before - 1)

    def _tokenize(self, text, offsets=False):
        """Returns `[ids]` of strings `(rows,)`, or `[ids, starts, ends]`."""
        if not self.special_tokens_in_text:
            return self._tokenize_plain(text, offsets)
        pattern = "|".join(map(re.escape, SPECIAL_TOKENS))
        # tf-text ends a string at NUL; both control characters are deleted later.
        whole = tf.strings.regex_replace(text, r"\x00", "\x01")
        pieces, starts, ends = tf_text.regex_split_with_offsets(
            whole, f"({pattern})", f"({pattern})"
        )
        piece = pieces.flat_values
        special_id = tf.fill(tf.shape(piece), -1)
        for token, token_id in zip(SPECIAL_TOKENS, self.vocabulary.special_ids, strict=True):
            special_id = tf.where(piece == token, token_id, special_id)
        special = special_id >= 0
        parts = self._tokenize_plain(tf.where(special, "", piece), offsets)
        # A piece is text or a special token: one of the two ragged tensors has nothing in its row.
        counts = tf.cast(special, tf.int64)
        result = []
        values_of_pieces = (special_id, starts.flat_values, ends.flat_values)[: len(parts)]
        for part, values in zip(parts, values_of_pieces, strict=True):
            if part.dtype == tf.int64:
                shift = tf.gather(starts.flat_values, part.value_rowids())
                part = part.with_flat_values(part.flat_values + shift)
            values = tf.RaggedTensor.from_row_lengths(tf.boolean_mask(values, special), counts)
            # (rows, pieces, tokens) -> (rows, tokens)
            result.append(pieces.with_flat_values(tf.concat([part, values], 1)).merge_dims(1, 2))
        return result

    def _tokenize_plain(self, text, offsets):
        normal = normalize(text, lowercase=self.lowercase)
        ids, starts, ends = self._wordpiece.tokenize_with_offsets(normal)
        ids, starts, ends = self._hide_long_words(normal, ids, starts, ends)
        if not offsets:
            return [ids]
        return [ids, *source_spans(text, starts, ends, lowercase=self.lowercase)]

    def _hide_long_words(self, normal, ids, starts, ends):
        """Makes one [UNK] of each word of more characters than the reference allows."""

        def hide():
            first = tf.where(tf.gather(self._starts_word, ids.flat_values))[:, 0]
            following = tf.concat([first[1:], tf.size(ids.flat_values, tf.int64)[tf.newaxis]], 0)
            last = following[: tf.size(first)] - 1
            begin, end = tf.gather(starts.flat_values, first), tf.gather(ends.flat_values, last)
            words = substrings(normal, tf.gather(ids.value_rowids(), first), begin, end)
            long = tf.strings.length(words, "UTF8_CHAR") > _LONGEST_WORD
            head, tail = tf.boolean_mask(first, long)[:, tf.newaxis], tf.boolean_mask(last, long)
            # +1 after the first piece, -1 after the last one: positive on the pieces to drop.
            size = tf.shape(ids.flat_values, tf.int64)
            steps = tf.scatter_nd(head + 1, tf.ones_like(tail), size + 1)
            steps = tf.tensor_scatter_nd_sub(steps, tail[:, tf.newaxis] + 1, tf.ones_like(tail))
            kept = ids.with_flat_values(tf.cumsum(steps)[:-1] == 0)
            unknown = tf.fill(tf.shape(tail), self.vocabulary.unknown_id)
            new_ids = tf.tensor_scatter_nd_update(ids.flat_values, head, unknown)
            new_ends = tf.gather(ends.flat_values, tail)
            new_ends = tf.tensor_scatter_nd_update(ends.flat_values, head, new_ends)
            return (
                tf.ragged.boolean_mask(ids.with_flat_values(new_ids), kept),
                tf.ragged.boolean_mask(starts, kept),
                tf.ragged.boolean_mask(ends.with_flat_values(new_ends), kept),
            )

        suspect = tf.strings.regex_full_match(normal, _HAS_LONG_WORD)
        return tf.cond(tf.reduce_any(suspect), hide, lambda: (ids, starts, ends))

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary": self.vocabulary.get_config(),
            "lowercase": self.lowercase,
            "sequence_length": self.sequence_length,
            "special_tokens_in_text": self.special_tokens_in_text,
        }
