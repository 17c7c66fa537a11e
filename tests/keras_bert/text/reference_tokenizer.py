"""BERT's tokenization rules written down as plain Python: slow, and meant to be read.

Source of the rules: `tokenization.py` of google-research/bert.
"""

import functools
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


# A character of the text in work, with the place in the user's string that it comes from.
Placed = tuple[str, int]


@functools.cache
def cleaned(character: str) -> str:
    if character in "\t\n\r" or unicodedata.category(character) == "Zs":
        return " "
    if character in "\x00\ufffd" or unicodedata.category(character) in ("Cc", "Cf"):
        return ""
    return character


def clean(text: str) -> list[Placed]:
    return [(cleaned(c), place) for place, c in enumerate(text) if cleaned(c)]


@functools.cache
def is_cjk(character: str) -> bool:
    return any(low <= ord(character) <= high for low, high in CJK_BLOCKS)


@functools.cache
def is_punctuation(character: str) -> bool:
    # All ASCII symbols count, also those that Unicode calls symbols, such as $ and ^.
    ascii_symbol = character.isascii() and character.isprintable() and not character.isalnum()
    return (ascii_symbol and character != " ") or unicodedata.category(character).startswith("P")


def split(text: list[Placed], is_alone) -> list[list[Placed]]:
    """Splits at whitespace and makes a word of each character that stands alone."""
    result, word = [], []
    for character, place in text:
        alone = is_alone(character)
        if not alone and not character.isspace():
            word.append((character, place))
            continue
        result.append(word)
        result.append([(character, place)] if alone else [])
        word = []
    return [word for word in [*result, word] if word]


@functools.lru_cache(100_000)
def strip_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")


def fold(word: list[Placed]) -> list[Placed]:
    """Lower case without accents. The whole word counts, because of the Greek final sigma."""
    folded = strip_accents("".join(character for character, _ in word).lower())
    places = [place for character, place in word for _ in strip_accents(character.lower())]
    return list(zip(folded, places, strict=True))


def words(text: str, lowercase: bool) -> list[list[Placed]]:
    result = []
    for word in split(clean(text), is_cjk):
        result += split(fold(word) if lowercase else word, is_punctuation)
    return result


@functools.lru_cache(100_000)
def pieces(word: str, vocabulary: frozenset[str]) -> list[str]:
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


def tokenize(text: str | bytes, vocabulary: frozenset[str], lowercase: bool = True) -> list[str]:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "ignore")
    return [token for token, _, _ in tokenize_with_offsets(text, vocabulary, lowercase)]


def tokenize_with_offsets(
    text: str, vocabulary: frozenset[str], lowercase: bool = True
) -> list[tuple[str, int, int]]:
    """Tokens with their first byte in `text` and the one after their last."""

    def is_stripped(place: int) -> bool:
        return bool(cleaned(text[place])) and strip_accents(text[place].lower()) == ""

    bytes_before = [0]
    for character in text:
        bytes_before.append(bytes_before[-1] + len(character.encode()))
    result = []
    for word in words(text, lowercase):
        places = [place for _, place in word]
        start = 0
        for piece in pieces("".join(character for character, _ in word), vocabulary):
            size = len(word) if piece == "[UNK]" else len(piece) - 2 * (start > 0)
            end = places[start + size - 1] + 1
            while lowercase and end < len(text) and is_stripped(end):
                end += 1
            result.append((piece, bytes_before[places[start]], bytes_before[end]))
            start += size
    return result
