"""`python -m data_gen pretrain`: a corpus to a shard directory."""

import contextlib
import dataclasses
import fcntl
import functools
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import rich.console
import rich.table

from data_gen import local_engine
from data_gen.findings import findings, warn_of
from data_gen.options import PretrainingDataOptions
from data_gen.progress import corpus_progress
from data_gen.repeats import merged
from data_gen.shards import (
    UNFINISHED,
    Result,
    binding_settings,
    build_shard,
    content_settings,
    inputs_of,
    objective_of,
    predictions_of,
)
from data_gen.sources import Corpus
from data_gen.statistics import summary
from keras_bert.atomic import remove_incomplete, write_json
from keras_bert.command_line import check_unused, flag
from keras_bert.config import SHORTEST_SEQUENCE
from keras_bert.errors import InputError
from keras_bert.failures import failure_of
from keras_bert.interruption import cleaned
from keras_bert.outputs import check_directory
from keras_bert.records import (
    LABEL,
    LENGTHS,
    MANIFEST,
    MASK_FIELDS,
    Manifest,
    read_manifest,
    write_manifest,
)
from keras_bert.text.mask_options import MASK_OPTIONS
from keras_bert.text.vocabulary import Vocabulary


def generate(options: PretrainingDataOptions) -> Manifest:
    """Writes a shard directory; its bytes depend on input, options and seed, not on workers.

    A run that was killed, or that found the disk full, leaves no manifest, hence nothing that can
    be read; the same command then makes what is missing. Wrong input leaves nothing at all. Where
    the directory holds the finished shards of the same input and options, nothing is done.

    Args:
        options: `PretrainingDataOptions`.

    Raises:
        InputWarning: For each number that is out of its usual range (`data_gen.findings`).
        InputError: If input, vocabulary or options are wrong, the directory holds finished shards
            of other ones or belongs to another process, or it cannot be written.

    Example:

    ```python
    manifest = generate(PretrainingDataOptions("corpus/*.txt", "vocab.txt", "shards"))
    manifest.statistics["random_next_rate"]     # 0.5 or somewhat more
    ```
    """
    _check(options)
    vocabulary = Vocabulary.from_file(options.vocab)
    directory = Path(options.output)
    check_directory(options.output, "--output")
    corpus = Corpus(
        options.input,
        options.text_field,
        outputs={"--output": options.output},
        others={"--vocab": options.vocab, "--lexicon": options.lexicon},
    )
    if (directory / MANIFEST).exists():
        manifest = _check_finished(corpus, options, vocabulary=vocabulary, directory=directory)
        print(f"{directory}: finished already, of the same input and options")
        _print_summary(directory, manifest)
        return manifest
    is_new = not directory.exists()
    try:
        with _owned(directory), cleaned(lambda: _remove_incomplete(directory)):
            try:
                results = _run(corpus, options, vocabulary=vocabulary, directory=directory)
                manifest = _finish(results, options, vocabulary=vocabulary, directory=directory)
            except InputError:
                _clear(directory)
                if is_new:
                    shutil.rmtree(directory, ignore_errors=True)
                raise
            except KeyboardInterrupt:
                _remove_incomplete(directory)
                if is_new and not any(directory.glob("shard-*.tfrecord")):
                    shutil.rmtree(directory, ignore_errors=True)
                raise KeyboardInterrupt(
                    f"{directory}: the same command goes on from what is finished"
                ) from None
    except Exception as error:
        failure = failure_of(error)
        if failure is None or failure.is_of_memory or _is_elsewhere(failure.place, directory):
            raise
        raise InputError(
            f"{directory}: cannot write: {failure.reason}; the same command goes on from what is "
            "finished"
        ) from error
    _print_summary(directory, manifest)
    warn_of(str(directory), findings(manifest.statistics, options.objective))
    return manifest


def _check_finished(
    corpus: Corpus, options: PretrainingDataOptions, *, vocabulary: Vocabulary, directory: Path
) -> Manifest:
    """Reads a finished directory, and the corpus to tell whether it was made of the same text."""
    manifest = read_manifest(directory)
    changes = _changed_settings(manifest, options)
    if not changes and manifest.inputs:
        # The vocabulary and the lexicon first: reading all text takes its time.
        changes = _changed_inputs(manifest, inputs_of(options, vocabulary, ()), without=("input",))
    if not changes and manifest.inputs:
        texts = []
        with corpus_progress("comparing", corpus.bytes) as update:
            for bytes_read, partition in local_engine.partitions_of(
                corpus, options.partition_bytes
            ):
                texts.append((partition.name, partition.sha256))
                update(bytes_read, len(texts), "shards")
        changes = _changed_inputs(manifest, inputs_of(options, vocabulary, texts))
    if changes or not manifest.inputs:
        otherwise = f": they were made otherwise ({'; '.join(changes)})" if changes else ""
        raise InputError(
            f"{directory}: finished shards exist already; remove them or choose another --output"
            f"{otherwise}"
        )
    return manifest


def _changed_settings(manifest: Manifest, options: PretrainingDataOptions) -> list[str]:
    known = {field.name: field.default for field in dataclasses.fields(options)}
    earlier = {**known, **manifest.settings}
    return [
        f"{flag(name)}: {earlier[name]} -> {value}"
        for name, value in binding_settings(content_settings(options)).items()
        if earlier[name] != value
    ]


def _changed_inputs(
    manifest: Manifest, inputs: dict[str, str], without: tuple[str, ...] = ()
) -> list[str]:
    return [
        f"what {flag(name)} names"
        for name in sorted({*manifest.inputs, *inputs} - {*without})
        if manifest.inputs.get(name) != inputs.get(name)
    ]


