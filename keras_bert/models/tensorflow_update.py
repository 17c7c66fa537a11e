"""What a step does with its gradients, on one replica or on several."""

from typing import Any

import keras
import tensorflow as tf

from keras_bert import keras_internals
from keras_bert.models.summed_gradients import are_summed, summed_gradients


def apply_gradients(
    model: Any, gradients: list, weights: list, norm: tf.Tensor, finite: tf.Tensor
) -> None:
    """Gives summed gradients to the optimizer, or counts a step that changes nothing."""
    optimizer, skips = model.optimizer, model.skips
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    # On one replica too: the sum changes nothing there, and TensorFlow keeps its graph for ever.
    keep_sums(optimizer)
    if not optimizer.built:
        # Not within the condition, whose graph would own the variables.
        optimizer.build(weights)

    def update(gradients, norm):
        if scaled:
            with summed_gradients(norm / tf.convert_to_tensor(optimizer.dynamic_scale.value)):
                keras_internals.apply_finite(optimizer, gradients, weights)
        else:
            with summed_gradients(norm):
                optimizer.apply(gradients, weights)

    def skip():
        if scaled:
            keras_internals.handle_not_finite(optimizer)
        skips.total.assign_add(1)
        skips.in_a_row.assign_add(1)
        return tf.constant(False)

    if keras_internals.updates_in_replicas():

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

    def reduce_once(original, gradients_and_variables):
        pairs = list(gradients_and_variables)
        return pairs if are_summed() else original(pairs)

    keras_internals.replace_gradient_sum(optimizer, reduce_once)
    optimizer.sums_elsewhere = True


def sums_of_replicas(tensors: list[tf.Tensor]) -> list[tf.Tensor]:
    """Each tensor summed over all replicas."""
    context, operation = tf.distribute.get_replica_context(), tf.distribute.ReduceOp.SUM
    if keras_internals.updates_in_replicas():
        return context.all_reduce(operation, tensors)

    def across_replicas(strategy, *values):
        return strategy.extended.batch_reduce_to(operation, [(value, value) for value in values])

    # As `all_reduce`, but for its gradient, with which TensorFlow would keep the graph for ever.
    return context.merge_call(across_replicas, args=tensors)
