"""The parts of a pre-training run: short sequences, then long ones."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf

from keras_bert.command_line import check_unused
from keras_bert.errors import InputError
from keras_bert.records import Manifest, damage_in, read_manifest
from keras_bert.text.mask_options import MASK_OPTIONS
from keras_bert.text.masking import MaskedLMMasker, most_predictions
from keras_bert.text.vocabulary import Vocabulary
from keras_bert.training.options import PretrainOptions
from keras_bert.training.pipeline import LEFT_TO_RIGHT, distributed_pretraining_dataset


@dataclasses.dataclass(frozen=True)
class Phase:
    """Some steps on one shard directory.

    Args:
        directory: str.
        manifest: `Manifest` of the directory.
        masker: `MaskedLMMasker` or None, see `pretraining_dataset`.
        batch_size: int. Sequences of a step.
        steps: int. Optimizer steps.
        seed: int. Of order and masks.
    """

    directory: str
    manifest: Manifest
    masker: MaskedLMMasker | None
    batch_size: int
    steps: int
    seed: int

    @property
    def predictions(self) -> int:
        """Slots for masked tokens in a row."""
        if self.masker is not None:
            return self.masker.max_predictions
        if self.manifest.has_masks:
            return self.manifest.max_predictions
        return self.manifest.sequence_length - 1  # Left to right, each token but the first.

    @contextlib.contextmanager
    def readable(self) -> Iterator[None]:
        """Turns what the reader says of damaged shards into an `InputError` of one line."""
        try:
            yield
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            damage = damage_in(self.directory, error)
            if damage is None:
                raise
            raise damage from error

    def dataset(
        self,
        *,
        shuffle_buffer: int,
        strategy: tf.distribute.Strategy | None = None,
        first_batch: int = 0,
    ) -> tf.data.Dataset:
        """Returns the batches, without end, for `fit` under a strategy."""
        return distributed_pretraining_dataset(
            strategy or tf.distribute.get_strategy(),
            self.directory,
            self.manifest,
            self.masker,
            batch_size=self.batch_size,
            seed=self.seed,
            shuffle_buffer=shuffle_buffer,
            first_batch=first_batch,
        )


def training_phases(options: PretrainOptions, vocabulary: Vocabulary) -> list[Phase]:
    """Returns the phase on `--data` and, where it is given, that on `--long-data`.

    Raises:
        InputError: If the two do not fit together, an option is out of range or without use, or a
            directory holds fewer examples than a batch.

    References:
        - Devlin et al. 2019, arXiv:1810.04805, appendix A.2: 90 % of the steps with 128 tokens, the
          rest with 512.
    """
    if options.long_data is None:
        reason = "`--long-data` is not given"
        check_unused(options, "long_share", "long_batch_size", reason=reason)
        return [make_phase(options.data, options, vocabulary, steps=options.steps)]
    short_steps, long_steps = planned_steps(options.steps, options.long_share)
    if not 0 < long_steps < options.steps:
        raise InputError(
            "`--long-share` must leave at least one step for each length. Received: "
            f"{options.long_share} of {options.steps} steps"
        )
    short = make_phase(options.data, options, vocabulary, steps=short_steps)
    manifest = read_manifest(options.long_data)
    if manifest.sequence_length <= short.manifest.sequence_length:
        raise InputError(
            f"{options.long_data}: `--long-data` must have longer sequences than `--data`, "
            f"{short.manifest.sequence_length}. Received: {manifest.sequence_length}"
        )
    if manifest.has_pairs != short.manifest.has_pairs:
        raise InputError(
            f"{options.long_data}: pairs of segments must be in both or in neither. Received: "
            f"{short.manifest.objective} and {manifest.objective}"
        )
    as_many_tokens = options.batch_size * short.manifest.sequence_length
    batch_size = options.long_batch_size or max(as_many_tokens // manifest.sequence_length, 1)
    long = make_phase(
        options.long_data, options, vocabulary, steps=long_steps, batch_size=batch_size
    )
    return [short, long]


def phases_from(phases: list[Phase], step: int, earlier: Sequence[int]) -> list[Phase]:
    """Returns the phases of a run that goes on, whose steps may be others than it began with.

    A phase that is over keeps the steps that it took. What makes a run longer that has come to its
    last phase is all of that one, as if it had been planned so.

    Args:
        phases: list of `Phase`, as `training_phases` plans them.
        step: int. Steps done.
        earlier: Steps of the phases when the run was stopped.
    """
    if len(phases) == 1:
        return phases
    total = sum(phase.steps for phase in phases)
    is_over = len(earlier) == len(phases) and step > earlier[0]
    first = earlier[0] if is_over else max(phases[0].steps, step)
    steps = (first, total - first)
    return [dataclasses.replace(p, steps=n) for p, n in zip(phases, steps, strict=True)]


def planned_steps(total: int, long_share: float | None) -> list[int]:
    """Returns the steps of the phases: on `--data` and, with a share, on `--long-data`."""
    if long_share is None:
        return [total]
    long = round(total * long_share)
    return [total - long, long]


def make_phase(
    directory: str,
    options: PretrainOptions,
    vocabulary: Vocabulary,
    *,
    steps: int,
    batch_size: int | None = None,
) -> Phase:
    """Reads the manifest of a directory and checks that training can use it.

    Raises:
        InputError: If the shards were made with another vocabulary, hold fewer examples than a
            batch, or their masks were drawn beforehand and `options` says how to draw masks.
    """
    manifest = read_manifest(directory)
    if manifest.vocabulary_sha256 != vocabulary.sha256:
        raise InputError(f"{directory}: made with another vocabulary than {options.data}")
    batch_size = batch_size or options.batch_size
    if manifest.examples < batch_size:
        raise InputError(
            f"{directory}: {manifest.examples} examples do not fill one batch of {batch_size}"
        )
    masker = None
    if manifest.has_masks or manifest.objective == LEFT_TO_RIGHT:
        kind = "left-to-right" if manifest.objective == LEFT_TO_RIGHT else "already masked"
        reason = f"{directory}: the shards are {kind}"
        check_unused(options, *MASK_OPTIONS, reason=reason)
    else:
        predictions = options.max_predictions
        if predictions is None:
            predictions = most_predictions(manifest.sequence_length, options.mask_rate)
        if options.mask_units == "phrase" and "unit_starts" not in manifest.fields:
            raise InputError(
                f"{directory}: `--mask-units phrase` needs shards with units: generate them with "
                "--segmentation or --lexicon"
            )
        masker = MaskedLMMasker(
            vocabulary,
            predictions,
            units=options.mask_units,
            mask_rate=options.mask_rate,
            mask_token_rate=options.mask_token_rate,
            random_token_rate=options.random_token_rate,
        )
    return Phase(directory, manifest, masker, batch_size, steps, options.seed)


def read_vocabulary(directory: str) -> Vocabulary:
    """Reads the vocabulary of a shard directory.

    Raises:
        InputError: If it is not the one that made the shards.
    """
    # The manifest first, because reading it knows a directory that is missing or unfinished.
    sha256 = read_manifest(directory).vocabulary_sha256
    return Vocabulary.from_file(Path(directory) / "vocab.txt", sha256=sha256)
