"""BERT's text normalisation as TensorFlow string operations."""

import tensorflow as tf
import tensorflow_text as tf_text

# Control (Cc) and format (Cf) characters and the replacement character are deleted; tab, newline
# and carriage return, although Cc, count as whitespace.
_DELETED = r"[^\P{Cc}\t\n\r]|\p{Cf}|\x{FFFD}"
_NONSPACING_MARKS = r"\p{Mn}+"


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
    text = tf.strings.unicode_transcode(
        text, "UTF-8", "UTF-8", errors="ignore", replace_control_characters=False
    )
    text = tf.strings.regex_replace(text, _DELETED, "")
    if lowercase:
        text = tf.strings.lower(text, encoding="utf-8")
        text = tf_text.normalize_utf8(text, "NFD")
        text = tf.strings.regex_replace(text, _NONSPACING_MARKS, "")
    return text
