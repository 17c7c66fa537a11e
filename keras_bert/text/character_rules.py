"""Which characters are deleted, are accents, are punctuation, and which are capitals.

Two programs define what BERT's tokens are: google-research/bert, by the Unicode tables of Python,
and Hugging Face's tokenizers, by older tables and slightly other rules. TensorFlow's tables are
newer than either, so that each set of rules names the characters in which it differs.

For google-research/bert the tables are those of Unicode 14: TensorFlow lower-cases by Unicode 13,
its other operations know later versions, and tokens should not change with a library's tables.
"""

import dataclasses
import re
import unicodedata

from keras_bert.errors import InputError

# Assigned after Unicode 14 as nonspacing mark, punctuation, capital or composed letter.
LATER_CHARACTERS = (
    r"\x{ECE}\x{1B4E}-\x{1B4F}\x{1B7F}\x{105C9}\x{105E4}\x{10D6E}\x{10EFD}-\x{10EFF}\x{11241}"
    r"\x{11383}\x{11385}\x{1138E}\x{11391}\x{113C5}\x{113C7}-\x{113C8}\x{113D4}-\x{113D5}"
    r"\x{113D7}-\x{113D8}\x{11B00}-\x{11B09}\x{11BE1}\x{11F00}-\x{11F01}\x{11F36}-\x{11F3A}"
    r"\x{11F40}\x{11F42}-\x{11F4F}\x{13439}-\x{13455}\x{16121}-\x{16128}\x{16D68}-\x{16D6A}"
    r"\x{16D6D}-\x{16D6F}\x{1E08F}\x{1E4EC}-\x{1E4EF}\x{1E5FF}"
)
ASCII = r"[\x00-\x7F]*"
# What is left of whitespace once control characters are deleted.
WHITESPACE = r"[\t\n\r \x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]"
_CHINESE = (
    r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}"
    r"\x{2B740}-\x{2B81F}\x{2B920}-\x{2CEAF}\x{2F800}-\x{2FA1F}"
)
# `tokenizers` leaves them out.
_FURTHER_CHINESE = r"\x{2B820}-\x{2B91F}"
# A private character that no vocabulary has: like an unassigned one, a letter of an unknown word.
_UNASSIGNED = "\U0010fffd"
_CONTROLS = r"\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x{9F}\x{FFFD}"
# Capitals of Unicode 14, with the distance to their small letters.
_NEW_CAPITALS = {
    0x2C2F: 48,
    **dict.fromkeys((0xA7C0, 0xA7D0, 0xA7D6, 0xA7D8), 1),
    **dict.fromkeys({*range(0x10570, 0x10596)} - {0x1057B, 0x1058B, 0x10593}, 39),
}
# Of later versions, which tokenizers lower-cases.
_LATER_CAPITALS = {
    **dict.fromkeys((0x1C89, 0xA7CC, 0xA7CE, 0xA7D2, 0xA7D4, 0xA7DA), 1),
    0xA7CB: 0x264 - 0xA7CB,
    0xA7DC: 0x19B - 0xA7DC,
    **dict.fromkeys(range(0x10D50, 0x10D66), 32),
    **dict.fromkeys(range(0x16EA0, 0x16EB9), 27),
}
# Format characters, accents and punctuation that the tables of tokenizers lack.
_NO_FORMATS = r"\x{890}-\x{891}\x{8E2}\x{110CD}\x{13430}-\x{1343F}"
_NO_ACCENTS = (
    r"\x{7FD}\x{898}-\x{89F}\x{8CA}-\x{8E1}\x{9FE}\x{AFA}-\x{AFF}\x{B55}\x{C04}\x{C3C}\x{D00}"
    r"\x{D3B}-\x{D3C}\x{D81}\x{EBA}\x{180F}\x{1885}-\x{1886}\x{1ABF}-\x{1ADD}\x{1AE0}-\x{1AEB}"
    r"\x{1DF6}-\x{1DFB}\x{A82C}\x{A8C5}\x{A8FF}\x{A9BD}\x{10D24}-\x{10D27}\x{10D69}-\x{10D6D}"
    r"\x{10EAB}-\x{10EAC}\x{10EFA}-\x{10EFC}\x{10F46}-\x{10F50}\x{10F82}-\x{10F85}\x{11070}"
    r"\x{11073}-\x{11074}\x{110C2}\x{111C9}\x{111CF}\x{1123E}\x{1133B}\x{113BB}-\x{113C0}\x{113CE}"
    r"\x{113D0}\x{113D2}\x{113E1}-\x{113E2}\x{11438}-\x{1143F}\x{11442}-\x{11444}\x{11446}\x{1145E}"
    r"\x{1182F}-\x{11837}\x{11839}-\x{1183A}\x{1193B}-\x{1193C}\x{1193E}\x{11943}"
    r"\x{119D4}-\x{119D7}\x{119DA}-\x{119DB}\x{119E0}\x{11A01}-\x{11A0A}\x{11A33}-\x{11A38}"
    r"\x{11A3B}-\x{11A3E}\x{11A47}\x{11A51}-\x{11A56}\x{11A59}-\x{11A5B}\x{11A8A}-\x{11A96}"
    r"\x{11A98}-\x{11A99}\x{11C30}-\x{11C36}\x{11C38}-\x{11C3D}\x{11C3F}\x{11C92}-\x{11CA7}"
    r"\x{11CAA}-\x{11CB0}\x{11CB2}-\x{11CB3}\x{11CB5}-\x{11CB6}\x{11D31}-\x{11D36}\x{11D3A}"
    r"\x{11D3C}-\x{11D3D}\x{11D3F}-\x{11D45}\x{11D47}\x{11D90}-\x{11D91}\x{11D95}\x{11D97}"
    r"\x{11EF3}-\x{11EF4}\x{11F5A}\x{1611E}-\x{1612F}\x{16F4F}\x{16FE4}\x{1CF00}-\x{1CF2D}"
    r"\x{1CF30}-\x{1CF46}\x{1E000}-\x{1E006}\x{1E008}-\x{1E018}\x{1E01B}-\x{1E021}"
    r"\x{1E023}-\x{1E024}\x{1E026}-\x{1E02A}\x{1E130}-\x{1E136}\x{1E2AE}\x{1E2EC}-\x{1E2EF}"
    r"\x{1E5EE}-\x{1E5EF}\x{1E6E3}\x{1E6E6}\x{1E6EE}-\x{1E6EF}\x{1E6F5}\x{1E944}-\x{1E94A}"
)
_NO_PUNCTUATION = (
    r"\x{61D}\x{9FD}\x{A76}\x{C77}\x{C84}\x{1B7D}-\x{1B7E}\x{2E43}-\x{2E4F}\x{2E52}-\x{2E5D}"
    r"\x{10EAD}\x{10F55}-\x{10F59}\x{10F86}-\x{10F89}\x{1144B}-\x{1144F}\x{1145A}-\x{1145B}"
    r"\x{1145D}\x{11660}-\x{1166C}\x{116B9}\x{1183B}\x{11944}-\x{11946}\x{119E2}\x{11A3F}-\x{11A46}"
    r"\x{11A9A}-\x{11A9C}\x{11A9E}-\x{11AA2}\x{11C41}-\x{11C45}\x{11C70}-\x{11C71}"
    r"\x{11EF7}-\x{11EF8}\x{11FFF}\x{12FF1}-\x{12FF2}\x{16E97}-\x{16E9A}\x{16FE2}\x{1E95E}-\x{1E95F}"
)
_LATER_PUNCTUATION = r"\x{166D}\x{111C9}"
# Composed letters that the tables of tokenizers lack, with private characters that stand for them
# meanwhile: private characters of the text itself are deleted before.
_COMPOSED = (
    *"\U00011938\U000105c9\U000105e4\U00011383\U00011385\U0001138e\U00011391\U000113c5\U000113c7"
    "\U000113c8\U00016121\U00016122\U00016123\U00016124\U00016125\U00016126\U00016127\U00016128"
    "\U00016d68\U00016d69\U00016d6a",
)


