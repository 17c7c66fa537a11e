"""A checkpoint between formats: the shape of the network, its tensors by published names."""

import dataclasses
import itertools
import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_bert.checkpoints.published import encoder_shapes
from keras_bert.config import BertConfig
from keras_bert.errors import InputError

_LOGGER = logging.getLogger(__name__)
_LISTED = 3
_NEW_HEAD = "; `new_head=True` (`--new-head`) begins with a new head"
_POSITIONS = "bert/embeddings/position_embeddings"
# How the names of an encoder's pooler and of heads begin.
POOLER = "bert/pooler/"
HEADS = ("output_", "cls/", "feature_")
# What stands on an encoder, in words, by how its published names begin.
_WORDS = {
    POOLER: "pooler",
    "cls/predictions/": "masked language model",
    "cls/seq_relationship/": "next sentence",
    "cls/squad/": "answer spans",
    "output_": "classes",
    "feature_mix/": "mix of layers",
    "feature_lstm/": "LSTM",
}
# Weights of a masked language model that does not predict with the table of its tokens.
UNTIED = "cls/predictions/decoder/kernel"


def join_heads(name: str, array: np.ndarray) -> np.ndarray:
    """Joins the axes of heads and of a head's width, which Keras' own attention keeps apart."""
    if "/attention/self/" in name:
        # (hidden, heads, head) -> (hidden, hidden); (heads, head) -> (hidden,)
        return array.reshape((len(array), -1) if name.endswith("kernel") else -1)
    if name.endswith("attention/output/dense/kernel"):
        # (heads, head, hidden) -> (hidden, hidden)
        return array.reshape(-1, array.shape[-1])
    return array


