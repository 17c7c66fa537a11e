"""BERT's tokenization rules written down as plain Python: slow, and meant to be read.

Source of the rules: `tokenization.py` of google-research/bert.
"""

import unicodedata

CJK_BLOCKS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def clean(text: str) -> str:
    kept = []
    for character in text:
        if character in "\t\n\r" or unicodedata.category(character) == "Zs":
            kept.append(" ")
        elif character not in "\x00\ufffd" and unicodedata.category(character) not in ("Cc", "Cf"):
            kept.append(character)
    return "".join(kept)


def is_cjk(character: str) -> bool:
    return any(low <= ord(character) <= high for low, high in CJK_BLOCKS)


def is_punctuation(character: str) -> bool:
    # All ASCII symbols count, also those that Unicode calls symbols, such as $ and ^.
    ascii_symbol = character.isascii() and character.isprintable() and not character.isalnum()
    return (ascii_symbol and character != " ") or unicodedata.category(character).startswith("P")


def words(text: str, lowercase: bool) -> list[str]:
    spaced = "".join(f" {c} " if is_cjk(c) else c for c in clean(text))
    result = []
    for word in spaced.split():
        if lowercase:
            decomposed = unicodedata.normalize("NFD", word.lower())
            word = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
        split = "".join(f" {c} " if is_punctuation(c) else c for c in word)
        result += split.split()
    return result


def pieces(word: str, vocabulary: set[str]) -> list[str]:
    if len(word) > 200:
        return ["[UNK]"]
    result, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocabulary:
                result.append(piece)
                start = end
                break
        else:
            return ["[UNK]"]
    return result


def tokenize(text: str | bytes, vocabulary: set[str], lowercase: bool = True) -> list[str]:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "ignore")
    return [piece for word in words(text, lowercase) for piece in pieces(word, vocabulary)]
