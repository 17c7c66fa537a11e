"""`python -m data_gen deduplicate`: drops paragraphs that a corpus has had before."""

import contextlib
import dataclasses
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import rich.console
import rich.table

from data_gen.documents import Document
from data_gen.duplicates import ExactIndex, NearIndex
from data_gen.options import DeduplicationOptions
from data_gen.progress import corpus_progress
from data_gen.sources import Corpus
from data_gen.text_writer import TextWriter
from keras_bert.atomic import new_directory, write_json
from keras_bert.command_line import check_unused, resolved
from keras_bert.errors import InputError
from keras_bert.failures import reason_of
from keras_bert.outputs import check_new_directory

_INDEX = "index.sqlite"


@dataclasses.dataclass
class Counts:
    """What was read, dropped and written."""

    documents: int = 0
    paragraphs: int = 0
    bytes: int = 0
    exact_duplicates: int = 0
    near_duplicates: int = 0
    documents_written: int = 0
    paragraphs_written: int = 0
    bytes_written: int = 0


def deduplicate(options: DeduplicationOptions) -> Counts:
    """Writes a corpus without the paragraphs that it has had before, the first of them kept.

    The output directory appears when everything is in it. The index of what was seen lives in a
    database beside it meanwhile, so that memory stays bounded whatever the corpus.

    Args:
        options: `DeduplicationOptions`.

    Raises:
        InputError: If the input cannot be read, an option is out of range, the output exists or
            cannot be written, or a package is missing.

    Example:

    ```python
    counts = deduplicate(DeduplicationOptions("corpus/*.txt", "clean", near=True))
    counts.exact_duplicates, counts.near_duplicates
    ```
    """
    if not options.near:
        check_unused(options, "threshold", reason="`--near` is off")
    output = Path(options.output)
    check_new_directory(options.output, "--output")
    corpus = Corpus(options.input, options.text_field, outputs={"--output": options.output})
    counts = Counts()
    try:
        _remove_leftovers(output)
        with new_directory(output) as directory:
            with (
                ExactIndex(directory / _INDEX) as exact,
                TextWriter(directory) as writer,
                corpus_progress("deduplicating", corpus.bytes) as update,
            ):
                near = NearIndex(exact.database, options.threshold) if options.near else None
                for document in _new_documents(corpus, options, counts, exact, near):
                    writer.write(document)
                    counts.documents_written += 1
                    counts.paragraphs_written += len(document.paragraphs)
                    counts.bytes_written += document.bytes
                    update(corpus.bytes_read, counts.documents, "documents")
            (directory / _INDEX).unlink()
            report = {**dataclasses.asdict(counts), "files": writer.files}
            write_json(directory / "config.json", resolved(options))
            write_json(directory / "report.json", report)
    except (OSError, sqlite3.Error) as error:
        raise InputError(f"{output}: cannot write: {reason_of(error)}") from error
    _print_summary(output, counts)
    return counts


def _new_documents(
    corpus: Corpus,
    options: DeduplicationOptions,
    counts: Counts,
    exact: ExactIndex,
    near: NearIndex | None,
) -> Iterator[Document]:
    """Yields the documents with what is new of them, if anything is."""
    for document in corpus:
        counts.documents += 1
        counts.paragraphs += len(document.paragraphs)
        counts.bytes += document.bytes
        kept = []
        for index, paragraph in enumerate(document.paragraphs):
            if len(paragraph) >= options.minimum_characters:
                if exact.seen(paragraph):
                    counts.exact_duplicates += 1
                    continue
                if near is not None and near.seen(paragraph):
                    counts.near_duplicates += 1
                    continue
            kept.append(index)
        if kept:
            paragraphs = [document.paragraphs[index] for index in kept]
            units = document.units and [document.units[index] for index in kept]
            yield Document(paragraphs, units)


def _remove_leftovers(output: Path) -> None:
    """Removes what a killed run for the same output left beside it."""
    name = re.compile(re.escape(f".incomplete-{output.name}-") + "[a-z0-9_]{8}")
    with contextlib.suppress(FileNotFoundError):
        for path in output.parent.iterdir():
            if name.fullmatch(path.name):
                shutil.rmtree(path, ignore_errors=True)


def _print_summary(output: Path, counts: Counts) -> None:
    print(f"{output}:")
    table = rich.table.Table()
    table.add_column("measure")
    table.add_column("value", justify="right")
    for name, value in dataclasses.asdict(counts).items():
        table.add_row(name, f"{value:,}")
    rich.console.Console().print(table)
