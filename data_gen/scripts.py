"""Which scripts a text has, and what an uncased vocabulary loses of them."""

import functools
import unicodedata
from collections import Counter
from collections.abc import Iterable

import numpy as np

_KANA = ("HIRAGANA", "KATAKANA")
_BATCH_CHARACTERS = 1 << 20
LETTERS, LOST = "letters of ", "lost marks of "


class ScriptCounter:
    """Counts the letters of each script, and the marks that lower-casing strips from them.

    Args:
        enabled: bool. False counts nothing.

    Example:

    ```python
    counter = ScriptCounter()
    counter.add(["दिल्ली"])
    counter.counts()        # Counter({"letters of devanagari": 3, "lost marks of devanagari": 1})
    ```
    """

    def __init__(self, enabled: bool = True):
        self._enabled = enabled
        self._characters = np.zeros(0, np.int64)

    def add(self, texts: Iterable[str]) -> None:
        """Counts the characters of texts."""
        batch: list[str] = []
        size = 0
        for text in texts if self._enabled else ():
            batch.append(text)
            size += len(text)
            if size > _BATCH_CHARACTERS:
                self._count("".join(batch))
                batch, size = [], 0
        self._count("".join(batch))

    def _count(self, text: str) -> None:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        found = np.bincount(codes, minlength=len(self._characters))
        found[: len(self._characters)] += self._characters
        self._characters = found

    def counts(self) -> Counter[str]:
        """Returns letters and lost marks of each script, under names that end with the script's."""
        counts: Counter[str] = Counter()
        for code in np.flatnonzero(self._characters).tolist():
            script, is_letter, marks = _properties(chr(code))
            if script:
                count = int(self._characters[code])
                counts[LETTERS + script] += count * is_letter
                counts[LOST + script] += count * marks
        return +counts


@functools.lru_cache(maxsize=50_000)
def _properties(character: str) -> tuple[str, bool, int]:
    """The script of a letter or mark, whether it is a letter, and how many marks it loses."""
    category = unicodedata.category(character)
    if category[0] not in "LM":
        return "", False, 0
    name = unicodedata.name(character, "").split(" ")
    script = name[0]
    if any(kana in " ".join(name[:3]) for kana in _KANA):
        script = "kana"
    elif script == "COMBINING":
        script = "latin"
    marks = sum(
        unicodedata.category(part) == "Mn" for part in unicodedata.normalize("NFD", character)
    )
    return script.lower(), category[0] == "L", marks
