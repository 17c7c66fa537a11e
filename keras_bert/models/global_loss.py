"""Losses as sums and divisors, so that parts of a batch add up to the whole."""

import copy
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_bert.errors import InputError

_MEANS = ("sum_over_batch_size", "mean")
_WEIGHTED_MEAN = "mean_with_sample_weight"


class LossTerm(NamedTuple):
    """The loss of one output.

    Args:
        name: str.
        path: tuple. Keys of the output in the model's structure of outputs.
        loss: `keras.losses.Loss`.
        factor: float or None. Its weight in the total.
    """

    name: str
    path: tuple
    loss: keras.losses.Loss
    factor: Any

    def of(self, structure: Any) -> Any:
        """This output's part of targets, outputs or weights."""
        for key in self.path:
            structure = structure[key]
        return structure

    def weights_of(self, sample_weight: Any) -> Any:
        return self.of(sample_weight) if keras.tree.is_nested(sample_weight) else sample_weight

    def divisor(self, targets: Any, sample_weight: Any, rank: int) -> Any:
        """What the sum of the losses of some examples is divided by, float32.

        It follows from the targets and weights alone, so that it is known for a whole batch before
        the first part of it is computed.

        Args:
            targets: of the model.
            sample_weight: of the model.
            rank: int. Dimensions of the output.
        """
        target, weights = self.of(targets), self.weights_of(sample_weight)
        if self.loss.reduction == _WEIGHTED_MEAN and weights is not None:
            return ops.sum(ops.cast(weights, "float32"))
        sizes = ops.convert_to_tensor(ops.shape(target)[: rank - 1], "int32")
        return ops.cast(ops.prod(sizes), "float32")

    @property
    def is_mean(self) -> bool:
        return self.loss.reduction != "sum"

    def total(self, targets: Any, outputs: Any, sample_weight: Any) -> Any:
        """The sum of the weighted losses."""
        loss, output = copy.copy(self.loss), self.of(outputs)
        loss.reduction = None
        values = loss(self.of(targets), output, self.weights_of(sample_weight))
        if len(values.shape) != len(output.shape) - 1:
            raise InputError(
                "`loss` must give one number for each place of an output, without its last "
                f"dimension. Received: {self.name} gives {tuple(values.shape)} for an output of "
                f"{tuple(output.shape)}"
            )
        return ops.sum(ops.cast(values, "float32"))


def loss_terms(compiled: Any) -> list[LossTerm]:
    """Returns the losses of a built `CompileLoss` of Keras; none for None.

    Raises:
        InputError: If one of them has a reduction that does not add up.
    """
    terms = []
    for path, loss, factor, name in () if compiled is None else compiled._flat_losses:
        if loss.reduction not in (*_MEANS, _WEIGHTED_MEAN, "sum"):
            raise InputError(
                f"`reduction` of a loss must be one of {', '.join(_MEANS)}, {_WEIGHTED_MEAN}, sum. "
                f"Received: {loss.reduction!r} for {name}"
            )
        terms.append(LossTerm(name, tuple(path), loss, factor))
    return terms


def like_outputs(structure: Any, outputs: Any) -> Any:
    """Targets or weights that came as a list, in the structure of the outputs."""
    if isinstance(structure, (list, tuple)) and isinstance(outputs, dict):
        return keras.tree.pack_sequence_as(outputs, list(structure))
    if isinstance(structure, (list, tuple)) and not keras.tree.is_nested(outputs):
        return structure[0]
    return structure
