"""Datasets of TensorFlow that end at once."""

import tensorflow as tf


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns a dataset whose buffers and threads TensorFlow does not tune while it runs.

    The tuner is a thread that sleeps for longer and longer, up to a minute. It is woken when an
    iterator ends, but may fall asleep again before it is told why, and the end of the iterator
    waits for it (tensorflow 2.21, `RootDataset::Iterator`): `fit` then takes up to twice its time.
    Untuned, `AUTOTUNE` means as many threads as there are cores.

    Args:
        dataset: `tf.data.Dataset`.

    Example:

    ```python
    dataset = untuned(dataset.map(parse, num_parallel_calls=tf.data.AUTOTUNE))
    ```
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
