"""Normalised text to WordPieces: words first, then the longest pieces of each."""

import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.errors import InputError
from keras_bert.text.character_rules import WHITESPACE, CharacterRules
from keras_bert.text.offsets import bytes_before, bytes_of
from keras_bert.text.ragged import keep, row_ids
from keras_bert.text.vocabulary import Vocabulary

# tf-text counts bytes, BERT characters.
_LONGEST_CHARACTER = 4
# RE2 counts no further.
_MOST_REPEATS = 1000
_COMMON_CHINESE = r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}"


def split_normalized(
    text: tf.Tensor, rules: CharacterRules, *, tokenize_chinese_chars: bool = True
) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Splits normalised text into words: what stands between spaces, each mark by itself.

    Args:
        text: strings `(rows,)`, as `Normalizer` returns them.
        rules: `CharacterRules`.
        tokenize_chinese_chars: bool. Make a word of each Chinese character.

    Returns:
        The words, strings, and their starts in bytes, int64, each `(rows, words)`. Words of more
        than `rules.max_characters` are among them, though `WordPieces` knows none.
    """
    alone = rules.punctuation
    if tokenize_chinese_chars:
        alone += f"|{rules.chinese}"
    words, starts, _ = tf_text.regex_split_with_offsets(text, f"{WHITESPACE}|{alone}", alone)
    return words, starts


class WordPieces:
    """Splits normalised text into WordPieces.

    Args:
        vocabulary: `Vocabulary`.
        rules: `CharacterRules`.
        tokenize_chinese_chars: bool. Make a word of each Chinese character.
        max_characters: int. Longer words are unknown.

    Call arguments:
        text: strings `(rows,)`, as `Normalizer` returns them.

    Returns:
        A list of three ragged tensors `(rows, tokens)`: the ids, int32, and their starts and
        exclusive ends, int64, in bytes of `text`.

    Raises:
        InputError: If the vocabulary has no words, or `max_characters` is not a positive integer.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        rules: CharacterRules,
        *,
        tokenize_chinese_chars: bool,
        max_characters: int,
    ):
        if type(max_characters) is not int or max_characters < 1:
            raise InputError(
                "`max_input_chars_per_word` must be a positive integer. "
                f"Received: max_input_chars_per_word={max_characters!r}"
            )
        self._vocabulary = vocabulary
        self._max_characters = max_characters
        self._starts_word = vocabulary.starts_word
        chinese = _COMMON_CHINESE if tokenize_chinese_chars else ""
        # Every long word matches, and so may some runs of words with other punctuation between.
        self._has_long_word = (
            r"(?s).*[^\s!-/:-@\[-`{-~" + chinese + "]"
            f"{{{min(max_characters + 1, _MOST_REPEATS)}}}.*"
        )
        self._whole_texts = self._fast(split_words=True)
        others = [rules.other_words] if rules.other_words else []
        self._rules = rules
        self._tokenize_chinese_chars = tokenize_chinese_chars
        if not tokenize_chinese_chars:
            others.append(rules.chinese)
        self._words = self._fast(split_words=False) if others else None
        self._has_others = f"(?s).*(?:{'|'.join(others)}).*"

    def _fast(self, *, split_words: bool) -> tf_text.FastWordpieceTokenizer:
        # tf-text wants distinct tokens; no word has a space.
        tokens = [
            token if self._vocabulary.ids[token] == index else f" {index}"
            for index, token in enumerate(self._vocabulary.tokens)
        ]
        try:
            return tf_text.FastWordpieceTokenizer(
                tokens,
                max_bytes_per_word=self._max_characters * _LONGEST_CHARACTER,
                token_out_type=tf.int32,
                unknown_token=self._vocabulary.special_tokens[1],
                no_pretokenization=not split_words,
            )
        except RuntimeError as error:  # For example: special tokens and nothing else.
            raise InputError(
                f"{self._vocabulary.source}: cannot tokenize with these tokens: {error}"
            ) from error

    @staticmethod
    def unfinished_word(*, chinese: bool) -> str:
        """Returns an expression of what follows the last place where a text may be cut."""
        # Other control characters are deleted, and do not end a word.
        return rf"[^ \t\n\r{_COMMON_CHINESE if chinese else ''}]*\z"

    def __call__(self, text: tf.Tensor) -> list[tf.RaggedTensor]:
        if self._words is None:
            parts = self._whole_texts.tokenize_with_offsets(text)
        else:
            others = tf.strings.regex_full_match(text, self._has_others)
            parts = tf.cond(
                tf.reduce_any(others),
                lambda: self._tokenize_mixed(text, others),
                lambda: self._whole_texts.tokenize_with_offsets(text),
            )
        return self._hide_long_words(text, *parts)

    def _tokenize_mixed(self, text, others):
        """tf-text splits most texts into words itself; `others` it would split otherwise."""
        first, second = tf.where(tf.logical_not(others))[:, 0], tf.where(others)[:, 0]
        order = tf.argsort(tf.concat([first, second], 0))
        parts = self._whole_texts.tokenize_with_offsets(tf.gather(text, first))
        other_parts = self._tokenize_words(tf.gather(text, second))
        return tuple(
            tf.gather(tf.concat(both, 0), order) for both in zip(parts, other_parts, strict=True)
        )

    def _tokenize_words(self, text):
        words, begins = split_normalized(
            text, self._rules, tokenize_chinese_chars=self._tokenize_chinese_chars
        )
        ids, starts, ends = self._words.tokenize_with_offsets(words.flat_values)
        shift = tf.gather(begins.flat_values, row_ids(ids))
        parts = (
            ids,
            starts.with_flat_values(starts.flat_values + shift),
            ends.with_flat_values(ends.flat_values + shift),
        )
        # (rows, words, tokens) -> (rows, tokens)
        return tuple(words.with_flat_values(part).merge_dims(1, 2) for part in parts)

    def _hide_long_words(self, normal, ids, starts, ends):
        """Makes one [UNK] of each word of more characters than the reference allows."""

        def hide():
            first = tf.where(tf.gather(self._starts_word, ids.flat_values))[:, 0]
            following = tf.concat([first[1:], tf.size(ids.flat_values, tf.int64)[tf.newaxis]], 0)
            last = following[: tf.size(first)] - 1
            begin, end = tf.gather(starts.flat_values, first), tf.gather(ends.flat_values, last)
            shift = tf.gather(bytes_before(normal), tf.gather(row_ids(ids), first))
            # Of a character of several bytes all but the first are 10xxxxxx.
            others = tf.where(tf.bitwise.bitwise_and(bytes_of(normal), 0xC0) == 0x80)[:, 0]
            first_others, end_others = (
                tf.searchsorted(others, place + shift, out_type=tf.int64) for place in (begin, end)
            )
            long = end - begin - (end_others - first_others) > self._max_characters
            head, tail = tf.boolean_mask(first, long)[:, tf.newaxis], tf.boolean_mask(last, long)
            # +1 after the first piece, -1 after the last one: positive on the pieces to drop.
            size = tf.shape(ids.flat_values, tf.int64)
            steps = tf.scatter_nd(head + 1, tf.ones_like(tail), size + 1)
            steps = tf.tensor_scatter_nd_sub(steps, tail[:, tf.newaxis] + 1, tf.ones_like(tail))
            kept = tf.cumsum(steps)[:-1] == 0
            unknown = tf.fill(tf.shape(tail), self._vocabulary.unknown_id)
            new_ids = tf.tensor_scatter_nd_update(ids.flat_values, head, unknown)
            new_ends = tf.gather(ends.flat_values, tail)
            new_ends = tf.tensor_scatter_nd_update(ends.flat_values, head, new_ends)
            return (
                keep(ids.with_flat_values(new_ids), kept),
                keep(starts, kept),
                keep(ends.with_flat_values(new_ends), kept),
            )

        suspect = tf.strings.regex_full_match(normal, self._has_long_word)
        return tf.cond(tf.reduce_any(suspect), hide, lambda: (ids, starts, ends))