@dataclasses.dataclass(frozen=True)
class CharacterRules:
    """Regular expressions and tables of one program.

    Args:
        clean: expression of strings that need no cleaning.
        replaced: expressions, each with what stands in their place, applied before deleting.
        deleted: expression of what is deleted.
        capitals: characters to replace before TensorFlow lower-cases.
        accents: expression of what stripping of accents deletes from decomposed text.
        sorted_accents: expression of those among them that decomposition would sort first.
        not_decomposed: characters to keep whole, with their stand-ins.
        other_words: expression of one character which tf-text's splitting treats otherwise, or "".
        punctuation: expression of a punctuation character, a word of its own.
        chinese: expression of a Chinese character, a word of its own.
        max_characters: characters of the longest word that is not unknown.
    """

    clean: str
    replaced: dict[str, str]
    deleted: str
    capitals: dict[str, str]
    accents: str
    sorted_accents: str
    not_decomposed: dict[str, str]
    other_words: str
    punctuation: str
    chinese: str
    max_characters: int


def _lower(capitals: dict[int, int]) -> dict[str, str]:
    return {chr(code): chr(code + distance) for code, distance in capitals.items()}


def _sorted_accents(kept: str) -> str:
    """Expression of nonspacing marks that have an order among themselves, without those kept.

    They never part other characters that are sorted, so that deleting them earlier gives the same.
    """
    is_kept = re.compile(
        "[" + re.sub(r"\\x\{(\w+)\}", lambda code: chr(int(code[1], 16)), kept) + "]"
    )
    runs: list[list[int]] = []
    for code in range(0x300, 0x1E960):
        character = chr(code)
        if not unicodedata.combining(character) or unicodedata.category(character) != "Mn":
            continue
        if is_kept.match(character):
            continue
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return "[" + "".join(f"\\x{{{first:X}}}-\\x{{{last:X}}}" for first, last in runs) + "]+"


