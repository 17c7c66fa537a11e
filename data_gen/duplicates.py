"""Paragraphs that were seen before, by an index on disk."""

import contextlib
import hashlib
import re
import sqlite3
import zlib
from pathlib import Path

import numpy as np

from keras_bert.errors import InputError

_CACHE_KIBIBYTES = 65_536
_PERMUTATIONS = 128
_SHINGLE_WORDS = 5
_SHINGLES_AT_A_TIME = 4096
# Buckets of paragraphs that share much and are no duplicates would take time without bound.
_MOST_CANDIDATES = 256
# Chinese, Japanese, Thai, Lao, Burmese and Khmer have no spaces: each character is a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W{_UNSPACED}]+")


class ExactIndex(contextlib.AbstractContextManager):
    """Finds paragraphs that are equal up to white space, by 128-bit hashes in a database.

    Args:
        path: Path. Where the database is made. Memory holds a bounded part of it.

    Example:

    ```python
    with ExactIndex(Path("index.sqlite")) as index:
        index.seen("One two."), index.seen("One  two.")      # (False, True)
    ```
    """

    def __init__(self, path: Path):
        self.database = sqlite3.connect(path, isolation_level=None)
        # The database lives as long as the process: nothing to recover, nobody to share with.
        for setting in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE"):
            self.database.execute(f"PRAGMA {setting}")
        self.database.execute(f"PRAGMA cache_size=-{_CACHE_KIBIBYTES}")
        self.database.execute("CREATE TABLE paragraphs (hash BLOB PRIMARY KEY) WITHOUT ROWID")
        self.database.execute("BEGIN")

    def __exit__(self, *_) -> None:
        self.database.close()

    def seen(self, text: str) -> bool:
        """Says whether the paragraph was asked for before."""
        digest = hashlib.blake2b(" ".join(text.split()).encode(), digest_size=16).digest()
        cursor = self.database.execute("INSERT OR IGNORE INTO paragraphs VALUES (?)", (digest,))
        return not cursor.rowcount


class NearIndex:
    """Finds paragraphs that share most of their runs of five words, by MinHash.

    Signatures are cut into bands; paragraphs that agree in a band are compared by the whole
    signature, which estimates their Jaccard similarity with a standard error of at most .045.

    Args:
        database: `sqlite3.Connection`.
        threshold: float, above 0 and at most 1. Similarity from which a paragraph is a duplicate.

    Raises:
        InputError: If datasketch is not installed.

    References:
        - Broder 1997, On the resemblance and containment of documents.
    """

    def __init__(self, database: sqlite3.Connection, threshold: float):
        try:
            import datasketch
        except ImportError as error:
            raise InputError(
                "`--near` needs the package datasketch (the extra `deduplication`)"
            ) from error
        self.threshold = threshold
        # False candidates only cost a comparison, missed ones are never seen again. Above the cap
        # one band alone would be best, which the library refuses.
        bands = datasketch.MinHashLSH(
            threshold=min(threshold, 0.95), num_perm=_PERMUTATIONS, weights=(0.1, 0.9)
        )
        self._shape = (bands.b, bands.r)
        self._minhash = datasketch.MinHash(_PERMUTATIONS, hashfunc=zlib.crc32)
        self._database = database
        self._size = 0
        database.execute("CREATE TABLE signatures (id INTEGER PRIMARY KEY, signature BLOB)")
        database.execute(
            "CREATE TABLE bands (band INTEGER, id INTEGER, PRIMARY KEY (band, id)) WITHOUT ROWID"
        )
        marks = ", ".join("?" * bands.b)
        self._query = (
            "SELECT signature FROM signatures WHERE id IN (SELECT DISTINCT id FROM bands "
            f"WHERE band IN ({marks}) ORDER BY id LIMIT {_MOST_CANDIDATES})"
        )

    def seen(self, text: str) -> bool:
        """Says whether the paragraph resembles one that was new when it was asked for."""
        signature = self._signature(text)
        if signature is None:
            return False
        bands = self._bands(signature)
        for (other,) in self._database.execute(self._query, bands):
            if np.mean(np.frombuffer(other, signature.dtype) == signature) >= self.threshold:
                return True
        self._size += 1
        self._database.execute(
            "INSERT INTO signatures VALUES (?, ?)", (self._size, signature.tobytes())
        )
        rows = [(band, self._size) for band in bands]
        self._database.executemany("INSERT OR IGNORE INTO bands VALUES (?, ?)", rows)
        return False

    def _signature(self, text: str) -> np.ndarray | None:
        words = _WORD.findall(text.casefold())
        if not words:
            return None
        self._minhash.clear()
        shingles = max(len(words) - _SHINGLE_WORDS + 1, 1)
        for start in range(0, shingles, _SHINGLES_AT_A_TIME):
            places = range(start, min(start + _SHINGLES_AT_A_TIME, shingles))
            self._minhash.update_batch(
                [" ".join(words[place : place + _SHINGLE_WORDS]).encode() for place in places]
            )
        return self._minhash.hashvalues.copy()

    def _bands(self, signature: np.ndarray) -> list[int]:
        count, rows = self._shape
        return [
            int.from_bytes(
                hashlib.blake2b(
                    signature[band * rows : (band + 1) * rows].tobytes(),
                    digest_size=8,
                    salt=band.to_bytes(2, "little"),
                ).digest(),
                "little",
                signed=True,
            )
            for band in range(count)
        ]
