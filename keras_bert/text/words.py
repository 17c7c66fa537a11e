"""Texts to words as annotators of named entities divide them, with the way back to the text."""

import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.text.offsets import substrings
from keras_bert.text.ragged import row_ids

_CHINESE = (
    r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2CEAF}"
    r"\x{2F800}-\x{2FA1F}"
)
_NO_LETTER = r"\s\p{Z}\p{P}\p{S}" + _CHINESE
_LETTER = f"[^{_NO_LETTER}]"
_APOSTROPHE = r"['\x{2019}]"
# In the order in which they are tried at each place; RE2 cannot look ahead, except for \b and \B.
_WORD = "|".join(
    (
        # U.S., e.g. and J., unless a letter follows
        r"(?:\p{L}\.){2,}\B",
        r"\p{Lu}\.\B",
        f"[{_CHINESE}]",
        # the 's of Germany's
        rf"{_APOSTROPHE}[sS]\b",
        # don't, O'Brien, 1,000, AC-Milan: from a letter to the last one before a space, unless it
        # is that 's
        rf"{_LETTER}(?:(?:[^\s\p{{Z}}'\x{{2019}}{_CHINESE}])*{_LETTER}"
        rf"|{_APOSTROPHE}(?:[^sS{_NO_LETTER}]|[sS]\w))*",
        r"\.+|-+",
        r"[\p{P}\p{S}]",
    )
)
_PIECE = rf"([\s\p{{Z}}]+|{_WORD})"


def split_words(text: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
    """Splits texts into words, in operations that TensorFlow Serving has.

    A word is a run without spaces. Punctuation is split off at both ends, each mark a word of its
    own, except that dots and dashes in a row stay together, as do initials with their dot (`U.S.`,
    `J.`). An `'s` is a word, and so is each Chinese character. That is near to how the data of
    CoNLL-2003 are divided.

    Args:
        text: strings `(batch,)`.

    Returns:
        The words, strings, and their starts and exclusive ends in bytes of the text, int64, each a
        `tf.RaggedTensor` `(batch, (words))`.

    Example:

    ```python
    words, starts, ends = split_words(["Germany's team (1974)."])
    # [["Germany", "'s", "team", "(", "1974", ")", "."]]
    ```
    """
    # tf-text ends a string at NUL.
    whole = tf.strings.regex_replace(text, r"\x00", "\x01")
    _, starts, ends = tf_text.regex_split_with_offsets(whole, _PIECE, f"({_WORD})")
    words = substrings(text, row_ids(starts), starts.flat_values, ends.flat_values)
    return starts.with_flat_values(words), starts, ends