_RULES = {
    "bert": CharacterRules(
        # Valid UTF-8 without any of these. The surrogates' encoding is no valid UTF-8.
        clean=rf"[^{_CONTROLS}\p{{Cf}}\p{{Cs}}{LATER_CHARACTERS}]*",
        replaced={f"[{LATER_CHARACTERS}]": _UNASSIGNED},
        # Control (Cc) and format (Cf) characters and the replacement character; tab, newline and
        # carriage return, although Cc, count as whitespace.
        deleted=rf"[{_CONTROLS}\p{{Cf}}]+",
        capitals=_lower(_NEW_CAPITALS),
        accents=r"\p{Mn}+",
        sorted_accents=_sorted_accents(LATER_CHARACTERS),
        not_decomposed={},
        other_words="",
        punctuation=r"[!-/:-@\[-`{-~\p{P}]",
        chinese=f"[{_CHINESE}{_FURTHER_CHINESE}]",
        max_characters=200,
    ),
    "tokenizers": CharacterRules(
        clean=rf"[^{_CONTROLS}\p{{Cf}}\p{{Cs}}\p{{Co}}]*",
        replaced={},
        deleted=rf"(?:[{_CONTROLS}\p{{Co}}]|[^\P{{Cf}}{_NO_FORMATS}])+",
        # Each character by itself, so that the final sigma is as any other.
        capitals={"Σ": "σ", **_lower(_NEW_CAPITALS | _LATER_CAPITALS)},
        accents=rf"(?:[^\P{{Mn}}{_NO_ACCENTS}{LATER_CHARACTERS}]|\x{{1734}})+",
        sorted_accents=_sorted_accents(_NO_ACCENTS + LATER_CHARACTERS),
        not_decomposed={
            character: chr(0xF0000 + place) for place, character in enumerate(_COMPOSED)
        },
        other_words=(
            rf"[{_NO_PUNCTUATION}{LATER_CHARACTERS}{_LATER_PUNCTUATION}{_FURTHER_CHINESE}]"
        ),
        punctuation=(
            rf"[!-/:-@\[-`{{-~{_LATER_PUNCTUATION}]"
            rf"|[^\P{{P}}{_NO_PUNCTUATION}{LATER_CHARACTERS}]"
        ),
        chinese=f"[{_CHINESE}]",
        max_characters=100,
    ),
}
CHARACTER_RULES = tuple(_RULES)


def rules_of(name: str) -> CharacterRules:
    """Returns the rules of a name.

    Raises:
        InputError: If there are none.
    """
    if name not in _RULES:
        raise InputError(
            f"`character_rules` must be one of {', '.join(_RULES)}. "
            f"Received: character_rules={name!r}"
        )
    return _RULES[name]
