"""Sentence boundaries."""

import sentencex

# sentencex 1.0 fails on a capital letter, a space of several bytes and a full stop.
_SPACES = dict.fromkeys([0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029], " ")
_SPACES |= dict.fromkeys([0x202F, 0x205F, 0x3000], " ")


def split_sentences(paragraph: str, language: str = "en") -> list[str]:
    """Splits a paragraph into sentences.

    Args:
        paragraph: str. Text without line breaks.
        language: str. A language code, such as `"en"` or `"zh"`.

    Returns:
        Non-empty sentences without surrounding space, each part of the paragraph as it is.

    Example:

    ```python
    split_sentences("It rains. Fig. 3 shows it.")      # ["It rains.", "Fig. 3 shows it."]
    ```
    """
    plain = paragraph if paragraph.isascii() else paragraph.translate(_SPACES)
    sentences, end = [], 0
    for part in sentencex.segment(language, plain):
        sentence = paragraph[end : end + len(part)].strip()
        end += len(part)
        if sentence:
            sentences.append(sentence)
    return sentences
