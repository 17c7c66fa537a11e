"""The texts that tokenizers are compared on."""

import glob
import gzip
from collections.abc import Iterator
from pathlib import Path


def lines(patterns: list[str]) -> Iterator[str]:
    """The lines of all files that match, `.gz` unpacked, whatever their format is."""
    for pattern in patterns:
        paths = [
            path for path in sorted(glob.glob(pattern, recursive=True)) if Path(path).is_file()
        ]
        if not paths:
            raise SystemExit(f"no file matches {pattern}")
        for path in paths:
            data = Path(path).read_bytes()
            text = gzip.decompress(data) if path.endswith(".gz") else data
            yield from text.decode("utf-8").split("\n")


def blocks(patterns: list[str], characters: int, limit: int) -> list[str]:
    """Texts of about `characters` characters, `limit` bytes in all, cut at line ends."""
    result, block, size, total = [], [], 0, 0
    for line in lines(patterns):
        block.append(line)
        size += len(line) + 1
        if size >= characters:
            result.append("\n".join(block))
            total += len(result[-1].encode())
            block, size = [], 0
        if total >= limit:
            break
    return result
