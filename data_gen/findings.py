"""What is unusual about a corpus, in words: each number with its usual range and what to do."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

from data_gen.scripts import LETTERS, LOST
from keras_bert.errors import InputWarning

LOST_MARK_RATE = "_lost_mark_rate"
_PAIRS = ("nsp", "sop")
# Scripts whose marks lower-casing strips on purpose, as the published uncased models do.
_WITH_ACCENTS = ("latin", "greek", "cyrillic")
# Smaller shares of the letters are foreign words.
_LEAST_SHARE = 0.01


@dataclasses.dataclass(frozen=True)
class Check:
    """The usual range of a measure.

    Args:
        measure: str. Among the statistics of a manifest, or of a vocabulary.
        least, most: float. Values outside are told.
        usual: str. What most corpora have.
        says: str. The value in words; `{value}` is a percentage.
        advice: str. What to do.
        of: str. The statistic that counts what the share is of.
        at_least: int. Of fewer the share says nothing.
        objectives: tuple of str. Those to which it matters; empty for all.
    """

    measure: str
    least: float
    most: float
    usual: str
    says: str
    advice: str
    of: str
    at_least: int = 8
    objectives: tuple[str, ...] = ()


_BLANK_LINES = (
    "put a blank line between documents alone, not behind each sentence, or choose --objective "
    "full_sentences, which has no pairs"
)
CHECKS = (
    Check(
        measure="random_next_rate",
        least=0.1,
        most=0.9,
        usual="50% to 80%",
        says="{value} of the next-sentence pairs are random, so that a constant answers them",
        advice=_BLANK_LINES,
        of="examples",
    ),
    Check(
        measure="swapped_rate",
        least=0.1,
        most=0.9,
        usual="about 50%",
        says="{value} of the pairs are swapped, so that a constant answers them",
        advice=_BLANK_LINES,
        of="examples",
    ),
    Check(
        measure="single_sentence_rate",
        least=0.0,
        most=0.5,
        usual="below 10%",
        says="{value} of the documents are one sentence, which makes no pair with a next one",
        advice=_BLANK_LINES,
        of="documents",
        objectives=_PAIRS,
    ),
    Check(
        measure="largest_document_rate",
        least=0.0,
        most=0.5,
        usual="below 5%",
        says="one document holds {value} of the text, and random sentences come mostly from it",
        advice="see whether blank lines between its documents are missing",
        of="documents",
    ),
    Check(
        measure="giant_document_rate",
        least=0.0,
        most=0.9,
        usual="below 50%",
        says="{value} of the text stands in documents of more than 1 MB, so that random sentences "
        "come from the same text",
        advice="put a blank line between documents",
        of="documents",
        at_least=2,
        objectives=_PAIRS,
    ),
    Check(
        measure="empty_document_rate",
        least=0.0,
        most=0.1,
        usual="none",
        says="{value} of the documents have no tokens",
        advice="see whether --vocab fits the text, and whether the text is in another field",
        of="documents",
    ),
    Check(
        measure="duplicate_paragraph_rate",
        least=0.0,
        most=0.2,
        usual="below 5%",
        says="{value} of the longer paragraphs repeat an earlier one",
        advice="run `python -m data_gen deduplicate` first",
        of="compared_paragraphs",
        at_least=20,
    ),
    Check(
        measure="unknown_token_rate",
        least=0.0,
        most=0.02,
        usual="below 0.5%",
        says="{value} of the tokens are [UNK]",
        advice="see whether --vocab and --cased fit the text, or learn a vocabulary from it, with "
        "more --characters for Chinese",
        of="tokens",
        at_least=100,
    ),
    Check(
        measure="fill_rate",
        least=0.3,
        most=1.0,
        usual="80% to 100%",
        says="only {value} of the places hold a token, the rest is padding",
        advice="choose --packed, a smaller --sequence-length, or full_sentences",
        of="examples",
    ),
    Check(
        measure="lexicon_rate",
        least=1e-9,
        most=1.0,
        usual="0.1% to 20%",
        says="{value} of the tokens belong to an entry of --lexicon: it never matches",
        advice="see whether its entries are words of this text, in its language and writing",
        of="tokens",
        at_least=100,
    ),
    Check(
        measure="joined_unit_rate",
        least=1e-9,
        most=1.0,
        usual="5% to 50%",
        says="{value} of the words are joined to larger units: --segmentation changes nothing",
        advice="see whether it fits the language; jieba finds words in Chinese alone",
        of="tokens",
        at_least=100,
    ),
    Check(
        measure="long_word_rate",
        least=0.0,
        most=0.01,
        usual="below 0.1%",
        says="{value} of the characters stand in words of more than 200 characters, which are "
        "[UNK] to the tokenizer and were not learned",
        advice="they are encoded data, or a language without spaces, which needs them first",
        of="characters",
        at_least=1000,
    ),
    Check(
        measure="rare_character_word_rate",
        least=0.0,
        most=0.01,
        usual="below 0.5%",
        says="{value} of the words have a character that is not kept, and are [UNK]",
        advice="give more --characters, some thousands for Chinese or Japanese",
        of="words",
        at_least=100,
    ),
)
_LOST_MARKS = Check(
    measure=LOST_MARK_RATE,
    least=0.0,
    most=0.02,
    usual="none, or below 10% of accents in European languages",
    says="without --cased, {value} of the letters in the script {script} lose a mark, such as a "
    "vowel sign or a tone, and words of different meaning become one",
    advice="choose --cased for vocabulary and shards",
    of="",
)
_MOST_ACCENTS = 0.15


def lost_mark_rates(counts: Mapping[str, int]) -> dict[str, float]:
    """Returns for each script of a text the share of its letters that lose a mark.

    Args:
        counts: dictionary. As `ScriptCounter` has it.
    """
    letters = {
        name.removeprefix(LETTERS): count
        for name, count in counts.items()
        if name.startswith(LETTERS)
    }
    whole = sum(letters.values())
    return {
        f"{script}{LOST_MARK_RATE}": counts.get(LOST + script, 0) / count
        for script, count in sorted(letters.items())
        if count >= _LEAST_SHARE * whole and counts.get(LOST + script)
    }


def findings(statistics: Mapping[str, Any], objective: str | None = None) -> list[str]:
    """Returns a sentence for each number that is out of its usual range.

    Args:
        statistics: dictionary. Of a manifest, or of a vocabulary. What it lacks is not checked.
        objective: str or None.

    Example:

    ```python
    findings(read_manifest("shards").statistics, "nsp")
    ```
    """
    found = []
    for check in CHECKS:
        value = statistics.get(check.measure)
        if value is None or statistics.get(check.of, check.at_least) < check.at_least:
            continue
        if check.objectives and objective not in check.objectives:
            continue
        if not check.least <= value <= check.most:
            found.append(_sentence(check, value))
    for name, value in statistics.items():
        if name.endswith(LOST_MARK_RATE):
            script = name.removesuffix(LOST_MARK_RATE)
            most = _MOST_ACCENTS if script in _WITH_ACCENTS else _LOST_MARKS.most
            if value > most:
                found.append(_sentence(_LOST_MARKS, value, script=script))
    return found


def _sentence(check: Check, value: float, **more: str) -> str:
    said = check.says.format(value=percentage(value), **more)
    return f"{said} (usually {check.usual}): {check.advice}"


def percentage(share: float) -> str:
    """Returns a share in words, never rounded to none or all."""
    text = f"{100 * share:.1f}%"
    if text in ("0.0%", "100.0%") and share not in (0, 1):
        text = f"{100 * share:.6g}%"
    return text.replace(".0%", "%")


def warn_of(place: str, found: list[str]) -> None:
    """Warns of findings, one line each."""
    for sentence in found:
        warnings.warn(f"{place}: {sentence}", InputWarning, stacklevel=2)
