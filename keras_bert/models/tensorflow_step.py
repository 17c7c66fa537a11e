"""One step of training on one replica, under any strategy of TensorFlow.

Losses, metrics and gradients are sums over the replica's examples, divided by what belongs to the
examples of all replicas: a batch gives the same step however it is split.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.models.global_loss import like_outputs, loss_terms
from keras_bert.models.summed_gradients import are_summed, summed_gradients

# Distance between the dropout seeds of two replicas.
_SEED_STRIDE = 1_000_003


class ReplicaStep:
    """A step of a compiled model on one replica's share of a batch.

    Args:
        model: `BertModel`, compiled and built.
        data: The share, as Keras hands it to `train_step`.
    """

    def __init__(self, model: Any, data: Any):
        self.model = model
        batch = keras.utils.unpack_x_y_sample_weight(data)
        self.batch = tuple(like_outputs(part, model.output_ranks) for part in batch[1:])
        self.batch = (batch[0], *self.batch)
        self.replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if self.replicas > 1:
            self.batch = keras.tree.map_structure(with_length, self.batch)
        self.terms = loss_terms(model._compile_loss)
        self.variables = model.metrics_variables
        _, targets, weights = self.batch
        divisors = [
            term.divisor(targets, weights, term.of(model.output_ranks)) for term in self.terms
        ]
        *divisors, self.rows = self._summed([*divisors, tf.cast(_rows(self.batch), tf.float32)])
        self.divisors = [
            divisor if term.is_mean else tf.ones([])
            for term, divisor in zip(self.terms, divisors, strict=True)
        ]

    def evaluate(self) -> dict[str, tf.Tensor]:
        """Updates the metrics; returns their results over all replicas."""
        _, changes = self._forward(self.batch, training=False)
        return self._update_metrics(self._summed(changes), tf.constant(True))

    def train(self) -> dict[str, tf.Tensor]:
        """Updates the weights and the metrics, if the loss and the gradient are finite."""
        model = self.model
        weights = model.trainable_weights
        states = self._seed_states()
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        for state in states:
            state.assign(_moved(state, replica, +1))
        loss, changes, gradients = self._accumulated(weights)
        for state in states:
            state.assign(_moved(state, replica, -1))
        loss, *changes = self._summed([loss, *changes])
        connected = [gradient for gradient in gradients if gradient is not None]
        if self.replicas > 1 and connected:
            context = tf.distribute.get_replica_context()
            connected = context.all_reduce(tf.distribute.ReduceOp.SUM, connected)
        norm = tf.sqrt(tf.add_n([2 * tf.nn.l2_loss(g) for g in connected] or [tf.zeros([])]))
        finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
        summed = iter(connected)
        gradients = [None if gradient is None else next(summed) for gradient in gradients]
        if connected:
            _apply(model, gradients, weights, norm, finite)
        return self._update_metrics(changes, finite)

    def _seed_states(self) -> list[Any]:
        """States of the dropout seeds, which must differ between replicas."""
        if self.replicas == 1:
            return []
        layers = self.model._flatten_layers()
        return [generator.state for layer in layers for generator in layer._seed_generators]

    def _accumulated(self, weights: list[Any]) -> tuple[tf.Tensor, list, list]:
        """This replica's shares of the loss, of the metrics' changes and of the gradient."""
        steps = self.model.gradient_accumulation_steps
        if steps == 1:
            return self._differentiated(self.batch, weights)
        part_of = _parts(self.batch, steps, static=self.model.jit_compile)
        connected: list[bool] = []

        def add(index, loss, changes, gradients):
            part_loss, part_changes, part_gradients = self._differentiated(part_of(index), weights)
            connected[:] = [gradient is not None for gradient in part_gradients]
            return (
                index + 1,
                loss + part_loss,
                [one + other for one, other in zip(changes, part_changes, strict=True)],
                [
                    one if other is None else one + other
                    for one, other in zip(gradients, part_gradients, strict=True)
                ],
            )

        _, loss, changes, gradients = tf.while_loop(
            lambda index, *_: index < steps,
            add,
            (
                tf.constant(0),
                tf.zeros([]),
                [tf.zeros(variable.shape, variable.dtype) for variable in self.variables],
                [tf.zeros(variable.shape, variable.dtype) for variable in weights],
            ),
            parallel_iterations=1,
            maximum_iterations=steps,
        )
        gradients = [
            gradient if is_connected else None
            for gradient, is_connected in zip(gradients, connected, strict=True)
        ]
        return loss, changes, gradients

    def _differentiated(self, batch: tuple, weights: list[Any]) -> tuple[tf.Tensor, list, list]:
        with tf.GradientTape() as tape:
            loss, changes = self._forward(batch, training=True)
            scaled = self.model.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, [weight.value for weight in weights])
        # Dense, because the tables' gradients come as sparse rows with repetitions.
        return loss, changes, [None if g is None else tf.convert_to_tensor(g) for g in gradients]

    def _forward(self, batch: tuple, *, training: bool) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The loss' share of some examples, and by how much they change the metrics' variables."""
        model = self.model
        inputs, targets, weights = batch
        outputs = model(inputs, training=training)
        shares = [
            tf.math.divide_no_nan(term.total(targets, outputs, weights), divisor)
            for term, divisor in zip(self.terms, self.divisors, strict=True)
        ]
        parts = self.replicas * (model.gradient_accumulation_steps if training else 1)
        loss = tf.add_n(
            [
                share if term.factor is None else share * term.factor
                for term, share in zip(self.terms, shares, strict=True)
            ]
            + [tf.cast(extra, tf.float32) / parts for extra in model.losses]
        )
        rows = tf.cast(_rows(batch), tf.float32)
        start = [(v, tf.zeros(v.shape, v.dtype)) for v in self.variables]
        with keras.StatelessScope(state_mapping=start) as scope:
            model.compute_metrics(inputs, targets, outputs, sample_weight=weights)
            # A single loss has no tracker of its own.
            trackers = model._compile_loss.metrics if self.terms else []
            for tracker, value in zip(
                [model._loss_tracker, *trackers], [loss, *shares], strict=False
            ):
                tracker.total.assign(value * self.rows)
                tracker.count.assign(rows)
        return loss, [scope.get_current_value(variable) for variable in self.variables]

    def _update_metrics(self, changes: list[tf.Tensor], finite: tf.Tensor) -> dict[str, tf.Tensor]:
        """Adds to the metrics' variables, of which each replica holds an equal share."""
        totals = []
        for variable, change in zip(self.variables, changes, strict=True):
            share = tf.convert_to_tensor(variable.value)
            total = share * tf.cast(self.replicas, share.dtype)
            total = tf.where(finite, total + change, total)
            variable.assign(tf.cast(total / tf.cast(self.replicas, total.dtype), share.dtype))
            totals.append((variable, total))
        with keras.StatelessScope(state_mapping=totals):
            return self.model.get_metrics_result()

    def _summed(self, tensors: list[tf.Tensor]) -> list[tf.Tensor]:
        """Small tensors summed over all replicas, in one message."""
        if self.replicas == 1 or not tensors:
            return tensors
        # Counts are exact in double precision too.
        flat = [tf.reshape(tf.cast(tensor, tf.float64), [-1]) for tensor in tensors]
        context = tf.distribute.get_replica_context()
        total = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.concat(flat, 0))
        parts = tf.split(total, [tf.size(part) for part in flat], num=len(flat))
        return [
            tf.cast(tf.reshape(part, tf.shape(tensor)), tensor.dtype)
            for part, tensor in zip(parts, tensors, strict=True)
        ]


