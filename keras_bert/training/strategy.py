"""Where a model trains: devices and precision."""

import keras
import tensorflow as tf

from keras_bert.errors import InputError


def make_strategy(name: str, batch_size: int) -> tf.distribute.Strategy:
    """Returns the strategy of a `--strategy` flag.

    Args:
        name: str. `"auto"`, `"one_device"` or `"mirrored"`.
        batch_size: int. Examples of a step on all devices together.

    Raises:
        InputError: If the batch cannot be shared equally.
    """
    gpus = tf.config.list_logical_devices("GPU")
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 else "one_device"
    if name == "one_device":
        # The default strategy: TensorFlow takes the first GPU by itself. Under OneDeviceStrategy
        # Keras counts the end of the data as one more batch, of loss zero.
        return tf.distribute.get_strategy()
    devices = gpus or tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
    if batch_size % strategy.num_replicas_in_sync:
        raise InputError(
            "`batch_size` must be a multiple of the number of devices. Received: "
            f"batch_size={batch_size}, devices={strategy.num_replicas_in_sync}"
        )
    return strategy


def dtype_policy(precision: str) -> str:
    """Returns Keras' name for training in `precision` with float32 weights."""
    return "float32" if precision == "float32" else f"mixed_{precision}"


def set_seed(seed: int) -> None:
    """Seeds initial weights and dropout."""
    keras.utils.set_random_seed(seed)
