"""Ways to write entities as tags of words: BIO, IOBES, BMES and BILOU; and plain classes of words.

| scheme | one word | first | between | last | outside |
|---|---|---|---|---|---|
| `bio` | B | B | I | I | O |
| `iobes` | S | B | I | E | O |
| `bmes` | S | B | M | E | O |
| `bilou` | U | B | I | L | O |

IOB1, where an entity begins with I unless it follows another of its type, is read as `bio`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from seqeval.metrics.sequence_labeling import get_entities

from keras_bert.errors import InputError

PLAIN = "plain"
# The letters of each scheme, in the order in which a model's labels have them.
PREFIXES = {"bio": "BI", "iobes": "BIES", "bmes": "BMES", "bilou": "BILU"}
SCHEMES = (*PREFIXES, PLAIN)
# A tag of some scheme: its letter alone where there is one type of entities.
TAG = re.compile(r"O|[BIESMLU](-.+)?")
# What IOBES says for the letters of the other schemes.
_STANDARD = {"M": "I", "L": "E", "U": "S"}
# Entities written in a way that is none of the schemes.
_UNKNOWN = re.compile(r"[biesmlu][-_:/].+|[BIESMLU][_:/].+|.+[-_:/][BIESMLU]")
Span = tuple[str, int, int]


def is_plain(labels: Iterable[str]) -> bool:
    """Whether the labels of a model are classes of words, which spell no entities."""
    return not all(TAG.fullmatch(label) for label in labels)


def standard_tag(tag: str) -> str:
    """Returns a tag of any scheme as IOBES writes it, which includes BIO.

    Example:

    ```python
    standard_tag("U-PER")       # "S-PER"
    ```
    """
    return _STANDARD.get(tag[0], tag[0]) + tag[1:]


def find_entities(tags: Sequence[str]) -> list[Span]:
    """Returns the entities that tags of any scheme spell: types, first and last words.

    They are those of conlleval and seqeval, so that broken tags, such as an `I-` without its `B-`,
    begin entities as well. The type of tags that are letters alone is `_`.

    Example:

    ```python
    find_entities(["B-PER", "L-PER", "O", "U-LOC"])     # [("PER", 0, 1), ("LOC", 3, 3)]
    ```
    """
    return get_entities([standard_tag(tag) for tag in tags])


def find_scheme(counts: Mapping[str, int], first: Mapping[str, str]) -> str:
    """Finds out which scheme the tags of a file are written in.

    Args:
        counts: How often each tag is there.
        first: The place where each tag is first, for messages.

    Raises:
        InputError: If a tag is of another scheme than others; the message names its place.
    """
    entities = {tag: count for tag, count in counts.items() if TAG.fullmatch(tag)}
    plain = {tag: count for tag, count in counts.items() if tag not in entities}
    typed = {tag: count for tag, count in entities.items() if len(tag) > 1}
    if not plain:
        scheme = scheme_of(entities)
        check_scheme(first, scheme)
        return scheme
    # Letters alone may be names of plain classes.
    rare = min(plain, typed, key=lambda tags: sum(tags.values()))
    if not typed:
        rare = {tag: 1 for tag in plain if _UNKNOWN.fullmatch(tag)}
    for tag, place in first.items():
        if tag in rare:
            raise InputError(
                f"{place}: a tag must be O or a type after B-, I-, E-, S-, M-, L- or U-, if others "
                f"are; --tag-scheme plain takes all for plain classes. Received: {tag!r}"
            )
    return PLAIN


def scheme_of(labels: Iterable[str]) -> str:
    """Returns the scheme of tags of entities, such as a model's labels."""
    letters = {label[0] for label in labels}
    if letters & set("LU"):
        return "bilou"
    if "M" in letters:
        return "bmes"
    return "iobes" if letters & set("ES") else "bio"


def check_scheme(first: Mapping[str, str], scheme: str) -> None:
    """Checks that tags belong to a scheme.

    Args:
        first: Tags, and the place where each is first.
        scheme: str.

    Raises:
        InputError: If one does not; the message names its place.
    """
    for tag, place in first.items():
        if scheme == PLAIN or tag == "O":
            continue
        if not TAG.fullmatch(tag) or tag[0] not in PREFIXES[scheme]:
            letters = ", ".join(f"{letter}-" for letter in PREFIXES[scheme])
            raise InputError(
                f"{place}: a tag must be O or a type after {letters}, as {scheme.upper()} has "
                f"them; --tag-scheme names another of {', '.join(SCHEMES)}. Received: {tag!r}"
            )


def scheme_labels(tags: Iterable[str], scheme: str) -> tuple[str, ...]:
    """Returns the labels of a model for the tags of its training data.

    They are `O`, then every letter of the scheme with every type, or, of plain classes, all of
    them.
    """
    found = set(tags)
    if scheme == PLAIN:
        return tuple(sorted(found))
    types = {tag[1:] for tag in found - {"O"}}
    letters = PREFIXES[scheme]
    return ("O", *sorted(letter + kind for letter in letters for kind in types))


def as_iob2(tags: Sequence[str]) -> list[str]:
    """Makes a `B-` of each `I-` that begins an entity, as conlleval reads it.

    Example:

    ```python
    as_iob2(["I-PER", "I-PER", "B-PER", "I-ORG"])       # ["B-PER", "I-PER", "B-PER", "B-ORG"]
    ```
    """
    return list(_as_iob2(tags))


def _as_iob2(tags: Sequence[str]) -> Iterator[str]:
    before = "O"
    for tag in tags:
        follows = before[:1] in ("B", "I") and before[1:] == tag[1:]
        yield f"B{tag[1:]}" if tag[:1] == "I" and not follows else tag
        before = tag
