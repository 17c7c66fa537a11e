"""The options of the commands that train and use models."""

import dataclasses
from typing import Literal

from keras_bert.command_line import option
from keras_bert.text.mask_options import MaskUnits

Strategy = Literal["auto", "one_device", "mirrored", "multi_worker", "tpu"]
Optimizer = Literal["adamw", "lamb"]
Precision = Literal["float32", "bfloat16", "float16"]

_STRATEGY = (
    "where to train: auto takes the first there is of the cluster of TF_CONFIG or Slurm, a TPU, "
    "every GPU of this machine and the CPU, and says why"
)
_HISTOGRAMS = "steps between two histograms of every weight, in TensorBoard; 0 for none"
_PROFILE = "FIRST,LAST: steps to trace for TensorBoard's profiler, counted from 1; default: none"
_PRECISION = "type of activations and products; weights stay float32, float16 scales its loss"

_CHECKPOINT_STEPS = (
    "steps between two checkpoints, from which a stopped run goes on; 0 for none, not at a signal "
    "either"
)
_KEEP_CHECKPOINTS = "newest checkpoints to keep, besides the best; 0 for all"
_SKIP_LIMIT = (
    "steps in a row whose loss or gradient is not finite, after which the run stops; such steps "
    "change nothing; 0 for no stop"
)
_ALLOW_CHANGES = "go on with a stopped run under other options or inputs than it began with"


@dataclasses.dataclass(frozen=True)
class PretrainOptions:
    """Options of `python -m keras_bert pretrain`."""

    data: str = option(help="shard directory made by `python -m data_gen pretrain`")
    output: str = option(help="run directory to make, or of a stopped run to go on with")
    model: str = option(
        "base", help="tiny, mini, small, medium, base, large, L<layers>-H<hidden> or a config.json"
    )
    init: str | None = option(
        None, help="model directory to go on from; replaces --model and must have the vocabulary"
    )
    validation: str | None = option(
        None,
        help="shard directory to measure on before, after and at each checkpoint, of the same "
        "vocabulary; the checkpoint of the least loss is kept",
    )
    validation_steps: int = option(50, help="batches of --validation to measure on")
    long_data: str | None = option(
        None, help="shard directory of longer sequences, for the last part of the steps"
    )
    long_share: float = option(0.1, help="share of the steps on --long-data, above 0 to below 1")
    long_batch_size: int | None = option(
        None, help="sequences in a step on --long-data; default: as many tokens as in --batch-size"
    )
    steps: int = option(10000, help="optimizer steps, all lengths together")
    batch_size: int = option(32, help="sequences in a step, on all devices together")
    learning_rate: float = option(1e-4, help="peak learning rate")
    warmup_steps: int | None = option(
        None, help="steps of linear warm-up; default: a tenth of --steps, at most 10000"
    )
    weight_decay: float = option(0.01, help="decoupled decay; not of LayerNorm and biases")
    optimizer: Optimizer = option(
        "adamw", help="adamw, as BERT was trained; lamb, for batches of thousands"
    )
    gradient_accumulation_steps: int = option(
        1, help="parts in which each device computes its share of a step, to save memory"
    )
    mask_units: MaskUnits = option(
        "token",
        help="what is masked as a whole: token; whole_word; ngram, one to three words (ALBERT); "
        "span, one to ten words (SpanBERT); phrase, the units that the shards hold (ERNIE)",
    )
    mask_rate: float = option(0.15, help="share of tokens to mask, 0 to 1")
    mask_token_rate: float = option(0.8, help="share of masked tokens that become [MASK]")
    random_token_rate: float = option(0.1, help="share of masked tokens that become a random token")
    max_predictions: int | None = option(
        None, help="masked tokens in a sequence, at most; default: --mask-rate of its length"
    )
    bias_correction: bool = option(
        False, help="correct Adam's moments for their start at zero; BERT does not"
    )
    seed: int = option(12345, help="seed of weights, dropout, order and masks")
    shuffle_buffer: int = option(10000, help="sequences held to shuffle among")
    log_steps: int = option(50, help="steps between two points in TensorBoard")
    sample_steps: int = option(
        500,
        help="steps between two samples of masks that the model fills, in TensorBoard, examples of "
        "--validation or else of --data; one comes at the end too; 0 for none",
    )
    histograms: int = option(0, help=_HISTOGRAMS)
    profile_steps: str | None = option(None, help=_PROFILE)
    checkpoint_steps: int = option(1000, help=_CHECKPOINT_STEPS)
    keep_checkpoints: int = option(3, help=_KEEP_CHECKPOINTS)
    skip_limit: int = option(20, help=_SKIP_LIMIT)
    allow_changes: bool = option(False, help=_ALLOW_CHANGES)
    strategy: Strategy = option("auto", help=_STRATEGY)
    precision: Precision = option("float32", help=_PRECISION)


