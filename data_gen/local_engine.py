"""Processes of this machine that make shards."""

import collections
import concurrent.futures
import contextlib
import gc
import itertools
import multiprocessing
import multiprocessing.resource_tracker
import os
import signal
import threading
from collections.abc import Callable, Iterator

import tensorflow as tf

from data_gen.options import PretrainingDataOptions
from data_gen.partitions import Partition, groups, partitions
from data_gen.shards import Result
from data_gen.sources import Corpus
from keras_bert.interruption import cleaned


def run(
    corpus: Corpus, build: Callable[[Partition], Result], options: PretrainingDataOptions
) -> Iterator[tuple[int, Result]]:
    """Builds every partition of a corpus.

    This process reads; `--workers` others tokenise and write, each one partition at a time. No more
    text is in memory than they are about to need.

    Args:
        corpus: `Corpus`.
        build: Callable that turns a `Partition` into its `Result`.
        options: `PretrainingDataOptions`.

    Yields:
        The bytes of input that have been read, and a result.
    """
    work = partitions_of(corpus, options.partition_bytes)
    if options.workers == 1:
        with _quick_collection():
            for bytes_read, partition in work:
                yield bytes_read, build(partition)
        return
    # Each process has its own TensorFlow, which must not start from a forked copy of another's.
    context = multiprocessing.get_context("spawn")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    pool = concurrent.futures.ProcessPoolExecutor(options.workers, context, _start_worker)
    waiting: collections.deque[tuple[int, concurrent.futures.Future]] = collections.deque()
    try:
        with cleaned(_end_workers):
            for bytes_read, partition in work:
                with _uninterrupted():  # The first of them starts the processes.
                    waiting.append((bytes_read, pool.submit(build, partition)))
                if len(waiting) > options.workers:
                    bytes_read, future = waiting.popleft()
                    yield bytes_read, future.result()
            while waiting:
                bytes_read, future = waiting.popleft()
                yield bytes_read, future.result()
    except (KeyboardInterrupt, GeneratorExit):
        _end_workers()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Has processes that are started in the block not see SIGINT; this one sees it afterwards.

    A terminal sends Ctrl-C to all of them, and each would print where it was.
    """
    # It unblocks signals when it is first needed.
    multiprocessing.resource_tracker.ensure_running()
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


def _end_workers() -> None:
    for process in multiprocessing.active_children():
        process.kill()


def partitions_of(corpus: Corpus, partition_bytes: int) -> Iterator[tuple[int, Partition]]:
    """Yields the partitions of a corpus, each with the bytes of input that have been read."""
    done = 0
    for number, sources in enumerate(groups(corpus.sources, partition_bytes)):
        documents = itertools.chain.from_iterable(source.documents() for source in sources)
        for partition in partitions(number, documents, partition_bytes):
            yield done + sum(source.bytes_read for source in sources), partition
        done += sum(source.bytes for source in sources)


@contextlib.contextmanager
def _quick_collection() -> Iterator[None]:
    """Spares Python from looking through the million objects of TensorFlow, again and again."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _start_worker() -> None:
    gc.freeze()
    # A worker would reserve the GPU's memory for string operations that run on the CPU.
    tf.config.set_visible_devices([], "GPU")
    # A worker whose parent was killed would wait forever, or write into the next run's directory.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