def _check(options: PretrainingDataOptions) -> None:
    if not options.static_masks:
        check_unused(options, *MASK_OPTIONS, reason="`--static-masks` is off")
    if options.runner == "local":
        check_unused(options, "beam_options", reason="`--runner` is local")
    else:
        check_unused(options, "workers", reason=f"`--runner` is {options.runner}")
    rules: list[tuple[str, bool, str]] = [
        (
            "sequence_length",
            options.sequence_length >= SHORTEST_SEQUENCE,
            f"at least {SHORTEST_SEQUENCE}",
        ),
        (
            "lexicon",
            options.lexicon is None or Path(options.lexicon).is_file(),
            "a file",
        ),
        (
            "mask_units",
            options.mask_units != "phrase" or _has_units(options),
            "phrase only with --segmentation or --lexicon",
        ),
        (
            "packed",
            not (options.packed and objective_of(options).makes_pairs),
            "off with pairs (nsp, sop), whose [CLS] must be the first token of a row",
        ),
        (
            "static_masks",
            not (options.static_masks and options.objective == "left_to_right"),
            "off with left_to_right, which predicts every token and masks none",
        ),
    ]
    for name, holds, rule in rules:
        if not holds:
            raise InputError(f"`{flag(name)}` must be {rule}. Received: {getattr(options, name)}")


def _has_units(options: PretrainingDataOptions) -> bool:
    return options.segmentation != "none" or options.lexicon is not None


def _is_elsewhere(place: str | None, directory: Path) -> bool:
    return place is not None and not Path(place).is_relative_to(directory)


@contextlib.contextmanager
def _owned(directory: Path) -> Iterator[None]:
    """Makes the directory and keeps other processes out of it while the block runs."""
    try:
        (directory / UNFINISHED).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{directory}: cannot make the directory: {error.strerror}") from error
    with open(directory / UNFINISHED / "lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"{directory}: another process is writing here") from error
        _remove_incomplete(directory)
        yield


def _remove_incomplete(directory: Path) -> None:
    remove_incomplete(directory)
    remove_incomplete(directory / UNFINISHED)


def _clear(directory: Path) -> None:
    """Removes what a run without a manifest has made."""
    remove_incomplete(directory)
    shutil.rmtree(directory / UNFINISHED, ignore_errors=True)
    for shard in directory.glob("shard-*.tfrecord"):
        shard.unlink(missing_ok=True)


def _run(
    corpus: Corpus, options: PretrainingDataOptions, *, vocabulary: Vocabulary, directory: Path
) -> list[Result]:
    build = functools.partial(
        build_shard, options=options, vocabulary=vocabulary, directory=directory
    )
    if options.runner == "beam":
        from data_gen import beam_engine  # Beam takes seconds to import.

        return beam_engine.run(corpus, build, options, directory=directory)
    results: list[Result] = []
    examples = 0
    # Closed on an error too, so that no worker writes after the directory was cleared.
    with (
        corpus_progress("shards", corpus.bytes) as update,
        contextlib.closing(local_engine.run(corpus, build, options)) as finished,
    ):
        for bytes_read, result in finished:
            results.append(result)
            examples += result.counts["examples"]
            update(bytes_read, examples, "examples")
    return results


def _finish(
    results: list[Result],
    options: PretrainingDataOptions,
    *,
    vocabulary: Vocabulary,
    directory: Path,
) -> Manifest:
    if not results:
        raise InputError(
            f"`--input`: the corpus is empty: no text in it. Received: {options.input!r}"
        )
    counts = sum((result.counts for result in results), Counter())
    shards = sorted((result.shard for result in results if result.shard), key=lambda s: s.name)
    makes_pairs = objective_of(options).makes_pairs
    if not shards:
        least = "two documents" if makes_pairs else "one document"
        raise InputError(
            f"`--input`: the corpus gives no example: {options.objective} needs at least {least} "
            f"with tokens, a blank line between documents. Received: {counts['documents']}"
        )
    # Of an earlier run that was killed, with other options.
    for stale in {path.name for path in directory.glob("*.tfrecord")} - {s.name for s in shards}:
        (directory / stale).unlink()
    vocabulary.save(directory / "vocab.txt")
    write_json(directory / "config.json", dataclasses.asdict(options))
    fields = {
        "token_ids": True,
        "segment_ids": True,
        "unit_starts": _has_units(options),
        **dict.fromkeys(MASK_FIELDS, options.static_masks),
        LABEL: makes_pairs,
        LENGTHS: options.packed,
    }
    manifest = Manifest(
        objective=options.objective,
        sequence_length=options.sequence_length,
        fields=tuple(name for name, is_present in fields.items() if is_present),
        max_predictions=predictions_of(options) if options.static_masks else None,
        vocabulary_size=len(vocabulary),
        vocabulary_sha256=vocabulary.sha256,
        lowercase=not options.cased,
        settings=content_settings(options),
        statistics=summary(
            counts,
            objective=options.objective,
            sequence_length=options.sequence_length,
            packed=options.packed,
            masked=options.static_masks,
            largest=max(result.largest for result in results),
            repeats=merged(result.repeats for result in results),
        ),
        shards=tuple(shards),
        inputs=inputs_of(options, vocabulary, (result.text for result in results)),
    )
    write_manifest(directory, manifest)
    shutil.rmtree(directory / UNFINISHED)
    return manifest


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
