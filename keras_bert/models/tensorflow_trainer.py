"""`fit`, `evaluate` and `predict` under every strategy of TensorFlow.

Loaded under that backend alone. Keras' own fail with several workers, and split a batch into means
of means.
"""

import inspect
import warnings
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_bert import keras_internals
from keras_bert.errors import InputError
from keras_bert.models.tensorflow_step import (
    ReplicaStep,
    lifted_variables,
    whole_step,
    with_length,
)
from keras_bert.models.tensorflow_update import keep_sums

# Steps between two looks at the count of those that were not finite: a look waits for the device.
_STEPS_BETWEEN_LOOKS = 50


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


class _WarnWhereNotFinite(keras.callbacks.Callback):
    """Warns, once for a model, that steps changed nothing."""

    def on_train_batch_end(self, batch, logs=None):
        if batch % _STEPS_BETWEEN_LOOKS == 0:
            self._look(logs)

    def on_epoch_end(self, epoch, logs=None):
        self._look(logs)

    def _look(self, logs):
        model = self.model
        if model.has_warned_of_skips or not model.skipped_steps:
            return
        scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        # While the scale is too large, gradients are infinite and the loss is not.
        if not scaled or not np.isfinite((logs or {}).get("loss", 0.0)):
            model.has_warned_of_skips = True
            warnings.warn(
                "a training step had a loss or a gradient that is not finite: it changed no "
                "weight, and `skipped_steps` of the model counts it and those that follow",
                RuntimeWarning,
                stacklevel=2,
            )


class DistributedTraining:
    """What `BertModel` adds to the training of a Keras model.

    On one device everything is as Keras does it. Under `tf.distribute` and in accumulation steps a
    global batch gives the same loss, metrics and weights however it is split: means are taken over
    all of it. Everywhere a step whose loss or gradient is not finite changes no weight and no state
    of the optimizer; the logs show it, `skipped_steps` counts it, and `fit` warns once.
    """

    _gradient_accumulation_steps = 1
    _skips: SkippedSteps | None = None
    has_warned_of_skips = False

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
        return 0 if self._skips is None else int(self._skips.total.numpy())

    @property
    def skipped_steps_in_a_row(self) -> int:
        """Those of them since the last step that was finite."""
        return 0 if self._skips is None else int(self._skips.in_a_row.numpy())

    @property
    def skips(self) -> SkippedSteps:
        """Counts of the steps that changed nothing."""
        if self._skips is None:
            with self.distribute_strategy.scope():
                self._skips = SkippedSteps()
        return self._skips

    @property
    def _is_split(self) -> bool:
        """Whether a training step sees a batch in several parts."""
        return self._is_distributed or self._gradient_accumulation_steps > 1

    @property
    def _is_distributed(self) -> bool:
        """Whether each of several replicas sees a part of a batch."""
        return self.distribute_strategy.num_replicas_in_sync > 1

    def _resolve_auto_jit_compile(self):
        # On one GPU Keras would turn XLA on, which brings the padding back and compiles the step
        # for each length.
        return False

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Trains as `keras.Model.fit` does; warns once of steps that were not finite."""
        arguments = inspect.signature(keras.Model.fit).bind(self, *args, **kwargs).arguments
        callbacks, watch = arguments.get("callbacks"), _WarnWhereNotFinite()
        if isinstance(callbacks, keras.callbacks.CallbackList):
            watch.set_model(self)
            callbacks.append(watch)
        else:
            arguments["callbacks"] = [*keras.tree.flatten(callbacks or []), watch]
        arguments.pop("self")
        return super().fit(**arguments)

    def build_training(self, data: Any) -> None:
        """Makes all variables of training before the first step: of optimizer, losses and metrics.

        Args:
            data: A batch as `train_step` takes it, or its `tf.TensorSpec`s.
        """
        specs = keras.tree.map_structure(_specification, data)
        with self.distribute_strategy.scope():
            keras_internals.symbolic_build(self, specs)
        if self._is_distributed:
            keep_sums(self.optimizer)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        if not self._is_split and keras_internals.own_strategy(self) is None:
            return  # As Keras, which makes what is missing in the first step.
        if iterator is not None:
            data_batch = keras_internals.element_spec(iterator)
        self._check_scope()
        self.build_training(data_batch)

    def _check_scope(self) -> None:
        optimizer = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        if optimizer is None or not self._is_distributed:
            return
        if keras_internals.strategy_of(optimizer) is not self.distribute_strategy:
            raise InputError(
                "`optimizer` must be made inside `strategy.scope()`, as the model was. "
                f"Received: {optimizer.name} of another scope"
            )

    def train_step(self, data):
        if self._is_split:
            return ReplicaStep(self, data).train()
        with lifted_variables():
            return whole_step(self, data)

    def test_step(self, data):
        if self._is_distributed:
            return ReplicaStep(self, data).evaluate()
        with lifted_variables():
            return super().test_step(data)

    def _has_own(self, step: str) -> bool:
        """Whether a subclass overrides a step, which then knows itself how a batch is split."""
        return getattr(type(self), step) is not getattr(DistributedTraining, step)

    def _get_metrics_result_or_logs(self, logs):
        if self._is_distributed and logs and not self._has_own("train_step"):
            # They are the results over all replicas already.
            return logs
        return super()._get_metrics_result_or_logs(logs)

    def make_train_function(self, force=False):
        if self._has_own("train_step") and self._gradient_accumulation_steps > 1:
            raise InputError(
                "`gradient_accumulation_steps` splits the batches of the model's own step. "
                f"Received: {self._gradient_accumulation_steps} for {type(self).__name__}, which "
                "overrides `train_step`"
            )
        # Made here, because the step is a graph, which would own them.
        _ = self.skips
        return super().make_train_function(force)

    def _make_function(self, step_function):
        if not self._is_distributed:
            return super()._make_function(step_function)
        strategy = self.distribute_strategy
        own_step = self._has_own(step_function.__name__)

        def of_all_replicas(value):
            if own_step:
                return strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None)
            # The same on every replica.
            return strategy.experimental_local_results(value)[0]

        @tf.autograph.experimental.do_not_convert
        def one_step(data):
            logs = strategy.run(step_function, args=(data,))
            return keras.tree.map_structure(of_all_replicas, logs)

        if not self.run_eagerly:
            one_step = tf.function(one_step, reduce_retracing=True, jit_compile=self.jit_compile)
        one_step = keras_internals.autoconvert_optionals(self, one_step)

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
        if not self._is_distributed:
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
        self.predict_function = keras_internals.autoconvert_optionals(self, all_steps)
        return self.predict_function


def _specification(value: Any) -> Any:
    """A tensor's shape and type, of one replica where it is several tensors."""
    if value is None or isinstance(value, tf.experimental.Optional):
        return None
    parts = keras_internals.replica_specs(value)
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
