"""A model between strings and answers: what the tasks of one family share."""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.inference import InferenceFunction
from keras_bert.models.base import BertModel
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.rows import Rows, make_rows
from keras_bert.text.tokenizer import BertTokenizer


class Predictor(abc.ABC):
    """A model with the text processing before it and the answers behind it.

    A subclass stands for a family of tasks, such as question answering. It says how examples become
    rows of the model's input with their targets, what the loss is, and what the model's outputs
    mean. Training, evaluation, prediction and export need nothing else.

    Args:
        model: The model of the family.
        tokenizer: `BertTokenizer`; its `sequence_length` is that of the rows.
        **options: Those of the family that differ from `defaults`.

    Attributes:
        name: str. The family, as a model directory says it.
        model_class: type. Of the model.
        forms: tuple of tuples of str. The fields that an input may have, as `("text_a", "text_b")`.
        defaults: dict. Options of the family with their defaults; they travel with the checkpoint.
        default_sequence_length: int. Tokens of a row where nothing else is said.
        has_token_outputs: bool. Whether the model's outputs are those of tokens, `(batch, length,
            ...)`.

    Raises:
        InputError: If an option is not among those of the family.
    """

    name: ClassVar[str]
    model_class: ClassVar[type[BertModel]]
    forms: ClassVar[tuple[tuple[str, ...], ...]]
    defaults: ClassVar[Mapping[str, Any]] = {}
    default_sequence_length: ClassVar[int] = 128
    has_token_outputs: ClassVar[bool] = False

    def __init__(self, model: BertModel, tokenizer: BertTokenizer, **options: Any):
        self.model = model
        self.tokenizer = tokenizer
        longest = model.config.max_sequence_length
        self.sequence_length = min(tokenizer.sequence_length or longest, longest)
        self._frozen: Callable | None = None
        # One for each number of axes: a function that has met two of them loses count.
        self._functions: dict[int, Callable] = {}
        self.options = dict(self.defaults)
        self.set_options(**options)

    def set_options(self, **options: Any) -> None:
        """Changes some options of the family; `save_checkpoint` of the model writes all of them.

        Raises:
            InputError: If an option is not among those of the family.
        """
        if unknown := sorted(set(options) - set(self.defaults)):
            raise InputError(
                f"`options` of {self.name} must be among {', '.join(self.defaults) or 'none'}. "
                f"Received: {', '.join(unknown)}"
            )
        self.options.update(options)
        # Beside the weights, so that the directory alone says how to use them.
        self.model.task_specific_params = {"keras_bert": {"family": self.name, **self.options}}

    @classmethod
    def model_arguments(cls, labels: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments of the model's constructor besides `config`.

        Args:
            labels: Names of the classes or tags; empty where the task has none.
            options: Options of the family.
        """
        del options
        return {"labels": tuple(labels)} if labels else {}

    @classmethod
    def describes(cls, settings: Mapping[str, Any]) -> bool:
        """Whether a `config.json` of other software is one of this family."""
        return cls.model_class.architecture in (settings.get("architectures") or [])

    @abc.abstractmethod
    def encode(self, examples: Examples) -> Rows:
        """Tokenizes some examples, with targets where they have them."""

    @abc.abstractmethod
    def decode(self, examples: Examples, rows: Rows, outputs: Any) -> list[dict[str, Any]]:
        """Returns an answer for each example, a JSON object.

        Args:
            examples: `Examples`.
            rows: `Rows` of all of them.
            outputs: The structure of the model's outputs, see `summarize`; for each a list of
                arrays, one of each row, of the row's own length.
        """

    @abc.abstractmethod
    def loss(self) -> Any:
        """Returns what `compile` takes as `loss`."""

    def metrics(self) -> Any:
        """Returns what `compile` takes as `metrics`: those to watch during training."""
        return []

    def rows(self, examples: Examples) -> Rows:
        """Tokenizes any number of examples."""
        return make_rows(examples.encodable(), self.encode)

    def freeze(self, precision: str | None = None) -> None:
        """Predicts with the weights as they are now, faster; see `InferenceFunction`."""
        self._frozen = InferenceFunction(self.model, precision=precision)

    def predict(self, examples: Examples, *, batch_size: int = 32) -> list[dict[str, Any]]:
        """Returns an answer for each example, see `decode`."""
        if not len(examples):
            return []
        examples = examples.encodable()
        rows = self.rows(examples)
        return self.decode(examples, rows, self.forward(rows, batch_size=batch_size))

    def summarize(self, outputs: Any) -> Any:
        """Returns what `decode` needs of a batch's outputs: by default all of them.

        Args:
            outputs: What the model returns for a batch.
        """
        return outputs

    def forward(self, rows: Rows, *, batch_size: int = 32) -> Any:
        """Returns the model's outputs, computed among rows of similar length.

        Returns:
            The structure of the model's outputs, of what `summarize` leaves of them; for each a
            list of arrays, one of each row. Outputs of tokens have the row's own length.
        """
        rank = rows.features["token_ids"].shape.rank
        if rank not in self._functions:
            model = self.model
            specs = {
                name: tf.TensorSpec([None] * rank, tensor.dtype)
                for name, tensor in model.input_signature().items()
            }
            self._functions[rank] = tf.function(
                lambda inputs: model(inputs, training=False), input_signature=[specs]
            )
        function = self._frozen or self._functions[rank]
        lengths = rows.lengths
        # Longest first, so that memory is short at once if it is.
        order = np.argsort(-lengths, kind="stable")
        structure, found = None, {}
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            outputs = self.summarize(function(rows.inputs(indices)))
            structure = outputs
            arrays = [np.asarray(output) for output in keras.tree.flatten(outputs)]
            for place, index in enumerate(indices):
                size = lengths[index] if self.has_token_outputs else None
                found[index] = [array[place][:size] if size else array[place] for array in arrays]
        by_row = [found[index] for index in range(len(order))]
        lists = [list(column) for column in zip(*by_row, strict=True)]
        return keras.tree.pack_sequence_as(structure, lists)
