"""A corpus cut into partitions, each of which becomes a shard."""

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Sequence

from data_gen.documents import Document, Source

_PARTITIONS_TO_A_GROUP = 8


@dataclasses.dataclass(frozen=True)
class Partition:
    """Documents that become one shard.

    Args:
        name: str. Names the shard: the number of the group and that of the partition within.
        documents: list of `Document`.
    """

    name: str
    documents: list[Document]

    @property
    def sha256(self) -> str:
        """Fingerprint of the text."""
        digest = hashlib.sha256()
        for document in self.documents:
            # Paragraphs have no line breaks: what is joined by them can be told apart.
            digest.update("\n".join([*document.paragraphs, "", ""]).encode("utf-8"))
            if document.units is not None:
                digest.update(repr(document.units).encode())
        return digest.hexdigest()


def groups(sources: Sequence[Source], partition_bytes: int) -> list[list[Source]]:
    """Cuts a list of sources into groups of eight partitions or more, by size on disk.

    No partition crosses the border of a group, so that groups can be read side by side.

    Args:
        sources: Sequence of `Source`.
        partition_bytes: int.
    """
    result: list[list[Source]] = []
    current: list[Source] = []
    size = 0
    for source in sources:
        current.append(source)
        size += source.bytes
        if size >= _PARTITIONS_TO_A_GROUP * partition_bytes:
            result.append(current)
            current, size = [], 0
    # A small rest might hold one document alone, which has no random partner.
    if current and result:
        result[-1] = result[-1] + current
    elif current:
        result.append(current)
    return result


def partitions(
    group: int, documents: Iterable[Document], partition_bytes: int
) -> Iterator[Partition]:
    """Cuts a stream of documents into partitions of about `partition_bytes` of UTF-8.

    Args:
        group: int. Number of the group.
        documents: Iterable of `Document`.
        partition_bytes: int. A partition ends with the document that reaches this size; a last one
            of less than half joins the one before, and each has two documents where there are two.

    Example:

    ```python
    for partition in partitions(0, source.documents(), 8_000_000):
        print(partition.name, len(partition.documents))
    ```
    """
    index = 0
    ready: list[Document] = []
    current: list[Document] = []
    size = 0
    for document in documents:
        current.append(document)
        size += document.bytes
        if size >= partition_bytes and len(current) >= 2:
            # One partition is held back: what is left at the end may join it.
            if ready:
                yield Partition(f"{group:05d}-{index:05d}", ready)
                index += 1
            ready, current, size = current, [], 0
    if ready and (len(current) < 2 or size < partition_bytes // 2):
        ready, current = ready + current, []
    for rest in (ready, current):
        if rest:
            yield Partition(f"{group:05d}-{index:05d}", rest)
            index += 1
