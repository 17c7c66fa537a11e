"""How much of a corpus repeats, from a sample that is the same wherever it is drawn."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Mapping

_KEPT = 512
# As `deduplicate` leaves them, in bytes: headings repeat rightly. Chinese needs fewer characters.
_LEAST_BYTES = 60


def sample_of(paragraphs: Iterable[str]) -> Counter[str]:
    """Counts the paragraphs whose fingerprints are the smallest ones.

    Args:
        paragraphs: Iterable of str. Short ones are passed over.

    Returns:
        A Counter of fingerprints. Samples of parts, merged, are the sample of the whole.
    """
    counts: Counter[str] = Counter()
    for paragraph in paragraphs:
        data = paragraph.encode()
        if len(data) >= _LEAST_BYTES:
            counts[hashlib.blake2b(data, digest_size=8).hexdigest()] += 1
    return _smallest(counts)


def merged(samples: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Returns the sample of a whole from those of its parts."""
    whole: Counter[str] = Counter()
    for sample in samples:
        whole.update(sample)
        if len(whole) > 8 * _KEPT:
            whole = _smallest(whole)
    return _smallest(whole)


def _smallest(counts: Counter[str]) -> Counter[str]:
    return Counter({name: counts[name] for name in heapq.nsmallest(_KEPT, counts)})
