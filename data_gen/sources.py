"""Where documents come from."""

import glob
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from data_gen.documents import Document, Source
from data_gen.own_files import OwnFiles, sources_of_clean_text
from data_gen.table_sources import TFDS_PREFIX, ParquetSource, TfdsSource
from data_gen.text_sources import FileSource
from keras_bert.errors import InputError, InputWarning
from keras_bert.reading import (
    BEGINNING,
    PARQUET,
    READ_FAULTS,
    check_text,
    compression_of,
    form_of,
    open_unpacked,
)

_FIELD_MARK = "#"
# Names in a warning.
_SHOWN_FILES = 5


def find_files(pattern: str) -> list[Path]:
    """Returns the files of a glob, sorted.

    Args:
        pattern: str. A glob, in which `**` descends into directories, or the name of a file.

    Raises:
        InputError: If there is none.
    """
    if Path(pattern).is_file():  # A name may hold characters that mean something in a glob.
        return [Path(pattern)]
    paths = sorted(Path(path) for path in glob.glob(pattern, recursive=True))
    paths = [path for path in paths if path.is_file()]
    if not paths:
        hint = f"; for the files of a directory: {pattern}/**" if Path(pattern).is_dir() else ""
        raise InputError(f"`--input`: no file matches{hint}. Received: {pattern!r}")
    return paths


def find_sources(
    pattern: str,
    field: str | None = None,
    *,
    outputs: Mapping[str, str] | None = None,
    others: Mapping[str, str | None] | None = None,
) -> list[Source]:
    """Returns the sources that a pattern names, in a fixed order.

    Files of a glob that are no text of a corpus are left out with a warning: what commands wrote
    (vocabularies, shards, reports, configurations; clean text beside what it was made from), what
    the command reads for another reason, and second names of one file.

    Args:
        pattern: str. A glob of files (see `FileSource` for their forms; Parquet is read too), or
            `tfds:NAME` (see `TfdsSource`). `#FIELD` behind it names the field of the text.
        field: str or None. The field of the text, where files have fields; None stands for `text`.
        outputs: dictionary or None. From flags to the paths that the command writes.
        others: dictionary or None. From flags to files that it reads for another reason.

    Raises:
        InputError: If there is none, one is of a form that is no text, or an output is one of them.

    Example:

    ```python
    for source in find_sources("corpus/**/*.txt.gz"):
        print(source.name, source.bytes, sum(1 for _ in source.documents()))
    ```
    """
    if pattern.startswith(TFDS_PREFIX):
        return [TfdsSource(pattern, field)]
    pattern, field = _split_field(pattern, field)
    paths = find_files(pattern)
    own = OwnFiles(outputs or {}, others or {})
    sources: dict[Path, Source] = {}
    left_out: dict[Path, str] = {}
    seen: dict[tuple[int, int], Path] = {}
    for path in paths:
        beginning, packed = _beginning(path)
        if (reason := own.reason(path, beginning)) is not None:
            left_out[path] = reason
            continue
        status = path.stat()
        first = seen.setdefault((status.st_dev, status.st_ino), path)
        if first is not path:
            left_out[path] = f"another name of {first}"
            continue
        sources[path] = _source(path, field, beginning, packed)
    chosen = {path.resolve() for path in sources}
    for directory, made_from in sources_of_clean_text(sources):
        if any(path in chosen and not path.is_relative_to(directory) for path in made_from):
            for path in [path for path in sources if path.resolve().parent == directory]:
                del sources[path]
                left_out[path] = "made by `deduplicate` from other files of `--input`"
    if left_out:
        _tell(left_out, pattern, is_all=not sources)
    return list(sources.values())


def _split_field(pattern: str, field: str | None) -> tuple[str, str | None]:
    """The glob, and the field that it names behind `#`, unless files have such names."""
    start, mark, name = pattern.rpartition(_FIELD_MARK)
    if not mark or not name or Path(pattern).exists() or glob.glob(pattern, recursive=True):
        return pattern, field
    if field not in (None, name):
        raise InputError(
            f"`--text-field` must be the field behind # in `--input`. Received: {field!r}, "
            f"and {pattern!r}"
        )
    return start, name


def _beginning(path: Path) -> tuple[bytes, bool]:
    """The first bytes of what a file holds, and whether it is packed."""
    try:
        with path.open("rb") as file:
            packed = compression_of(file.read(BEGINNING)) is not None
            file.seek(0)
            return open_unpacked(file).peek(BEGINNING)[:BEGINNING], packed
    except READ_FAULTS:
        return b"", False  # Reading it says what is wrong, and where.


def _source(path: Path, field: str | None, beginning: bytes, packed: bool) -> Source:
    form = form_of(beginning)
    is_parquet = form is not None and form[0] == PARQUET
    if not packed and (is_parquet or path.suffix.lower() == ".parquet"):
        return ParquetSource(path, field)
    if is_parquet:
        raise InputError(
            f"{path}: must not be compressed as a whole. Received: {PARQUET}; unpack it"
        )
    check_text(path, beginning)
    return FileSource(path, field)


def _tell(left_out: Mapping[Path, str], pattern: str, *, is_all: bool) -> None:
    """Warns of files that are left out; refuses where nothing else is left."""
    listed = ", ".join(f"{path} ({left_out[path]})" for path in list(left_out)[:_SHOWN_FILES])
    if len(left_out) > _SHOWN_FILES:
        listed += f" and {len(left_out) - _SHOWN_FILES} more"
    if is_all:
        raise InputError(
            f"`--input` must name text of a corpus. Received: {pattern!r}, which is {listed}"
        )
    count = "1 file that is" if len(left_out) == 1 else f"{len(left_out)} files that are"
    warnings.warn(
        f"`--input`: left out {count} no text of the corpus: {listed}", InputWarning, stacklevel=3
    )


class Corpus:
    """The documents of all sources that a pattern names. Memory holds one document.

    Args:
        pattern: str. See `find_sources`.
        field: str or None.
        outputs: dictionary or None.
        others: dictionary or None.

    Attributes:
        sources: list of `Source`.
        bytes: int. Size of all sources.
        bytes_read: int. How many of them the latest iteration has read.

    Raises:
        InputError: If nothing matches; while iterating, if a source is damaged or breaks the rules
            of its form, or if all together hold no text.

    Example:

    ```python
    for document in Corpus("corpus/**/*.txt.gz"):
        print(len(document.paragraphs))
    ```
    """

    def __init__(
        self,
        pattern: str,
        field: str | None = None,
        *,
        outputs: Mapping[str, str] | None = None,
        others: Mapping[str, str | None] | None = None,
    ):
        self.pattern = pattern
        self.sources = find_sources(pattern, field, outputs=outputs, others=others)
        self.bytes = sum(source.bytes for source in self.sources)
        self.bytes_read = 0

    def __iter__(self) -> Iterator[Document]:
        done = self.bytes_read = 0
        empty = True
        for source in self.sources:
            for document in source.documents():
                empty = False
                self.bytes_read = done + source.bytes_read
                yield document
            done = self.bytes_read = done + source.bytes
        if empty:
            raise InputError(
                f"`--input`: the corpus is empty: no text in it. Received: {self.pattern!r}"
            )
