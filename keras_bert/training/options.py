"""The options of the commands that train and use models."""

import dataclasses
from typing import Literal

from keras_bert.command_line import Options, option
from keras_bert.models.feature_mixes import FeatureMix
from keras_bert.page import PAGE_HELP, PageForm
from keras_bert.ranges import (
    Count,
    CountOrZero,
    NotNegative,
    Seed,
    Share,
    ShareAboveZero,
    ShareWithin,
)
from keras_bert.text.mask_options import MaskUnits

Strategy = Literal["auto", "one_device", "mirrored", "multi_worker", "tpu"]
Optimizer = Literal["adamw", "lamb"]
Precision = Literal["float32", "bfloat16", "float16"]
TagScheme = Literal["bio", "iobes", "bmes", "bilou", "plain"]

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
_TASK = (
    "name of a task, see docs/finetuning.md: classification, multi-label, regression, ner or "
    "multiple-choice for files of your own; mrpc, squad-2.0, conll-2003 and others"
)
_DATA = (
    "directory with the files of the task, or tfds:NAME[/CONFIG], a data set that TensorFlow "
    "Datasets has prepared"
)
# How a task's files are written; see `keras_bert.tasks.file_format.FileFormat`.
FILE_OPTIONS = (
    *("delimiter", "columns", "encoding", "text_field", "label_field", "labels", "tag_scheme"),
    "strict",
)
_DELIMITER = (
    "what divides the fields of a table: tab, comma, semicolon, pipe or another character; "
    "default: what fits its first rows"
)
_COLUMNS = "names of a table's columns with commas between them, if its first line holds data"
_ENCODING = "encoding of the files, such as utf-16, cp1252 or gb18030"
_TEXT_FIELD = (
    "field of the text, or of the two texts of a pair with a comma between them, if not text, or "
    "text_a and text_b"
)
_LABEL_FIELD = "field of what is to be predicted, if it is not the task's own, such as label"
_LABELS = (
    "names of the classes or tags with commas between them, or a file with one on each line; in "
    "the order of the numbers that stand for them in the files"
)
_TAG_SCHEME = (
    "tags: how they spell entities, or plain for classes of words, such as parts of speech; "
    "default: what fits the training file"
)
_STRICT = (
    "question answering: end where a training question's answer is not where its file says, in "
    "place of moving it or leaving the question out"
)
_ALLOW_CHANGES = (
    "go on with a stopped run under other options or inputs than it began with, and say which; the "
    "same inputs by another path need it not"
)


@dataclasses.dataclass(frozen=True)
class PretrainOptions(Options):
    """Options of `python -m keras_bert pretrain`."""

    data: str = option(help="shard directory made by `python -m data_gen pretrain`")
    output: str = option(help="run directory to make, or of a stopped run to go on with")
    model: str | None = option(
        None,
        help="tiny, mini, small, medium, base, large, L<layers>-H<hidden> or a config.json; "
        "default: that of --init, or base",
    )
    init: str | None = option(
        None,
        help="model to go on from, with or without pre-training heads: a directory, or a "
        "checkpoint of any format; it must have the vocabulary of the shards",
    )
    new_head: bool = option(
        False, help="leave the pre-training heads of --init where they are, and begin with new ones"
    )
    validation: str | None = option(
        None,
        help="shard directory to measure on before, after and at each checkpoint, of the same "
        "vocabulary; the checkpoint of the least loss is kept",
    )
    validation_steps: Count = option(50, help="batches of --validation to measure on")
    long_data: str | None = option(
        None, help="shard directory of longer sequences, for the last part of the steps"
    )
    long_share: ShareWithin = option(
        0.1, help="share of the steps on --long-data, above 0 to below 1"
    )
    long_batch_size: Count | None = option(
        None, help="sequences in a step on --long-data; default: as many tokens as in --batch-size"
    )
    steps: Count = option(
        10000,
        help="optimizer steps, all lengths together; a finished run goes on where they are more",
    )
    batch_size: Count = option(32, help="sequences in a step, on all devices together")
    learning_rate: NotNegative = option(1e-4, help="peak learning rate")
    warmup_steps: CountOrZero | None = option(
        None, help="steps of linear warm-up; default: a tenth of --steps, at most 10000"
    )
    weight_decay: NotNegative = option(0.01, help="decoupled decay; not of LayerNorm and biases")
    optimizer: Optimizer = option(
        "adamw", help="adamw, as BERT was trained; lamb, for batches of thousands"
    )
    gradient_accumulation_steps: Count = option(
        1, help="parts in which each device computes its share of a step, to save memory"
    )
    mask_units: MaskUnits = option(
        "token",
        help="what is masked as a whole: token; whole_word; ngram, one to three words (ALBERT); "
        "span, one to ten words (SpanBERT); phrase, the units that the shards hold (ERNIE)",
    )
    mask_rate: ShareAboveZero = option(0.15, help="share of tokens to mask, 0 to 1")
    mask_token_rate: Share = option(0.8, help="share of masked tokens that become [MASK]")
    random_token_rate: Share = option(0.1, help="share of masked tokens that become a random token")
    max_predictions: Count | None = option(
        None, help="masked tokens in a sequence, at most; default: --mask-rate of its length"
    )
    bias_correction: bool = option(
        False, help="correct Adam's moments for their start at zero; BERT does not"
    )
    seed: Seed = option(12345, help="seed of weights, dropout, order and masks")
    shuffle_buffer: CountOrZero = option(10000, help="sequences held to shuffle among")
    log_steps: Count = option(50, help="steps between two points in TensorBoard")
    sample_steps: CountOrZero = option(
        500,
        help="steps between two samples of masks that the model fills, in TensorBoard, examples of "
        "--validation or else of --data; one comes at the end too; 0 for none",
    )
    histograms: CountOrZero = option(0, help=_HISTOGRAMS)
    profile_steps: str | None = option(None, help=_PROFILE)
    checkpoint_steps: CountOrZero = option(1000, help=_CHECKPOINT_STEPS)
    keep_checkpoints: CountOrZero = option(3, help=_KEEP_CHECKPOINTS)
    skip_limit: CountOrZero = option(20, help=_SKIP_LIMIT)
    allow_changes: bool = option(False, help=_ALLOW_CHANGES)
    strategy: Strategy = option("auto", help=_STRATEGY)
    precision: Precision = option("float32", help=_PRECISION)


