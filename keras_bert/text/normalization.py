"""BERT's text normalisation as TensorFlow string operations.

Most strings need little of it, so each step runs only on the strings that a regular expression
finds in need, and the operations of an empty selection cost nothing.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.text.character_rules import ASCII, WHITESPACE, rules_of


@dataclasses.dataclass(frozen=True)
class Normalizer:
    """Cleans strings as BERT does before it splits words.

    Invalid UTF-8 is dropped, control and format characters are deleted; case and accents go where
    the arguments say so. tf-text's own lower-casing is not used: it is Unicode case folding, which
    turns `ß` into `ss` and `½` into `1⁄2`.

    Args:
        lowercase: bool.
        strip_accents: bool or None. None: as `lowercase`, as in BERT.
        character_rules: `"bert"`, which equals google-research/bert, or `"tokenizers"`, which
            equals the `BertNormalizer` of Hugging Face's tokenizers.
        spaces: bool. Write every whitespace character as a space.
        chinese_spaces: bool. Put spaces around Chinese characters.

    Call arguments:
        text: string tensor of any shape.

    Returns:
        A string tensor of the same shape.

    Example:

    ```python
    Normalizer(lowercase=True)(tf.constant(["Café\\u00ad"]))                           # [b"cafe"]
    Normalizer(lowercase=True, strip_accents=False)(tf.constant(["Café\\u00ad"]))      # ["café"]
    ```

    References:
        - `tokenization.py` of google-research/bert.
    """

    lowercase: bool = True
    strip_accents: bool | None = None
    character_rules: str = "bert"
    spaces: bool = False
    chinese_spaces: bool = False

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        text = self.clean(text)
        if self.spaces:
            text = tf.strings.regex_replace(text, WHITESPACE, " ")
        if self.chinese_spaces:
            chinese = rules_of(self.character_rules).chinese
            text = tf.strings.regex_replace(text, f"({chinese})", r" \1 ")
        if self.lowercase:
            # ASCII first, because the operation for it is several times as fast.
            text = tf.strings.lower(text)
        if self.lowercase or self.strips_accents:
            text = _unless(ASCII, text, self._fold)
        return text

    @property
    def strips_accents(self) -> bool:
        return self.lowercase if self.strip_accents is None else self.strip_accents

    def clean(self, text: tf.Tensor) -> tf.Tensor:
        """Drops invalid UTF-8 and deletes control and format characters."""
        return _unless(rules_of(self.character_rules).clean, text, self._clean)

    def _clean(self, text):
        rules = rules_of(self.character_rules)
        text = tf.strings.unicode_transcode(
            text, "UTF-8", "UTF-8", errors="ignore", replace_control_characters=False
        )
        for pattern, replacement in rules.replaced.items():
            text = tf.strings.regex_replace(text, pattern, replacement)
        return tf.strings.regex_replace(text, rules.deleted, "")

    def _fold(self, text):
        rules = rules_of(self.character_rules)
        if self.lowercase:
            text = _replace_some(text, rules.capitals)
            text = tf.strings.lower(text, encoding="utf-8")
        if self.strips_accents:
            whole = rules.not_decomposed
            # Sorting a run of marks takes the square of its length, and all of them go.
            text = tf.strings.regex_replace(text, rules.sorted_accents, "")
            text = _replace_some(text, whole)
            text = tf_text.normalize_utf8(text, "NFD")
            text = tf.strings.regex_replace(text, rules.accents, "")
            text = _replace_some(text, {whole[character]: character for character in whole})
        return text


def _unless(pattern: str, text: tf.Tensor, function: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """Applies `function` to the strings that do not match `pattern`."""
    needed = tf.logical_not(tf.strings.regex_full_match(text, pattern))
    places = tf.where(needed)
    changed = function(tf.gather_nd(text, places))
    return tf.tensor_scatter_nd_update(text, places, changed)


def _replace_some(text: tf.Tensor, characters: dict[str, str]) -> tf.Tensor:
    """Replaces characters which few strings have."""
    if not characters:
        return text
    return _unless(f"[^{''.join(characters)}]*", text, _replace_each(characters))


def _replace_each(characters: dict[str, str]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function that replaces characters in strings `(rows,)`."""
    old = np.array(sorted(map(ord, characters)), "int32")
    new = np.array([ord(characters[chr(code)]) for code in old], "int32")

    def replace(text: tf.Tensor) -> tf.Tensor:
        codes = tf.strings.unicode_decode(text, "UTF-8")
        code = codes.flat_values
        place = tf.minimum(tf.searchsorted(old, code), len(old) - 1)
        code = tf.where(tf.gather(old, place) == code, tf.gather(new, place), code)
        return tf.strings.unicode_encode(codes.with_flat_values(code), "UTF-8")

    return replace