def label_settings(labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns the names of the classes as a `config.json` has them."""
    return {
        "id2label": {str(index): label for index, label in enumerate(labels)},
        "label2id": {label: index for index, label in enumerate(labels)},
    }


def numbered_labels(count: int) -> list[str]:
    """Returns names of classes that have none, as transformers calls them."""
    return [f"LABEL_{index}" for index in range(count)]


class Heads(NamedTuple):
    """How what stands on a model's encoder differs from what a checkpoint has there, in words.

    Args:
        new: tuple of str. Heads of the model that the checkpoint lacks.
        left: tuple of str. Heads, or single tensors, of the checkpoint that the model lacks.
    """

    new: tuple[str, ...]
    left: tuple[str, ...]

    def __str__(self) -> str:
        parts = []
        if self.new:
            parts.append(f"new heads, from random weights: {', '.join(self.new)}")
        if self.left:
            parts.append(f"left out: {', '.join(self.left)}")
        return "; ".join(parts) or "all heads are taken"


def _shared(names: Sequence[str]) -> str:
    """Returns two names, or the scope that more of them share."""
    if len(names) <= 2:
        return ", ".join(names)
    separator = "/" if "/" in names[0] else "."
    levels = zip(*(name.split(separator) for name in names), strict=False)
    scope = [level[0] for level in itertools.takewhile(lambda level: len(set(level)) == 1, levels)]
    return separator.join(scope) or ", ".join(names)


@dataclasses.dataclass
class Checkpoint:
    """What every format can say.

    Args:
        config: `BertConfig`.
        arrays: dict. Arrays under google-research/bert's names, kernels as (input, output), heads'
            weights too. A tensor that has no published name keeps the name of its format.
        settings: dict. What a Hugging Face `config.json` says besides the network's shape, such as
            the names of the classes.
        place: str. Where it was read, for messages.
        name_of: A function from published names to the format's, for messages.
        is_turned: A function from published names to whether the format has the tensor transposed,
            for messages.
    """

    config: BertConfig
    arrays: dict[str, np.ndarray]
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    place: str = "the model"
    name_of: Callable[[str], str] = str
    is_turned: Callable[[str], bool] = lambda name: False

    @classmethod
    def of(cls, model: Any) -> "Checkpoint":
        """Returns the weights of a `BertModel`.

        Raises:
            InputError: If they are quantized, which no published format has.
        """
        tensors = model.published_tensors()
        for tensor in tensors:
            if "float" not in str(tensor.variable.dtype):
                raise InputError(
                    "a checkpoint must hold floats; `save` keeps quantized weights, in a .keras "
                    f"file. Received: {tensor.name} of dtype {tensor.variable.dtype}"
                )
        arrays = {
            tensor.name: np.ascontiguousarray(np.asarray(tensor.variable)[..., tensor.columns])
            for tensor in tensors
        }
        return cls(model.config, arrays, model.checkpoint_settings())

    def with_positions(self, length: int) -> "Checkpoint":
        """Returns the checkpoint for inputs of up to `length` tokens.

        A longer position table repeats the trained rows from the first on, so that neighbours keep
        their distance; training goes on from there. A shorter one is cut.

        References:
            - Beltagy et al. 2020, arXiv:2004.05150, section 5 (copying position embeddings).
        """
        table = self.arrays[_POSITIONS]
        arrays = {**self.arrays, _POSITIONS: np.resize(table, (length, table.shape[1]))}
        config = dataclasses.replace(self.config, max_sequence_length=length)
        return dataclasses.replace(self, config=config, arrays=arrays)

    def without_heads(self) -> "Checkpoint":
        """Returns the encoder alone, with nothing of the task that it was trained for."""
        arrays = {n: array for n, array in self.arrays.items() if n.startswith("bert")}
        return dataclasses.replace(self, arrays=arrays, settings={})

    def whole_settings(self) -> dict[str, Any]:
        """Returns the settings, with what its format leaves open told by the tensors."""
        settings: dict[str, Any] = {"architectures": [self._architecture()]}
        if (weights := self.arrays.get("output_weights")) is not None:
            settings |= label_settings(numbered_labels(weights.shape[-1]))
        return {**settings, **self.settings}

    def _architecture(self) -> str:
        """The model of transformers that has these tensors."""
        if "cls/squad/output_weights" in self.arrays:
            return "BertForQuestionAnswering"
        if "output_weights" in self.arrays:
            if "bert/pooler/dense/kernel" not in self.arrays:
                return "BertForTokenClassification"
            # One score can also be a regression's: the label with it opens it as that too.
            is_score = self.arrays["output_weights"].shape[1] == 1
            return "BertForMultipleChoice" if is_score else "BertForSequenceClassification"
        if "cls/predictions/output_bias" not in self.arrays:
            return "BertModel"
        has_pair = "cls/seq_relationship/output_weights" in self.arrays
        return "BertForPreTraining" if has_pair else "BertForMaskedLM"

    def check_encoder(self) -> None:
        """Compares the encoder's tensors with the configuration, before memory is taken for it.

        Raises:
            InputError: If a tensor is missing, misshapen or unexpected.
        """
        # No more of them than can be there: a file may say any number of layers.
        expected = dict(itertools.islice(encoder_shapes(self.config), len(self.arrays) + 1))
        problems = []
        for name, shape in expected.items():
            if name not in self.arrays:
                problems.append(f"{self.name_of(name)} is missing")
            elif tuple(self.arrays[name].shape) != shape:
                problems.append(self._misshapen(name, shape))
        problems += [
            f"{self.name_of(name)} is unexpected"
            for name in sorted(self.arrays)
            if name.startswith("bert") and name not in expected and not name.startswith(POOLER)
        ]
        self._raise(problems)

    def google_settings(self, target: str) -> dict[str, Any]:
        """Returns the fields of a Google `bert_config.json` for what the checkpoint holds.

        Args:
            target: str. What is written, for messages.

        Raises:
            InputError: If that format cannot say what the model is.
        """
        config = self.config
        if "output_weights" not in self.arrays:
            # The dropout before classes, which it does not have.
            config = dataclasses.replace(config, classifier_dropout=None)
        return config.to_google(target=target)

    def heads_for(self, model: Any) -> Heads:
        """Compares what stands on the encoder with the heads of a `BertModel`."""
        wanted = [tensor.name for tensor in model.published_tensors()]
        new = [name for name in wanted if name not in self.arrays]
        left = sorted(set(self.arrays) - set(wanted))
        return Heads(self._in_words(new), self._in_words(left))

    def _in_words(self, names: Sequence[str]) -> tuple[str, ...]:
        """Names heads once each, with the part of the format's names that their tensors share."""
        found: dict[str, list[str]] = {}
        for name in names:
            word = next((word for head, word in _WORDS.items() if name.startswith(head)), name)
            found.setdefault(word, []).append(self.name_of(name))
        # A tensor that no head of ours has goes by its own name.
        return tuple(
            f"{word} ({_shared(theirs)})" if word in _WORDS.values() else theirs[0]
            for word, theirs in found.items()
        )

    def _misshapen(self, name: str, expected: tuple[int, ...]) -> str:
        """Says both shapes as they are in the file."""
        shape = tuple(self.arrays[name].shape)
        if self.is_turned(name):
            shape, expected = shape[::-1], expected[::-1]
        return f"{self.name_of(name)} has shape {shape}, expected {expected}"

    def _raise(self, problems: Sequence[str], way_on: str = "") -> None:
        if problems:
            more = f" and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
            raise InputError(f"{self.place}: {'; '.join(problems[:_LISTED])}{more}{way_on}")

    def assign(self, model: Any, *, optional: Sequence[Sequence[str]] = ()) -> None:
        """Assigns the arrays to a model's variables; nothing is assigned unless all of it fits.

        Args:
            model: A `BertModel`.
            optional: For each tower of heads on the encoder the prefixes of their published names
                (`"output_"`), from the top down; the tensors of such a head may all be missing
                where those of the heads above it are, in which case they keep their initial values
                and a warning is logged.

        Raises:
            InputError: If a tensor is missing or misshapen.
        """
        tensors = model.published_tensors()
        present = {tensor.name for tensor in tensors if tensor.name in self.arrays}
        # Class weights without the pooler that they stand on are a tagger's, not a classifier's.
        absent_heads = tuple(
            head
            for tower in optional
            for head in itertools.takewhile(
                lambda head: not any(name.startswith(head) for name in present), tower
            )
        )
        problems, values = [], {}
        # Whether whatever does not fit belongs to heads, which can begin anew.
        is_head_alone = True
        for tensor in tensors:
            is_head = tensor.name.startswith(POOLER) or not tensor.name.startswith("bert/")
            name = self.name_of(tensor.name)
            if tensor.name not in self.arrays:
                if not tensor.name.startswith(absent_heads):
                    problems.append(f"{name} is missing")
                    is_head_alone &= is_head
                continue
            array, variable = self.arrays[tensor.name], tensor.variable
            if tuple(array.shape) != tensor.shape:
                problems.append(self._misshapen(tensor.name, tensor.shape))
                is_head_alone &= is_head
                continue
            if array.shape == tuple(variable.shape):
                values[variable.path] = (variable, array)  # As it is: copies take the time.
                continue
            empty = np.empty(tuple(variable.shape), array.dtype)
            values.setdefault(variable.path, (variable, empty))[1][..., tensor.columns] = array
        if UNTIED in self.arrays and any(t.name == "cls/predictions/output_bias" for t in tensors):
            problems.append(
                f"{self.name_of(UNTIED)} differs from the table of tokens; `tie_word_embeddings` "
                "must be true: a masked language model predicts with that table"
            )
        self._raise(problems, _NEW_HEAD if is_head_alone else "")
        heads = self.heads_for(model)
        if heads.new or heads.left:
            level = logging.WARNING if heads.new else logging.INFO
            _LOGGER.log(level, "%s: %s: %s", self.place, type(model).__name__, heads)
        for variable, value in values.values():
            variable.assign(value)
