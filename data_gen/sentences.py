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
    sentences = (sentence.strip() for sentence in sentencex.segment(language, paragraph))
    return [sentence for sentence in sentences if sentence]
