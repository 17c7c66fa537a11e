"""Sentence boundaries."""

from collections.abc import Iterator

import sentencex

# sentencex 1.0 fails on a capital letter, a space of several bytes and a full stop.
_SPACES = dict.fromkeys([0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029], " ")
_SPACES |= dict.fromkeys([0x202F, 0x205F, 0x3000], " ")
# Characters that sentencex sees at a time: its time grows with the square of the sentences.
_MOST_CHARACTERS = 4000


def split_sentences(paragraph: str, language: str = "en") -> list[str]:
    """Splits a paragraph into sentences.

    Args:
        paragraph: str. Text without line breaks.
        language: str. A language code, such as `"en"` or `"zh"`.

    Returns:
        Non-empty sentences without surrounding space, each part of the paragraph as it is; longer
        ones than 4,000 characters are cut at a space.

    Example:

    ```python
    split_sentences("It rains. Fig. 3 shows it.")      # ["It rains.", "Fig. 3 shows it."]
    ```
    """
    plain = paragraph if paragraph.isascii() else paragraph.translate(_SPACES)
    sentences, end = [], 0
    for part in _parts(plain, language):
        sentence = paragraph[end : end + len(part)].strip()
        end += len(part)
        if sentence:
            sentences.append(sentence)
    return sentences


def _parts(text: str, language: str) -> Iterator[str]:
    """Yields the sentences of a text with the space around them."""
    begin = 0
    while begin < len(text):
        window = text[begin : begin + _MOST_CHARACTERS]
        parts = list(sentencex.segment(language, window))
        if begin + len(window) < len(text):
            if len(parts) > 1:
                # It may go on behind the window.
                parts.pop()
            else:
                parts = [window[: window.rfind(" ") + 1] or window]
        begin += sum(map(len, parts))
        yield from parts
