"""Every private name of Keras and TensorFlow that is used, behind a function that says what for.

Nothing is promised about these names. They stand here so that a new release is one place to look
at: each has a test in `tests/keras_bert/test_keras_internals.py`, which names what broke and where
it is used. `INHERITED` lists those that classes of this package override or inherit, which cannot
stand here themselves.
"""

from contextlib import AbstractContextManager
from typing import Any, NamedTuple

# Private names that classes of this package override or inherit: the owner's module and class, the
# name, the class of ours, and why.
INHERITED = (
    (
        "keras:Model",
        "_maybe_symbolic_build",
        "keras_bert.models.tensorflow_trainer:DistributedTraining",
        "Keras takes a batch of the data to build the model, which several workers cannot",
    ),
    (
        "keras:Model",
        "_make_function",
        "keras_bert.models.tensorflow_trainer:DistributedTraining",
        "the logs of several replicas are equal already",
    ),
    (
        "keras:Model",
        "_get_metrics_result_or_logs",
        "keras_bert.models.tensorflow_trainer:DistributedTraining",
        "the logs of several replicas are results over all of them",
    ),
    (
        "keras:Model",
        "_resolve_auto_jit_compile",
        "keras_bert.models.tensorflow_trainer:DistributedTraining",
        "XLA would bring the padding back and compile for each length of a batch",
    ),
    (
        "keras:Model",
        "_get_save_spec",
        "keras_bert.models.saved_model_signature:SavedModelSignature",
        "inputs keep their names and types in LiteRT's files",
    ),
    (
        "keras:Model",
        "_default_save_signature",
        "keras_bert.models.saved_model_signature:SavedModelSignature",
        "inputs keep their names and types in what `tf.saved_model.save` writes",
    ),
    (
        "keras.layers:Dense",
        "_kernel",
        "keras_bert.layers.lora_dense:LoraDense",
        "the kernel without the additions of LoRA",
    ),
    (
        "keras.optimizers:Optimizer",
        "_clip_gradients",
        "keras_bert.training.optimizer:BertAdamW",
        "the norm is that of all gradients, in float32, and is shown",
    ),
    (
        "keras.optimizers:AdamW",
        "_apply_weight_decay",
        "keras_bert.training.optimizer:BertAdamW",
        "the decay is part of the update",
    ),
    (
        "keras.optimizers:AdamW",
        "_use_weight_decay",
        "keras_bert.training.optimizer:BertAdamW",
        "what `exclude_from_weight_decay` has named",
    ),
    (
        "keras.optimizers:AdamW",
        "_get_variable_index",
        "keras_bert.training.optimizer:BertAdamW",
        "which rate and which moments belong to a variable",
    ),
    (
        "keras.optimizers:AdamW",
        "_momentums",
        "keras_bert.training.optimizer:BertAdamW",
        "the update is one operation",
    ),
    (
        "keras.optimizers:AdamW",
        "_velocities",
        "keras_bert.training.optimizer:BertAdamW",
        "the update is one operation",
    ),
    (
        "tensorflow_text:MaskValuesChooser",
        "_mask_token_rate",
        "keras_bert.text.ragged_masking:StatelessMaskValuesChooser",
        "the same rates, drawn from seeds",
    ),
    (
        "tensorflow_text:MaskValuesChooser",
        "_random_token_rate",
        "keras_bert.text.ragged_masking:StatelessMaskValuesChooser",
        "the same rates, drawn from seeds",
    ),
)


# ---- Training ------------------------------------------------------------------------------------


def compute_loss(
    model: Any, x: Any, y: Any, y_pred: Any, sample_weight: Any, *, training: bool
) -> Any:
    """The loss of a batch by the model's `compute_loss`, which may lack the argument `training`."""
    return model._compute_loss(
        x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training
    )


def loss_tracker(model: Any) -> Any:
    """The metric that holds the mean of the loss."""
    return model._loss_tracker


def compiled_loss(model: Any) -> Any:
    """What Keras makes of the argument `loss` of `compile`; None for none."""
    return model._compile_loss


def compiled_losses(compiled: Any) -> list[Any]:
    """The losses of the outputs: named tuples of `path`, `loss`, `loss_weights` and `name`."""
    return compiled._flat_losses


def set_compiled_losses(compiled: Any, losses: list[Any]) -> None:
    """Replaces the losses of the outputs."""
    compiled._flat_losses = losses


def symbolic_build(model: Any, specifications: Any) -> None:
    """Builds model, losses, metrics and optimizer from the `KerasTensor`s of a batch."""
    model._symbolic_build(data_batch=specifications)


