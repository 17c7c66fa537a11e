"""Sentence boundaries."""

import sentencex


def split_sentences(paragraph: str, language: str = "en") -> list[str]:
    """Splits a paragraph into sentences.

    Args:
        paragraph: str. Text without line breaks.
        language: str. A language code, such as `"en"` or `"zh"`.

    Returns:
        Non-empty sentences without surrounding space.

    Example:

    ```python
    split_sentences("It rains. Fig. 3 shows it.")      # ["It rains.", "Fig. 3 shows it."]
    ```
    """
    return list(filter(None, map(str.strip, sentencex.segment(language, paragraph))))
