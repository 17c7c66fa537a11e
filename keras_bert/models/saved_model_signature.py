"""The signature of a model that TensorFlow saves by itself, under Keras' private names."""

from typing import Any

import tensorflow as tf


class SavedModelSignature:
    """Inputs with their names and types, where Keras would make floats of all of them."""

    def _get_save_spec(self, dynamic_batch: bool = True) -> dict[str, tf.TensorSpec]:
        # Asked for by LiteRT's converter.
        del dynamic_batch
        return {
            name: tf.TensorSpec(tensor.shape, tensor.dtype, name=name)
            for name, tensor in self.input_signature().items()
        }

    @property
    def _default_save_signature(self) -> Any:
        # Asked for by `tf.saved_model.save`, of the model and of each model in it.
        specs = self._get_save_spec()
        return tf.function(lambda inputs: self(inputs), input_signature=[specs], autograph=False)