# Options of single families of tasks; see `Predictor.defaults`.
FAMILY_OPTIONS = (
    *("threshold", "stride", "query_length", "max_answer_length", "n_best"),
    *("pooling", "document_context", "mix", "lstm_dim"),
)


@dataclasses.dataclass(frozen=True)
class FinetuneOptions(Options):
    """Options of `python -m keras_bert finetune`."""

    task: str = option(help=_TASK)
    data: str = option(help=_DATA)
    init: str = option(help="model to start from: a directory, or a checkpoint of any format")
    output: str = option(help="run directory to make, or of a stopped run to go on with")
    delimiter: str | None = option(None, help=_DELIMITER)
    columns: str | None = option(None, help=_COLUMNS)
    encoding: str = option("utf-8", help=_ENCODING)
    text_field: str | None = option(None, help=_TEXT_FIELD)
    label_field: str | None = option(None, help=_LABEL_FIELD)
    labels: str | None = option(None, help=_LABELS)
    tag_scheme: TagScheme | None = option(None, help=_TAG_SCHEME)
    strict: bool = option(False, help=_STRICT)
    new_head: bool = option(
        False,
        help="begin another task from a fine-tuned model: the layer on the encoder starts anew",
    )
    random_weights: bool = option(
        False, help="take only size and vocabulary from --init: a baseline without pre-training"
    )
    epochs: Count = option(
        3, help="passes over the training examples; a finished run goes on where they are more"
    )
    batch_size: Count = option(32, help="examples in a step, on all devices together")
    length_pool: Count = option(
        1,
        help="batches among which rows are sorted by length: more leave less padding, and make the "
        "rows of a batch more alike",
    )
    learning_rate: NotNegative = option(5e-5, help="peak learning rate")
    layer_decay: ShareAboveZero = option(
        1.0, help="factor on the learning rate from each layer to the one below, above 0 to 1"
    )
    freeze_layers: CountOrZero | None = option(
        None, help="lowest layers that stay as they are, with the embeddings; default: none do"
    )
    warmup_share: Share = option(0.1, help="share of all steps for linear warm-up, 0 to 1")
    weight_decay: NotNegative = option(0.01, help="decoupled decay; not of LayerNorm and biases")
    class_weights: Literal["equal", "balanced"] = option(
        "equal", help="balanced: rare classes count as much as frequent ones; for classes of texts"
    )
    sequence_length: Count | None = option(
        None,
        help="tokens of a row, at most; default: 128, for question answering 384, or what the "
        "model can take",
    )
    threshold: Share | None = option(
        None, help="multi-label: least probability of a label; default .5"
    )
    stride: Count | None = option(
        None, help="question answering: tokens from one window to the next; default 128"
    )
    query_length: Count | None = option(
        None, help="question answering: tokens of a question, at most; default 64"
    )
    max_answer_length: Count | None = option(
        None, help="question answering: tokens of an answer, at most; default 30"
    )
    n_best: Count | None = option(
        None, help="question answering: answers to choose among; default 20"
    )
    pooling: Literal["mean", "cls", "max"] | None = option(
        None, help="sentence vectors: which tokens they are made of; default: as --init, or mean"
    )
    document_context: bool = option(
        False, help="tags: fill the rows with words of the same document, before and after"
    )
    mix: FeatureMix | None = option(
        None, help="tags from features: the layers they are made of; default concat_last_4"
    )
    lstm_dim: Count | None = option(
        None, help="tags from features: width of each direction of the LSTM; default 768"
    )
    seed: Seed = option(12345, help="seed of new weights, dropout and order")
    final_model: Literal["best", "last"] = option(
        "best", help="weights to end with: those of the best checkpoint on dev, or the last ones"
    )
    patience: CountOrZero = option(
        0, help="checkpoints in a row no better on dev, after which training ends; 0 for no end"
    )
    grid: str | None = option(
        None,
        help="paper, for its 18 combinations of batch size, learning rate and epochs, or a JSON "
        'file such as {"learning_rate": [5e-5, 3e-5]}: train each of them, choose by dev',
    )
    restarts: Count = option(
        1, help="runs of each combination of --grid, with seeds from --seed on"
    )
    log_steps: Count = option(20, help="steps between two points in TensorBoard")
    histograms: CountOrZero = option(0, help=_HISTOGRAMS)
    profile_steps: str | None = option(None, help=_PROFILE)
    checkpoint_steps: CountOrZero | None = option(
        None,
        help="steps between two checkpoints, each measured on dev; default: those of an epoch; 0 "
        "for none",
    )
    keep_checkpoints: CountOrZero = option(2, help=_KEEP_CHECKPOINTS)
    skip_limit: CountOrZero = option(20, help=_SKIP_LIMIT)
    allow_changes: bool = option(False, help=_ALLOW_CHANGES)
    strategy: Strategy = option("auto", help=_STRATEGY)
    precision: Precision = option("float32", help=_PRECISION)


