"""What goes into a model, and how long the model waits for it."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class InputCounts:
    """Sums over the batches of a dataset.

    Args:
        wait_seconds: float. From the moments a batch was asked for to those it was there.
        sequences: float. Rows.
        tokens: float. Real tokens.
        places: float. Tokens and padding.
    """

    wait_seconds: float = 0.0
    sequences: float = 0.0
    tokens: float = 0.0
    places: float = 0.0

    def __sub__(self, other: "InputCounts") -> "InputCounts":
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return InputCounts(*(mine - theirs for mine, theirs in pairs))


class InputMeter:
    """Counts what a dataset hands out and how long its consumer waits.

    `tf.data.Dataset.zip` asks its datasets in turn, so that a clock before and one behind the
    batches read the time when a batch is asked for and when it is there. With batches ready in a
    buffer the difference is next to nothing. It says how long the step waited where the step
    itself asks, as on one device; a strategy of several replicas asks ahead, in a thread of its
    own.

    Example:

    ```python
    meter = InputMeter()
    model.fit(meter.watch(dataset))
    meter.counts()
    ```
    """

    def __init__(self):
        with tf.device("CPU"):
            self._sums = tf.Variable(tf.zeros([4], tf.float64), trainable=False)

    def watch(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Returns the same batches, `(features, ...)` with a `padding_mask`, counted."""

        def clock() -> tf.data.Dataset:
            return tf.data.Dataset.counter().map(lambda _: tf.timestamp())

        def count(asked, batch, given):
            mask = batch[0]["padding_mask"]
            rows, places = tf.shape(mask)[0], tf.size(mask)
            tokens = tf.math.count_nonzero(mask)
            counts = [tf.cast(number, tf.float64) for number in (rows, tokens, places)]
            self._sums.assign_add(tf.stack([given - asked, *counts]))
            return batch

        options = tf.data.Options()
        # A buffer behind the clocks would be filled ahead of the consumer.
        options.experimental_optimization.inject_prefetch = False
        watched = tf.data.Dataset.zip((clock(), dataset, clock())).map(count)
        return watched.with_options(options)

    def counts(self) -> InputCounts:
        """Returns the sums so far."""
        return InputCounts(*self._sums.numpy().tolist())
