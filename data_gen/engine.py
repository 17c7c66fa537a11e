"""`python -m data_gen pretrain`: runs the unit of work over a corpus on this machine."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import rich.console
import rich.table
import tensorflow as tf

from data_gen.options import PretrainingDataOptions
from data_gen.progress import corpus_progress
from data_gen.shards import Partition, Statistics, build_shard, partitions
from data_gen.sources import Corpus
from keras_bert.atomic import remove_incomplete, write_json
from keras_bert.config import SHORTEST_SEQUENCE
from keras_bert.errors import InputError
from keras_bert.records import MANIFEST, Manifest, Shard, write_manifest
from keras_bert.text.vocabulary import Vocabulary


def generate(options: PretrainingDataOptions) -> Manifest:
    """Writes a shard directory; its bytes depend on input, options and seed, not on workers.

    A run that was killed leaves no manifest, hence nothing that can be read; the same command then
    begins anew.

    Args:
        options: `PretrainingDataOptions`.

    Raises:
        InputError: If input, vocabulary or options are wrong, or the directory holds finished
            shards.

    Example:

    ```python
    manifest = generate(PretrainingDataOptions("corpus/*.txt", "vocab.txt", "shards"))
    manifest.statistics["random_next_rate"]     # 0.5 or somewhat more
    ```
    """
    _check(options)
    vocabulary = Vocabulary.from_file(options.vocab)
    corpus = Corpus(options.input)
    directory = Path(options.output)
    if (directory / MANIFEST).exists():
        raise InputError(
            f"{directory}: finished shards exist already; remove them or choose another --output"
        )
    is_new = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{directory}: cannot make the directory: {error.strerror}") from error
    _clear(directory)
    try:
        shards, statistics = _run(corpus, options, vocabulary=vocabulary, directory=directory)
        if not statistics.examples:
            raise InputError(
                "`--input`: the corpus gives no example: fewer than two of its documents hold "
                "tokens"
            )
    except BaseException:
        _clear(directory)
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


def _clear(directory: Path) -> None:
    """Removes what a run without a manifest has left."""
    remove_incomplete(directory)
    for shard in directory.glob("shard-*.tfrecord"):
        shard.unlink(missing_ok=True)


def _check(options: PretrainingDataOptions) -> None:
    rules: list[tuple[str, bool, str]] = [
        (
            "sequence_length",
            options.sequence_length >= SHORTEST_SEQUENCE,
            f"at least {SHORTEST_SEQUENCE}",
        ),
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


def _run(
    corpus: Corpus, options: PretrainingDataOptions, *, vocabulary: Vocabulary, directory: Path
) -> tuple[list[Shard], Statistics]:
    shards: list[Shard] = []
    statistics = Statistics()
    build = functools.partial(
        build_shard, options=options, vocabulary=vocabulary, directory=directory
    )
    # Closed on an error too, so that no worker writes after the directory was cleared.
    with (
        corpus_progress("shards", corpus.bytes) as update,
        contextlib.closing(_results(corpus, build, options)) as results,
    ):
        for bytes_read, (shard, counts) in results:
            statistics += counts
            # A partition without a pair makes no shard.
            if shard.examples:
                shards.append(shard)
            else:
                (directory / shard.name).unlink()
            update(bytes_read, statistics.examples, "examples")
    return shards, statistics


def _results(
    corpus: Corpus,
    build: Callable[[Partition], tuple[Shard, Statistics]],
    options: PretrainingDataOptions,
) -> Iterator[tuple[int, tuple[Shard, Statistics]]]:
    """Yields input bytes behind each shard and the shard, in order, whichever is done first."""
    work = partitions(corpus, options.partition_bytes)
    if options.workers == 1:
        for partition in work:
            yield corpus.bytes_read, build(partition)
        return
    # Each process has its own TensorFlow, which must not start from a forked copy of another's.
    context = multiprocessing.get_context("spawn")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    pool = concurrent.futures.ProcessPoolExecutor(options.workers, context, _start_worker)
    waiting: collections.deque[tuple[int, concurrent.futures.Future]] = collections.deque()
    try:
        for partition in work:
            waiting.append((corpus.bytes_read, pool.submit(build, partition)))
            # No more text in memory than the processes are about to need.
            if len(waiting) >= 2 * options.workers:
                bytes_read, future = waiting.popleft()
                yield bytes_read, future.result()
        while waiting:
            bytes_read, future = waiting.popleft()
            yield bytes_read, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    # A worker would reserve the GPU's memory for string operations that run on the CPU.
    tf.config.set_visible_devices([], "GPU")
    # A worker whose parent was killed would wait forever, or write into the next run's directory.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def _print_summary(directory: Path, manifest: Manifest) -> None:
    print(f"{directory}:")
    table = rich.table.Table()
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