def own_strategy(model: Any) -> Any:
    """The strategy in whose scope a model was made; None for TensorFlow's default."""
    return model._distribute_strategy


def element_spec(epoch_iterator: Any) -> Any:
    """The `tf.TypeSpec`s of the batches of a `TFEpochIterator`."""
    return epoch_iterator._distributed_dataset.element_spec


def replica_specs(spec: Any) -> Any:
    """The specifications of each replica's part; None where there is one part."""
    return getattr(spec, "_value_specs", None)


def autoconvert_optionals(model: Any, function: Any) -> Any:
    """A step that gets None for the optional parts of a batch which are missing."""
    return model._autoconvert_optionals(function)


def mask_of(tensor: Any) -> Any:
    """The mask that a layer or a loss has attached to a tensor; None for none."""
    return getattr(tensor, "_keras_mask", None)


def layers_of(model: Any) -> list[Any]:
    """A model and all layers within it."""
    return model._flatten_layers()


def seed_generators(layer: Any) -> list[Any]:
    """The seed generators that a layer itself holds."""
    return layer._seed_generators


def added_losses(layer: Any) -> list[Any]:
    """The tensors that `add_loss` and activity regularizers left in the latest call of a layer."""
    return layer._losses


def unlock(model: Any) -> None:
    """Lets layers be added to a model that is built already."""
    model._tracker.unlock()


def take_arguments_as_they_are(layer: Any) -> None:
    """Keeps Keras from making numeric tensors of a layer's arguments, which may be strings."""
    layer._convert_input_args = False
    layer._allow_non_tensor_positional_args = True


# ---- Metrics -------------------------------------------------------------------------------------


def wrapped_function(metric: Any) -> Any:
    """The function whose mean a `MeanMetricWrapper` takes."""
    return metric._fn


def set_wrapped_function(metric: Any, function: Any) -> None:
    """Replaces the function of a `MeanMetricWrapper`."""
    metric._fn = function


def wrapped_arguments(metric: Any) -> dict[str, Any]:
    """The keyword arguments that a `MeanMetricWrapper` gives its function."""
    return metric._fn_kwargs


# ---- Optimizers ----------------------------------------------------------------------------------


def apply_finite(optimizer: Any, gradients: list, variables: list) -> None:
    """What a `LossScaleOptimizer` does with gradients that are finite."""
    optimizer._stateful_handle_finite_grads(gradients, variables)


def handle_not_finite(optimizer: Any) -> None:
    """What a `LossScaleOptimizer` does where they are not: it lowers the scale."""
    optimizer._stateful_handle_non_finite_grads()


def strategy_of(optimizer: Any) -> Any:
    """The strategy in whose scope an optimizer was made."""
    return optimizer._distribution_strategy


def replace_gradient_sum(optimizer: Any, replacement: Any) -> None:
    """Makes an optimizer sum gradients over replicas by `replacement(original, pairs)`."""
    original = optimizer._all_reduce_sum_gradients
    optimizer._all_reduce_sum_gradients = lambda pairs: replacement(original, pairs)


# ---- TensorFlow ----------------------------------------------------------------------------------


def updates_in_replicas() -> bool:
    """Whether the strategy in scope updates variables within each replica, without a merge."""
    import tensorflow as tf

    return tf.__internal__.distribute.strategy_supports_no_merge_call()


def graph_is_compiled() -> bool:
    """Whether XLA will compile the graph that is being made, or one around it, as a whole."""
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util

    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def stopped_tapes() -> AbstractContextManager:
    """Within it no gradient tape sees any operation."""
    from tensorflow.python.eager import record

    return record.stop_recording()


def record_gradient(name: str, outputs: list, inputs: list, gradient: Any) -> None:
    """Tells all gradient tapes what the gradient of some outputs is."""
    from tensorflow.python.eager import record

    record.record_operation(name, outputs, inputs, gradient)


# ---- KerasHub ------------------------------------------------------------------------------------


class HubBlock(NamedTuple):
    """The layers of a `TransformerEncoder` of KerasHub."""

    attention: Any
    attention_layer_norm: Any
    intermediate_dense: Any
    output_dense: Any
    layer_norm: Any


def hub_block(layer: Any) -> HubBlock:
    """The layers of a `TransformerEncoder` of KerasHub."""
    return HubBlock(
        layer._self_attention_layer,
        layer._self_attention_layer_norm,
        layer._feedforward_intermediate_dense,
        layer._feedforward_output_dense,
        layer._feedforward_layer_norm,
    )
