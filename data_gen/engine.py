"""`python -m data_gen pretrain`: runs the unit of work over a corpus on this machine."""

import collections
import concurrent.futures
import dataclasses
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rich.console
import rich.progress
import rich.table

from data_gen.options import PretrainingDataOptions
from data_gen.shards import Partition, Statistics, build_shard, partitions
from data_gen.sources import read_documents
from keras_bert.atomic import remove_incomplete, write_json
from keras_bert.errors import InputError
from keras_bert.records import MANIFEST, Manifest, Shard, write_manifest
from keras_bert.text.vocabulary import Vocabulary

_SHORTEST = 5  # [CLS], [SEP], [SEP] and a token of each segment


def generate(options: PretrainingDataOptions) -> Manifest:
    """Writes a shard directory; its bytes depend on input, options and seed, not on workers.

    A run that was killed leaves no manifest; the same command then begins anew.

    Raises:
        InputError: If input, vocabulary or options are wrong, or the directory holds other shards.
    """
    _check(options)
    vocabulary = Vocabulary.from_file(options.vocab)
    directory = Path(options.output)
    if (directory / MANIFEST).exists():
        raise InputError(f"{directory}: holds finished shards; choose another --output")
    is_new = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    remove_incomplete(directory)
    for stale in directory.glob("shard-*.tfrecord"):
        stale.unlink()
    try:
        shards, statistics = _run(options, directory)
        if not statistics.examples:
            raise InputError(
                "`--input`: the corpus gives no example: fewer than two of its documents hold "
                "tokens"
            )
    except BaseException:
        # What an interrupted run leaves without a manifest is not readable; do not keep it.
        if is_new:
            shutil.rmtree(directory, ignore_errors=True)
        raise
    vocabulary.save(directory / "vocab.txt")
    settings = dataclasses.asdict(options)
    write_json(directory / "config.json", settings)
    # Where the data came from and went is no part of its content.
    content = {key: value for key, value in settings.items() if key not in ("output", "workers")}
    manifest = Manifest(
        objective=options.objective,
        sequence_length=options.sequence_length,
        vocabulary_size=len(vocabulary),
        vocabulary_sha256=vocabulary.sha256,
        lowercase=not options.cased,
        settings=content,
        statistics=statistics.summary(options.sequence_length),
        shards=tuple(shards),
    )
    write_manifest(directory, manifest)
    _print_summary(directory, manifest)
    return manifest


def _check(options: PretrainingDataOptions) -> None:
    rules: list[tuple[str, bool, str]] = [
        ("sequence_length", options.sequence_length >= _SHORTEST, f"at least {_SHORTEST}"),
        (
            "short_sequence_probability",
            0 <= options.short_sequence_probability <= 1,
            "between 0 and 1",
        ),
        ("duplicates", options.duplicates >= 1, "at least 1"),
        ("partition_bytes", options.partition_bytes >= 1, "at least 1"),
        ("workers", options.workers >= 1, "at least 1"),
    ]
    for name, holds, rule in rules:
        if not holds:
            raise InputError(
                f"`--{name.replace('_', '-')}` must be {rule}. Received: {getattr(options, name)}"
            )


def _run(options: PretrainingDataOptions, directory: Path) -> tuple[list[Shard], Statistics]:
    shards: list[Shard] = []
    statistics = Statistics()
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.SpinnerColumn(),
        rich.progress.TextColumn("{task.fields[counts]}"),
        rich.progress.TimeElapsedColumn(),
    )
    console = rich.console.Console(stderr=True)
    with rich.progress.Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("shards", total=None, counts="")
        for shard, counts in _results(options, directory):
            statistics += counts
            # A partition without a pair makes no shard.
            if shard.examples:
                shards.append(shard)
            else:
                (directory / shard.name).unlink()
            bar.update(
                task,
                counts=f"{len(shards)}: {statistics.documents} documents, "
                f"{statistics.examples} examples",
            )
    return shards, statistics


def _results(
    options: PretrainingDataOptions, directory: Path
) -> Iterator[tuple[Shard, Statistics]]:
    """Yields finished shards in order, whatever the order in which processes finish them."""
    work = partitions(read_documents(options.input), options.partition_bytes)
    if options.workers == 1:
        for partition in work:
            yield build_shard(partition, options, directory)
        return
    # Each process has its own TensorFlow, which must not start from a forked copy of another's.
    context = multiprocessing.get_context("spawn")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with concurrent.futures.ProcessPoolExecutor(options.workers, context) as pool:
        waiting: collections.deque[Any] = collections.deque()
        for partition in work:
            waiting.append(_submit(pool, partition, options, directory))
            # No more text in memory than the processes are about to need.
            if len(waiting) >= 2 * options.workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _submit(
    pool: concurrent.futures.Executor,
    partition: Partition,
    options: PretrainingDataOptions,
    directory: Path,
) -> concurrent.futures.Future:
    return pool.submit(build_shard, partition, options, directory)


def _print_summary(directory: Path, manifest: Manifest) -> None:
    table = rich.table.Table(title=f"shards: {directory}")
    table.add_column("measure")
    table.add_column("value", justify="right")
    rows = {
        "shards": len(manifest.shards),
        "bytes": sum(shard.bytes for shard in manifest.shards),
        **manifest.statistics,
    }
    for name, value in rows.items():
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else f"{value:,}")
    rich.console.Console().print(table)
