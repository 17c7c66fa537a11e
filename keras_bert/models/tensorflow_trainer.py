"""`fit`, `evaluate` and `predict` under every strategy of TensorFlow.

Loaded under that backend alone. Keras' own fail with several workers, and split a batch into means
of means.
"""

from typing import Any

import keras
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.models.tensorflow_step import ReplicaStep, keep_sums, with_length


class SkippedSteps:
    """Counts of steps whose loss or gradient was not finite; no list of a model's weights.

    Args:
        total: int64 `keras.Variable`. All of them.
        in_a_row: int64 `keras.Variable`. Those since the last one that was finite.
    """

    def __init__(self):
        self.total, self.in_a_row = (
            keras.Variable(
                0, dtype="int64", trainable=False, aggregation="only_first_replica", name=name
            )
            for name in ("skipped_steps", "skipped_steps_in_a_row")
        )


class DistributedTraining:
    """What `BertModel` adds to a Keras model to train under `tf.distribute`.

    A global batch gives the same loss, metrics and weights however it is split among replicas and
    accumulation steps: means are taken over all of it. A step whose loss or gradient is not finite
    changes no weight, no state of the optimizer and no metric; `skipped_steps` counts it.
    """

    _gradient_accumulation_steps = 1
    skips: SkippedSteps | None = None

    @property
    def gradient_accumulation_steps(self) -> int:
        """Parts in which each replica computes its share of a batch, to save memory.

        The step is that of the undivided batch. To be set before `fit`:

        ```python
        model.gradient_accumulation_steps = 4
        ```
        """
        return self._gradient_accumulation_steps

    @gradient_accumulation_steps.setter
    def gradient_accumulation_steps(self, steps: int) -> None:
        if type(steps) is not int or steps < 1:
            raise InputError(
                f"`gradient_accumulation_steps` must be an integer of at least 1. Received: {steps}"
            )
        self._gradient_accumulation_steps = steps
        self.train_function = None

    @property
    def skipped_steps(self) -> int:
        """Steps that changed nothing, because their loss or gradient was not finite."""
        return 0 if self.skips is None else int(self.skips.total.numpy())

    @property
    def skipped_steps_in_a_row(self) -> int:
        """Those of them since the last step that was finite."""
        return 0 if self.skips is None else int(self.skips.in_a_row.numpy())

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Configures training, as `keras.Model.compile` does."""
        super().compile(*args, **kwargs)
        with self.distribute_strategy.scope():
            self.skips = SkippedSteps()

    def build_training(self, data: Any) -> None:
        """Makes all variables of training before the first step: of optimizer, losses and metrics.

        Args:
            data: A batch as `train_step` takes it, or its `tf.TensorSpec`s.
        """
        specs = keras.tree.map_structure(_specification, data)
        with self.distribute_strategy.scope():
            self._symbolic_build(data_batch=specs)
        keep_sums(self.optimizer)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        if iterator is not None:
            data_batch = iterator._distributed_dataset.element_spec
        self._check_scope()
        self.build_training(data_batch)

    def _check_scope(self) -> None:
        optimizer = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        if optimizer is None or self.distribute_strategy.num_replicas_in_sync == 1:
            return
        if optimizer._distribution_strategy is not self.distribute_strategy:
            raise InputError(
                "`optimizer` must be made inside `strategy.scope()`, as the model was. "
                f"Received: {optimizer.name} of another scope"
            )

    def train_step(self, data):
        return ReplicaStep(self, data).train()

    def test_step(self, data):
        return ReplicaStep(self, data).evaluate()

    def _get_metrics_result_or_logs(self, logs):
        # They are the results over all replicas already.
        return logs or super()._get_metrics_result_or_logs(logs)

    def _make_function(self, step_function):
        strategy = self.distribute_strategy

        @tf.autograph.experimental.do_not_convert
        def one_step(data):
            logs = strategy.run(step_function, args=(data,))
            return keras.tree.map_structure(
                lambda value: strategy.experimental_local_results(value)[0], logs
            )

        if not self.run_eagerly:
            one_step = tf.function(one_step, reduce_retracing=True, jit_compile=self.jit_compile)
        one_step = self._autoconvert_optionals(one_step)

        @tf.autograph.experimental.do_not_convert
        def steps_of_iterator(iterator):
            logs = one_step(iterator.get_next())
            if self.steps_per_execution == 1:
                return logs

            def next_batch(count, otherwise):
                # Nothing is taken from the data that the next call would then miss.
                return tf.cond(
                    count < self.steps_per_execution,
                    iterator.get_next_as_optional,
                    lambda: otherwise,
                )

            def next_step(count, batch, *_):
                values = keras.tree.flatten(one_step(batch.get_value()))
                return (count + 1, next_batch(count + 1, batch), *values)

            _, _, *values = tf.while_loop(
                lambda count, batch, *_: (count < self.steps_per_execution) & batch.has_value(),
                next_step,
                (tf.constant(1), iterator.get_next_as_optional(), *keras.tree.flatten(logs)),
                parallel_iterations=1,
            )
            return keras.tree.pack_sequence_as(logs, values)

        if not self.run_eagerly:
            steps_of_iterator = tf.function(steps_of_iterator, reduce_retracing=True)

        def function(iterator):
            if isinstance(iterator, (tf.data.Iterator, tf.distribute.DistributedIterator)):
                return steps_of_iterator(iterator)
            for _, data in zip(range(self.steps_per_execution), iterator, strict=False):
                logs = one_step(data)
            return logs

        return function

    def make_predict_function(self, force=False):
        strategy = self.distribute_strategy
        if strategy.num_replicas_in_sync == 1:
            return super().make_predict_function(force)
        if self.predict_function is not None and not force:
            return self.predict_function

        def replica_step(data):
            outputs = self.predict_step(keras.tree.map_structure(with_length, data))
            return keras.tree.map_structure(_gathered, outputs)

        @tf.autograph.experimental.do_not_convert
        def all_steps(batches):
            steps = []
            for data in batches:
                outputs = strategy.run(replica_step, args=(data,))
                steps.append(
                    keras.tree.map_structure(
                        lambda value: strategy.experimental_local_results(value)[0], outputs
                    )
                )
            return keras.tree.map_structure(lambda *parts: tf.concat(parts, 0), *steps)

        if not self.run_eagerly:
            all_steps = tf.function(all_steps, reduce_retracing=True)
        self.predict_function = self._autoconvert_optionals(all_steps)
        return self.predict_function


def _specification(value: Any) -> Any:
    """A tensor's shape and type, of one replica where it is several tensors."""
    if value is None or isinstance(value, tf.experimental.Optional):
        return None
    parts = getattr(value, "_value_specs", None)
    value = parts[0] if parts else value
    if isinstance(value, tf.OptionalSpec):
        return None
    if not hasattr(value, "shape"):
        value = tf.convert_to_tensor(value)
    return keras.KerasTensor(value.shape, dtype=keras.backend.standardize_dtype(value.dtype))


def _gathered(output: tf.Tensor) -> tf.Tensor:
    """The rows of all replicas, padded to the longest."""
    context = tf.distribute.get_replica_context()
    shape = tf.shape(output)
    longest = tf.reduce_max(context.all_gather(shape[tf.newaxis, 1:], axis=0), axis=0)
    paddings = tf.concat([[0], longest - shape[1:]], 0)
    padded = tf.pad(output, tf.stack([tf.zeros_like(paddings), paddings], 1))
    return context.all_gather(padded, axis=0)
