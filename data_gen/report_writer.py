"""`python -m data_gen report`: what stands in shards, as a page to look at."""

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import rich.console
import rich.table

from data_gen.findings import warn_of
from data_gen.options import ReportOptions
from data_gen.own_files import REPORT_FORMAT
from data_gen.progress import corpus_progress
from data_gen.report import Batch, Counts, count_shards, quotas_of
from data_gen.report_page import findings_of, page
from data_gen.report_pieces import vocabulary_use
from data_gen.report_plots import plots
from data_gen.report_samples import SampleCollector
from keras_bert.atomic import new_directory, write_json
from keras_bert.command_line import resolved
from keras_bert.errors import InputError
from keras_bert.outputs import check_directory
from keras_bert.page import in_files
from keras_bert.records import read_manifest
from keras_bert.text.vocabulary import Vocabulary

_SUFFIXES = (".png", ".css")
_OTHER_FILES = ("report.html", "report.json", "config.json")


def write_report(options: ReportOptions) -> Path:
    """Writes a report on a shard directory and prints its numbers.

    Args:
        options: `ReportOptions`.

    Returns:
        The page's path.

    Raises:
        InputError: If the shards are unfinished or damaged, an option is out of range, or the
            output is something else than an earlier report.

    Example:

    ```python
    write_report(ReportOptions("shards"))       # shards/report/report.html
    ```
    """
    directory = Path(options.directory)
    manifest = read_manifest(directory)
    vocabulary = Vocabulary.from_file(directory / "vocab.txt", sha256=manifest.vocabulary_sha256)
    output = Path(options.output) if options.output else directory / "report"
    _check_output(output)

    chosen = sum(quotas_of(manifest, options.examples))
    collector = SampleCollector(chosen, options.samples)
    with corpus_progress("reading", chosen) as update:
        seen = 0

        def watch(batch: Batch) -> None:
            nonlocal seen
            collector(batch)
            seen += len(batch["index"])
            update(seen, seen, "examples")

        counts = count_shards(
            directory, manifest, vocabulary, examples=options.examples, watch=watch
        )
    use = vocabulary_use(counts)
    drawn = plots(counts)
    name = directory.resolve().name
    samples = collector.samples(manifest, vocabulary)
    html = page(name, counts, use=use, samples=samples, plots=drawn)
    files = {file: image for file, (_, image) in drawn.items()}
    if options.page == "files":
        html, others = in_files(html, names=files)
        files |= others
    numbers = {
        "format": REPORT_FORMAT,
        "directory": name,
        "manifest": {**dataclasses.asdict(manifest), "examples": manifest.examples},
        "measures": counts.measures(),
        "disagreements": counts.disagreements(),
        "findings": findings_of(counts),
        "vocabulary_use": dataclasses.asdict(use),
        "counts": counts.to_json(),
    }
    try:
        with _replaced(output) as temporary:
            (temporary / "report.html").write_text(html, encoding="utf-8")
            for file, content in files.items():
                (temporary / file).write_bytes(content)
            write_json(temporary / "config.json", resolved(options))
            write_json(temporary / "report.json", numbers)
    except OSError as error:
        raise InputError(f"{output}: cannot write the report: {error.strerror or error}") from error
    _print(counts, output / "report.html")
    warn_of(str(directory), findings_of(counts))
    return output / "report.html"


def _check_output(output: Path) -> None:
    """Lets nothing be replaced but what this command wrote."""
    if not output.exists():
        check_directory(str(output), "--output")
        return
    try:
        values = json.loads((output / "report.json").read_text(encoding="utf-8"))
        is_report = values["format"] == REPORT_FORMAT
    except (OSError, ValueError, TypeError, KeyError):
        is_report = False
    others = []
    if is_report:
        others = [
            path.name
            for path in output.iterdir()
            if path.name not in _OTHER_FILES and path.suffix not in _SUFFIXES
        ]
    if not is_report or others:
        received = f"a directory that holds {others[0]}" if others else "something else"
        raise InputError(
            f"{output}: the output must be new or an earlier report. Received: {received}"
        )
    check_directory(str(output.parent), "--output")  # It is replaced.


@contextlib.contextmanager
def _replaced(output: Path) -> Iterator[Path]:
    """Like `new_directory`, with an earlier report put aside until the new one stands."""
    aside = output.with_name(f".incomplete-{os.getpid()}-{output.name}")
    if output.exists():
        os.rename(output, aside)
    try:
        with new_directory(output) as temporary:
            yield temporary
    except BaseException:
        if aside.exists():
            os.rename(aside, output)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _print(counts: Counts, path: Path) -> None:
    table = rich.table.Table()
    table.add_column("measure")
    for title in ("in the manifest", "in the shards"):
        table.add_column(title, justify="right")
    stated, counted = counts.manifest.statistics, counts.measures()

    def cell(value: int | float | None) -> str:
        if value is None:
            return ""
        return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"

    for name in dict.fromkeys([*stated, *counted]):
        table.add_row(name, cell(stated.get(name)), cell(counted.get(name)))
    console = rich.console.Console()
    console.print(table)
    if not counts.is_whole:
        print(f"Counted in {counts.examples:,} of {counts.manifest.examples:,} examples.")
    for line in counts.disagreements():
        print(f"Manifest and shards disagree: {line}.")
    print(path)
