"""BERT's text normalisation as TensorFlow string operations.

Most strings need little of it, so each step runs only on the strings that a regular expression
finds in need, and the operations of an empty selection cost nothing. The tables are those of
Unicode 14: TensorFlow lower-cases by Unicode 13, its other operations know later versions, and
tokens should not change with a library's tables.
"""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_text as tf_text

# Assigned after Unicode 14 as nonspacing mark, punctuation, capital or composed letter.
LATER_CHARACTERS = (
    r"\x{ECE}\x{1B4E}-\x{1B4F}\x{1B7F}\x{105C9}\x{105E4}\x{10D6E}\x{10EFD}-\x{10EFF}\x{11241}"
    r"\x{11383}\x{11385}\x{1138E}\x{11391}\x{113C5}\x{113C7}-\x{113C8}\x{113D4}-\x{113D5}"
    r"\x{113D7}-\x{113D8}\x{11B00}-\x{11B09}\x{11BE1}\x{11F00}-\x{11F01}\x{11F36}-\x{11F3A}"
    r"\x{11F40}\x{11F42}-\x{11F4F}\x{13439}-\x{13455}\x{16121}-\x{16128}\x{16D68}-\x{16D6A}"
    r"\x{16D6D}-\x{16D6F}\x{1E08F}\x{1E4EC}-\x{1E4EF}\x{1E5FF}"
)
# A private character that no vocabulary has: like an unassigned one, a letter of an unknown word.
_UNASSIGNED = "\U0010fffd"
# Control (Cc) and format (Cf) characters and the replacement character are deleted; tab, newline
# and carriage return, although Cc, count as whitespace.
_DELETED = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x{9F}\p{Cf}\x{FFFD}]"
# Valid UTF-8 without any of these. The surrogates' encoding is no valid UTF-8.
_CLEAN = r"[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x{9F}\p{Cf}\p{Cs}\x{FFFD}" + LATER_CHARACTERS + "]*"
_ASCII = r"[\x00-\x7F]*"
_NONSPACING_MARKS = r"\p{Mn}+"
# Capitals of Unicode 14, with the distance to their small letters.
_NEW_CAPITALS = {
    0x2C2F: 48,
    **dict.fromkeys((0xA7C0, 0xA7D0, 0xA7D6, 0xA7D8), 1),
    **dict.fromkeys({*range(0x10570, 0x10596)} - {0x1057B, 0x1058B, 0x10593}, 39),
}


def normalize(text: tf.Tensor, *, lowercase: bool) -> tf.Tensor:
    """Cleans strings as `BasicTokenizer` of google-research/bert does before it splits words.

    Invalid UTF-8 is dropped, control and format characters are deleted; an uncased model's text is
    also lower-cased and stripped of accents. tf-text's own lower-casing is not used: it is Unicode
    case folding, which turns `ß` into `ss` and `½` into `1⁄2`.

    Args:
        text: string tensor of any shape.
        lowercase: bool. Lower-case and strip accents.

    Returns:
        A string tensor of the same shape.

    Example:

    ```python
    normalize(tf.constant(["Café\\u00ad"]), lowercase=True)      # [b"cafe"]
    ```

    References:
        - `tokenization.py` of google-research/bert.
    """
    text = _unless(_CLEAN, text, _clean)
    if lowercase:
        # ASCII first, because the operation for it is several times as fast.
        text = _unless(_ASCII, tf.strings.lower(text), _lowercase)
    return text


def _unless(pattern: str, text: tf.Tensor, function: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """Applies `function` to the strings that do not match `pattern`."""
    needed = tf.logical_not(tf.strings.regex_full_match(text, pattern))
    places = tf.where(needed)
    changed = function(tf.gather_nd(text, places))
    return tf.tensor_scatter_nd_update(text, places, changed)


def _clean(text: tf.Tensor) -> tf.Tensor:
    text = tf.strings.unicode_transcode(
        text, "UTF-8", "UTF-8", errors="ignore", replace_control_characters=False
    )
    text = tf.strings.regex_replace(text, f"[{LATER_CHARACTERS}]", _UNASSIGNED)
    return tf.strings.regex_replace(text, _DELETED, "")


def _lowercase(text: tf.Tensor) -> tf.Tensor:
    capitals = "".join(map(chr, _NEW_CAPITALS))
    text = _unless(f"[^{capitals}]*", text, _lowercase_new_capitals)
    text = tf.strings.lower(text, encoding="utf-8")
    text = tf_text.normalize_utf8(text, "NFD")
    return tf.strings.regex_replace(text, _NONSPACING_MARKS, "")


def _lowercase_new_capitals(text: tf.Tensor) -> tf.Tensor:
    for capital, distance in _NEW_CAPITALS.items():
        text = tf.strings.regex_replace(text, chr(capital), chr(capital + distance))
    return text