@dataclasses.dataclass(frozen=True)
class FinetuneOptions:
    """Options of `python -m keras_bert finetune`."""

    task: str = option(help="sst-2, mrpc, or classification for files with labels of your own")
    data: str = option(
        help="directory with train and dev files: the task's own, or .jsonl, .tsv or .csv"
    )
    init: str = option(help="model directory to start from")
    output: str = option(help="run directory to make, or of a stopped run to go on with")
    random_weights: bool = option(
        False, help="take only size and vocabulary from --init: a baseline without pre-training"
    )
    epochs: int = option(3, help="passes over the training examples")
    batch_size: int = option(32, help="examples in a step, on all devices together")
    learning_rate: float = option(5e-5, help="peak learning rate")
    layer_decay: float = option(
        1.0, help="factor on the learning rate from each layer to the one below, above 0 to 1"
    )
    warmup_share: float = option(0.1, help="share of all steps for linear warm-up, 0 to 1")
    weight_decay: float = option(0.01, help="decoupled decay; not of LayerNorm and biases")
    sequence_length: int = option(128, help="tokens of an example, at most; longer ones are cut")
    seed: int = option(12345, help="seed of new weights, dropout and order")
    log_steps: int = option(20, help="steps between two points in TensorBoard")
    histograms: int = option(0, help=_HISTOGRAMS)
    profile_steps: str | None = option(None, help=_PROFILE)
    checkpoint_steps: int = option(1000, help=_CHECKPOINT_STEPS)
    keep_checkpoints: int = option(3, help=_KEEP_CHECKPOINTS)
    skip_limit: int = option(20, help=_SKIP_LIMIT)
    allow_changes: bool = option(False, help=_ALLOW_CHANGES)
    strategy: Strategy = option("auto", help=_STRATEGY)
    precision: Precision = option("float32", help=_PRECISION)


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """Options of `python -m keras_bert evaluate`."""

    task: str = option(help="sst-2, mrpc, or classification for files with labels of your own")
    data: str = option(help="directory with the files of the task")
    model: str = option(help="fine-tuned model directory")
    split: str = option("dev", help="file to measure on: train, dev or test")
    batch_size: int = option(32, help="examples in a step")
    output: str | None = option(None, help="JSON file for the metrics; always printed too")


@dataclasses.dataclass(frozen=True)
class PredictOptions:
    """Options of `python -m keras_bert predict`."""

    model: str = option(help="fine-tuned model directory")
    batch_size: int = option(32, help="lines answered at a time")


@dataclasses.dataclass(frozen=True)
class ConvertOptions:
    """Options of `python -m keras_bert convert`."""

    source: str = option(
        help="checkpoint folder of any format, or a KerasHub preset", positional=True
    )
    destination: str = option(help="directory to make", positional=True)
    to: Literal["huggingface", "google", "model_garden", "keras_hub"] = option(
        help="format to write"
    )
    cased: bool = option(
        False,
        help="the model is cased; for google and model_garden folders, which do not say so",
    )
