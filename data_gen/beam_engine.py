"""The unit of work on a cluster, by Apache Beam."""

import itertools
import json
import shlex
from collections.abc import Callable
from pathlib import Path

from data_gen.options import PretrainingDataOptions
from data_gen.partitions import Partition, groups, partitions
from data_gen.shards import UNFINISHED, Result
from data_gen.sources import Corpus
from keras_bert.atomic import write_json
from keras_bert.errors import InputError

_RESULTS = "results.json"


def run(
    corpus: Corpus,
    build: Callable[[Partition], Result],
    options: PretrainingDataOptions,
    *,
    directory: Path,
) -> list[Result]:
    """Builds every partition of a corpus with the runner that `--beam-options` names.

    Input and output must be on a file system that all workers see under the same path, and this
    package must be installed on them.

    Args:
        corpus: `Corpus`.
        build: Callable that turns a `Partition` into its `Result`.
        options: `PretrainingDataOptions`.
        directory: Path. The shard directory.

    Raises:
        InputError: If Beam is not installed, its options are wrong, or input is.

    References:
        - https://beam.apache.org/documentation/runners/capability-matrix/
    """
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise InputError(
            "`--runner beam` needs Apache Beam: pip install 'keras-bert-tf[beam]'"
        ) from error
    results = directory / UNFINISHED / _RESULTS
    results.unlink(missing_ok=True)
    work = list(enumerate(groups(corpus.sources, options.partition_bytes)))
    try:
        pipeline = beam.Pipeline(options=PipelineOptions(shlex.split(options.beam_options)))
    except (ValueError, ImportError, SystemExit) as error:
        raise InputError(
            f"`--beam-options` must be options of Apache Beam: {error}. "
            f"Received: {options.beam_options!r}"
        ) from error
    with pipeline:
        (
            pipeline
            | "groups" >> beam.Create(work)
            | "spread groups" >> beam.Reshuffle()
            | "read" >> beam.FlatMap(_partitions, partition_bytes=options.partition_bytes)
            | "spread partitions" >> beam.Reshuffle()
            | "build" >> beam.Map(build)
            | "as values" >> beam.Map(Result.to_json)
            | "gather" >> beam.combiners.ToList()
            | "write" >> beam.Map(lambda values: write_json(results, values))
        )
    return [Result.of_json(values) for values in json.loads(results.read_text(encoding="utf-8"))]


def _partitions(group, *, partition_bytes):
    # Beam would check every value against annotations.
    number, sources = group
    documents = itertools.chain.from_iterable(source.documents() for source in sources)
    return partitions(number, documents, partition_bytes)