# What a run is bound to by what it is, with the options that say where and how it is written.
NAMED = {"data": ("data", *FILE_OPTIONS), "init": ("init",), "strategy": ("strategy",)}


@dataclasses.dataclass(frozen=True)
class EvaluateOptions(Options):
    """Options of `python -m keras_bert evaluate`."""

    task: str = option(help=_TASK)
    data: str = option(help=_DATA)
    model: str = option(help="fine-tuned model directory")
    delimiter: str | None = option(None, help=_DELIMITER)
    columns: str | None = option(None, help=_COLUMNS)
    encoding: str = option("utf-8", help=_ENCODING)
    text_field: str | None = option(None, help=_TEXT_FIELD)
    label_field: str | None = option(None, help=_LABEL_FIELD)
    labels: str | None = option(None, help=_LABELS)
    tag_scheme: TagScheme | None = option(None, help=_TAG_SCHEME)
    strict: bool = option(False, help=_STRICT)
    split: str | None = option(
        None, help="part to measure on, as train, dev or test; default: what the task has of dev"
    )
    batch_size: Count = option(32, help="examples in a step")
    precision: Precision = option("float32", help="type in which the model computes")
    output: str | None = option(None, help="JSON file for the metrics; always printed too")
    predictions: str | None = option(
        None, help="file for the answers in the form that the task's judges take"
    )
    report: str | None = option(
        None, help="HTML file: metrics, errors with their texts, calibration, attention"
    )
    page: PageForm = option("one_file", help=f"form of the report: {PAGE_HELP}")
    attention_example: CountOrZero | None = option(
        None, help="example whose attention the report shows, from 0; default: the worst error"
    )


@dataclasses.dataclass(frozen=True)
class PredictOptions(Options):
    """Options of `python -m keras_bert predict`."""

    model: str = option(help="fine-tuned model directory, or a pre-trained one to fill [MASK]")
    batch_size: Count = option(
        32, help="lines answered at a time, at most: fewer where input pauses"
    )
    keep_going: bool = option(
        False, help='answer a wrong line with {"error": ...} in place of ending there'
    )
    precision: Precision = option("float32", help="type in which the model computes")


@dataclasses.dataclass(frozen=True)
class ConvertOptions(Options):
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


@dataclasses.dataclass(frozen=True)
class ResizeOptions(Options):
    """Options of `python -m keras_bert resize`."""

    source: str = option(
        help="checkpoint folder of any format, or a KerasHub preset", positional=True
    )
    destination: str = option(
        help="model directory to make, in Hugging Face's layout", positional=True
    )
    add_tokens: str | None = option(None, help="text file of new tokens, one a line")
    pad_to: Count = option(1, help="grow the table to a multiple of this number of rows")
    initialize: Literal["mean", "random"] = option(
        "mean", help="rows of new tokens: the mean of those of their old pieces, or random"
    )
    seed: Seed = option(12345, help="seed of random rows")
    cased: bool = option(
        False,
        help="the model is cased; for google and model_garden folders, which do not say so",
    )
