"""One step of training on one replica.

On one replica the step is that of Keras, and leaves the weights alone where it is not finite. A
batch that is split among replicas or accumulation steps takes `ReplicaStep`: losses, metrics and
gradients are sums over the examples of a part, divided by what belongs to the examples of all
parts, so that a batch gives the same step however it is split.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from keras_bert import keras_internals
from keras_bert.errors import InputError
from keras_bert.models.global_loss import compute_terms, loss_terms
from keras_bert.models.splitting import (
    check_added_losses,
    check_splittable,
    each_example_counts,
    metrics_of,
)
from keras_bert.models.tensorflow_update import apply_gradients, sums_of_replicas

# Distance between the dropout seeds of two replicas.
_SEED_STRIDE = 1_000_003


@contextlib.contextmanager
def lifted_variables() -> Iterator[None]:
    """Makes variables outside of the graph in which they are asked for.

    The first step makes what optimizer, losses and metrics lack. A `tf.function` that makes
    variables itself is traced twice.
    """

    def lifted(next_creator, **arguments):
        if not callable(arguments["initial_value"]):
            return next_creator(**arguments)  # It may be of the graph.
        arguments["experimental_enable_variable_lifting"] = False
        with tf.init_scope():
            return next_creator(**arguments)

    with tf.variable_creator_scope(lifted):
        yield


def whole_step(model: Any, data: Any) -> dict[str, tf.Tensor]:
    """A step of training on a batch that is not split: that of `keras.Model.train_step`.

    A step whose loss or gradient is not finite changes no weight and no state of the optimizer.

    Args:
        model: `BertModel`, compiled.
        data: A batch, as Keras hands it to `train_step`.

    Returns:
        The logs.
    """
    inputs, targets, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    optimizer = model.optimizer
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=True)
        # All of them: the first call builds layers that a subclass has added.
        weights = model.trainable_weights
        if optimizer is not None and not optimizer.built:
            # Before it scales the loss: by a constant, as long as it has no variable for that.
            optimizer.build(weights)
        loss = keras_internals.compute_loss(
            model, inputs, targets, outputs, sample_weight, training=True
        )
        keras_internals.loss_tracker(model).update_state(loss, sample_weight=_rows(inputs))
        scaled = loss if optimizer is None else optimizer.scale_loss(loss)
    if weights:
        gradients = _dense(tape.gradient(scaled, [weight.value for weight in weights]))
        connected = [gradient for gradient in gradients if gradient is not None]
        norm = _norm(connected)
        finite = tf.reduce_all(tf.math.is_finite(loss)) & tf.math.is_finite(norm)
        if connected:
            apply_gradients(model, gradients, weights, norm, finite)
    else:
        warnings.warn("The model does not have any trainable weights.", stacklevel=2)
    return model.compute_metrics(inputs, targets, outputs, sample_weight=sample_weight)


class ReplicaStep:
    """A step of a compiled model on one replica's share of a batch.

    Args:
        model: `BertModel`, compiled and built.
        data: The share, as Keras hands it to `train_step`.

    Raises:
        InputError: If a loss, a metric or a method of the model cannot be split.
    """

    def __init__(self, model: Any, data: Any):
        self.model = model
        self.batch = keras.utils.unpack_x_y_sample_weight(data)
        self.replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if self.replicas > 1:
            self.batch = keras.tree.map_structure(with_length, self.batch)
        check_splittable(model)
        self.compiled = keras_internals.compiled_loss(model)
        self.terms = loss_terms(self.compiled)
        self.metrics = metrics_of(model)
        self.variables = model.metrics_variables
        (self.rows,) = self._summed([tf.cast(_rows(self.batch[0]), tf.float32)])

    def evaluate(self) -> dict[str, tf.Tensor]:
        """Updates the metrics; returns their results over all replicas."""
        _, changes = self._forward(self.batch, training=False)
        return self._update_metrics(self._summed(changes))

    def train(self) -> dict[str, tf.Tensor]:
        """Updates the metrics, and the weights if the loss and the gradient are finite."""
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
            connected = sums_of_replicas(connected)
        norm = _norm(connected)
        finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
        summed = iter(connected)
        gradients = [None if gradient is None else next(summed) for gradient in gradients]
        if connected:
            apply_gradients(model, gradients, weights, norm, finite)
        return self._update_metrics(changes)

    def _seed_states(self) -> list[Any]:
        """States of the dropout seeds, which must differ between replicas."""
        if self.replicas == 1:
            return []
        layers = keras_internals.layers_of(self.model)
        return [
            generator.state
            for layer in layers
            for generator in keras_internals.seed_generators(layer)
        ]

    def _accumulated(self, weights: list[Any]) -> tuple[tf.Tensor, list, list]:
        """This replica's shares of the loss, of the metrics' changes and of the gradient."""
        steps = self.model.gradient_accumulation_steps
        if steps == 1:
            return self._differentiated(self.batch, weights)
        part_of = _parts(self.batch, steps, static=self.model.jit_compile)
        divisors = self._divisors_of_the_batch()
        connected: list[bool] = []

        def add(index, loss, changes, gradients):
            part_loss, part_changes, part_gradients = self._differentiated(
                part_of(index), weights, divisors
            )
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

    def _divisors_of_the_batch(self) -> list[tf.Tensor]:
        """What the totals of each loss are divided by, before the first part is computed.

        The divisors need targets and weights alone: of this call of the model nothing else stays
        in the graph.
        """
        inputs, targets, weights = self.batch
        with keras.StatelessScope():
            outputs = self.model(inputs, training=False)
            compute_terms(self.compiled, self.terms, targets, outputs, weights)
        return self._summed_divisors()

    def _summed_divisors(self) -> list[tf.Tensor]:
        divisors = self._summed([tf.stop_gradient(term.divisor) for term in self.terms])
        return [
            tf.ones([]) if term.loss.reduction == "sum" else divisor
            for term, divisor in zip(self.terms, divisors, strict=True)
        ]

    def _differentiated(
        self, batch: tuple, weights: list[Any], divisors: list[tf.Tensor] | None = None
    ) -> tuple[tf.Tensor, list, list]:
        with tf.GradientTape() as tape:
            loss, changes = self._forward(batch, divisors, training=True)
            scaled = self.model.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, [weight.value for weight in weights])
        return loss, changes, _dense(gradients)

    def _forward(
        self, batch: tuple, divisors: list[tf.Tensor] | None = None, *, training: bool
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The loss' share of some examples, and by how much they change the metrics' variables."""
        model = self.model
        inputs, targets, weights = batch
        outputs = model(inputs, training=training)
        parts = self.replicas * (model.gradient_accumulation_steps if training else 1)
        check_added_losses(model)
        # Not within the scope below, which would look for values of the weights.
        extras = model.losses
        start = [(v, tf.zeros(v.shape, v.dtype)) for v in self.variables]
        with keras.StatelessScope(state_mapping=start) as scope:
            compute_terms(self.compiled, self.terms, targets, outputs, weights)
            divisors = self._summed_divisors() if divisors is None else divisors
            shares = [
                tf.math.divide_no_nan(term.total, divisor)
                for term, divisor in zip(self.terms, divisors, strict=True)
            ]
            loss = tf.add_n(
                [
                    share if term.factor is None else share * term.factor
                    for term, share in zip(self.terms, shares, strict=True)
                ]
                + [tf.cast(extra, tf.float32) / parts for extra in extras]
            )
            with each_example_counts(self.metrics):
                model.compute_metrics(inputs, targets, outputs, sample_weight=weights)
            self._track(loss, shares, inputs, outputs, parts)
        return loss, [scope.get_current_value(variable) for variable in self.variables]

    def _track(self, loss: tf.Tensor, shares: list, inputs: Any, outputs: Any, parts: int) -> None:
        """Gives the metrics of the losses what they get from the whole batch under Keras."""
        rows = tf.cast(_rows(inputs), tf.float32)
        tracker = keras_internals.loss_tracker(self.model)
        tracker.total.assign(loss * self.rows)
        tracker.count.assign(rows)
        # A single loss has no tracker of its own. Keras counts a batch of unknown size as one.
        known = keras.tree.flatten(outputs)[0].shape[0] is not None
        whole, part = (self.rows, rows) if known else (1.0, 1.0 / parts)
        trackers = [] if self.compiled is None else self.compiled.metrics
        for tracker, share in zip(trackers, shares, strict=False):
            tracker.total.assign(share * whole)
            tracker.count.assign(part)

    def _update_metrics(self, changes: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        """Adds to the metrics' variables, of which each replica holds an equal share."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        totals = []
        for variable, change in zip(self.variables, changes, strict=True):
            share = tf.convert_to_tensor(variable.value)
            if share.dtype.is_floating:
                total = share * tf.cast(self.replicas, share.dtype) + change
                share = total / tf.cast(self.replicas, share.dtype)
            else:
                (total,) = self._summed([share])
                total = total + change
                # The first replicas hold what is left over.
                count = tf.cast(self.replicas, share.dtype)
                left = tf.cast(tf.cast(replica, share.dtype) < total % count, share.dtype)
                share = total // count + left
            variable.assign(share)
            totals.append((variable, total))
        with keras.StatelessScope(state_mapping=totals):
            return self.model.get_metrics_result()

    def _summed(self, tensors: list[tf.Tensor]) -> list[tf.Tensor]:
        """Small tensors summed over all replicas, in one message."""
        if self.replicas == 1 or not tensors:
            return tensors
        # Counts are exact in double precision too.
        flat = [tf.reshape(tf.cast(tensor, tf.float64), [-1]) for tensor in tensors]
        (total,) = sums_of_replicas([tf.concat(flat, 0)])
        parts = tf.split(total, [tf.size(part) for part in flat], num=len(flat))
        return [
            tf.cast(tf.reshape(part, tf.shape(tensor)), tensor.dtype)
            for part, tensor in zip(parts, tensors, strict=True)
        ]


def _dense(gradients: list) -> list:
    """Dense, because the tables' gradients come as sparse rows with repetitions."""
    return [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients]


def _norm(gradients: list[tf.Tensor]) -> tf.Tensor:
    """The norm of all gradients together, float32."""
    squares = [2 * tf.nn.l2_loss(tf.cast(gradient, tf.float32)) for gradient in gradients]
    return tf.sqrt(tf.add_n(squares or [tf.zeros([])]))


def _moved(state: Any, replica: Any, direction: int) -> tf.Tensor:
    value = tf.convert_to_tensor(state.value)
    offset = tf.cast(replica * _SEED_STRIDE * direction, value.dtype)
    return value + tf.stack([offset, tf.zeros([], value.dtype)])


def _rows(inputs: Any) -> tf.Tensor:
    return tf.shape(next(tensor for tensor in keras.tree.flatten(inputs) if tensor is not None))[0]


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
    size = -(-_rows(batch[0]) // steps)
    return lambda index: each(lambda t: t[index * size : (index + 1) * size], batch)
