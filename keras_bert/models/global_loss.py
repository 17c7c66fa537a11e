"""Losses as sums and divisors, so that parts of a batch add up to the whole.

Keras' `CompileLoss` finds the target, the output and the weights that belong to each loss. Here its
losses are replaced for one call by ones that keep the sum and the divisor of the mean apart.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from keras_bert import keras_internals
from keras_bert.errors import InputError

_MEANS = ("sum_over_batch_size", "mean")
_WEIGHTED_MEAN = "mean_with_sample_weight"


class LossTerm(keras.losses.Loss):
    """The loss of one output, as a sum and what the sum is divided by.

    Args:
        name: str. Of the output.
        loss: `keras.losses.Loss`.
        factor: float or None. Its weight in the total.

    After a call `total` and `divisor` are float32 scalars. The divisor follows from the targets,
    their mask and the weights alone, and from no output of the model.
    """

    def __init__(self, name: str, loss: keras.losses.Loss, factor: Any):
        super().__init__(name=name, reduction=None, dtype=loss.dtype)
        self.loss = loss
        self.factor = factor
        self.total = self.divisor = None

    def __call__(self, y_true, y_pred, sample_weight=None):
        values = super().__call__(y_true, y_pred, sample_weight)
        self.total = ops.sum(ops.cast(values, "float32"))
        self.divisor = ops.cast(self._divisor(y_true, sample_weight), "float32")
        return self.total

    def call(self, y_true, y_pred):
        values = self.loss.call(y_true, y_pred)
        rank = len(values.shape)
        if rank == 0 or rank >= max(len(y_pred.shape), 2):
            raise InputError(
                "`loss` must give one number for each example, or for each place of an output, "
                "where a batch is split among replicas or accumulation steps. "
                f"Received: {self.name} gives {tuple(values.shape)} for an output of "
                f"{tuple(y_pred.shape)}"
            )
        # As `Loss.__call__` combines them.
        masks = [keras_internals.mask_of(tensor) for tensor in (y_pred, values)]
        masks = [mask for mask in masks if mask is not None]
        self._mask = masks[0] & masks[1] if len(masks) == 2 else (masks or [None])[0]
        self._rank = rank
        return values

    def _divisor(self, target: Any, weights: Any) -> Any:
        if self.loss.reduction == "sum":
            return ops.ones(())
        mask = None if self._mask is None else ops.cast(self._mask, "float32")
        if self.loss.reduction == _WEIGHTED_MEAN and not (weights is None and mask is None):
            if mask is None or weights is None:
                return ops.sum(ops.cast(weights if mask is None else mask, "float32"))
            weights = ops.cast(weights, "float32")
            for _ in range(len(mask.shape) - len(weights.shape)):
                weights = ops.expand_dims(weights, -1)
            return ops.sum(weights * mask)
        # The places of the target: those of the output would need the output computed.
        size = _size(ops.shape(target)[: self._rank])
        if mask is None:
            return size
        return size * ops.sum(mask) / ops.maximum(_size(ops.shape(mask)), 1.0)


def loss_terms(compiled: Any) -> list[LossTerm]:
    """Returns the losses of a built `CompileLoss` of Keras; none for None.

    Raises:
        InputError: If one of them cannot be taken apart: it has no reduction that adds up, or a
            `__call__` of its own.
    """
    terms = []
    losses = () if compiled is None else keras_internals.compiled_losses(compiled)
    for _, loss, factor, name in losses:
        if loss.reduction not in (*_MEANS, _WEIGHTED_MEAN, "sum"):
            raise InputError(
                "`reduction` of a loss must be one of "
                f"{', '.join(_MEANS)}, {_WEIGHTED_MEAN}, sum, where a batch is split among "
                f"replicas or accumulation steps. Received: {loss.reduction!r} for {name}"
            )
        if type(loss).__call__ is not keras.losses.Loss.__call__:
            raise InputError(
                f"`loss`: {type(loss).__name__} has a `__call__` of its own, so that a batch "
                "cannot be split among replicas or accumulation steps; override `call`, which "
                "gives one number for each example. Received: the loss of " + name
            )
        terms.append(LossTerm(name, loss, factor))
    return terms


def compute_terms(
    compiled: Any, terms: list[LossTerm], targets: Any, outputs: Any, sample_weight: Any
) -> None:
    """Computes the totals and divisors of `terms`, of the losses of a built `CompileLoss`."""
    if terms:
        with _replaced(compiled, terms):
            compiled(targets, outputs, sample_weight)


@contextlib.contextmanager
def _replaced(compiled: Any, terms: list[LossTerm]) -> Iterator[None]:
    losses = keras_internals.compiled_losses(compiled)
    replaced = [entry._replace(loss=term) for entry, term in zip(losses, terms, strict=True)]
    keras_internals.set_compiled_losses(compiled, replaced)
    try:
        yield
    finally:
        keras_internals.set_compiled_losses(compiled, losses)


def _size(shape: Any) -> Any:
    """The number of places of a shape, float32."""
    return ops.cast(ops.prod(ops.convert_to_tensor(shape, "int32")), "float32")