def _apply(model: Any, gradients: list, weights: list, norm: tf.Tensor, finite: tf.Tensor) -> None:
    """Gives summed gradients to the optimizer, or counts a step that changes nothing."""
    optimizer, skips = model.optimizer, model.skips
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)

    def update(gradients, norm):
        if scaled:
            with summed_gradients(norm / tf.convert_to_tensor(optimizer.dynamic_scale.value)):
                optimizer._stateful_handle_finite_grads(gradients, weights)
        else:
            with summed_gradients(norm):
                optimizer.apply(gradients, weights)

    def skip():
        if scaled:
            optimizer._stateful_handle_non_finite_grads()
        skips.total.assign_add(1)
        skips.in_a_row.assign_add(1)
        return tf.constant(False)

    if tf.__internal__.distribute.strategy_supports_no_merge_call():

        def take():
            update(gradients, norm)
            skips.in_a_row.assign(0)
            return tf.constant(True)

        tf.cond(finite, take, skip)
        return

    def across_replicas(strategy, gradients, norm, finite):
        def take():
            strategy.extended.call_for_each_replica(update, args=(gradients, norm))
            skips.in_a_row.assign(0)
            return tf.constant(True)

        # The same on every replica. A condition inside a replica could not update weights.
        tf.cond(strategy.experimental_local_results(finite)[0], take, skip)

    context = tf.distribute.get_replica_context()
    context.merge_call(across_replicas, args=(gradients, norm, finite))


def keep_sums(optimizer: Any) -> None:
    """Makes an optimizer of Keras take gradients as they are, where they are summed already."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None or hasattr(optimizer, "sums_elsewhere"):
        return
    original = optimizer._all_reduce_sum_gradients

    def reduce_once(gradients_and_variables):
        pairs = list(gradients_and_variables)
        return pairs if are_summed() else original(pairs)

    optimizer._all_reduce_sum_gradients = reduce_once
    optimizer.sums_elsewhere = True


def _moved(state: Any, replica: Any, direction: int) -> tf.Tensor:
    value = tf.convert_to_tensor(state.value)
    offset = tf.cast(replica * _SEED_STRIDE * direction, value.dtype)
    return value + tf.stack([offset, tf.zeros([], value.dtype)])


def _rows(batch: tuple) -> tf.Tensor:
    return tf.shape(keras.tree.flatten(batch[0])[0])[0]


def with_length(tensor: Any) -> Any:
    """A replica without examples gets tensors without any size: gives them a length of 1."""
    if tensor is None or None not in tensor.shape[1:]:
        return tensor
    missing = tf.maximum(1 - tf.shape(tensor)[1:], 0)
    paddings = tf.concat([[0], missing], 0)
    return tf.ensure_shape(
        tf.pad(tensor, tf.stack([tf.zeros_like(paddings), paddings], 1)), tensor.shape
    )


def _parts(batch: tuple, steps: int, *, static: bool) -> Callable[[tf.Tensor], tuple]:
    """A function from a number to that part of a batch."""

    def each(function, tensors):
        return keras.tree.map_structure(lambda t: None if t is None else function(t), tensors)

    rows = keras.tree.flatten(batch[0])[0].shape[0]
    if rows is not None and rows % steps == 0:
        # (batch, ...) -> (steps, batch / steps, ...)
        stacked = each(
            lambda t: tf.reshape(t, tf.concat([[steps, rows // steps], tf.shape(t)[1:]], 0)), batch
        )
        return lambda index: each(lambda t: tf.gather(t, index), stacked)
    if static:
        raise InputError(
            "`jit_compile` with `gradient_accumulation_steps` needs batches of one known size that "
            f"the steps divide (`drop_remainder=True`). Received: {rows} rows in {steps} steps"
        )
    size = -(-_rows(batch) // steps)
    return lambda index: each(lambda t: t[index * size : (index + 1) * size], batch)
