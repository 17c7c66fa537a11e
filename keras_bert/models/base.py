"""What all models share: configuration, input signature, checkpoints."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_bert import keras_internals
from keras_bert.checkpoints.checkpoint import HEADS, POOLER, Checkpoint
from keras_bert.checkpoints.resizing import resized
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.layers.initializers import weights_will_be_loaded
from keras_bert.models.inputs import DTYPES as INPUT_DTYPES
from keras_bert.models.inputs import CheckedInputs, input_dtype
from keras_bert.models.taken_heads import warn_of_taken_head
from keras_bert.models.training_flags import restore_training_flags, training_flags

if keras.backend.backend() == "tensorflow":
    from keras_bert.models.saved_model_signature import SavedModelSignature
    from keras_bert.models.tensorflow_trainer import DistributedTraining
else:

    class SavedModelSignature:
        """Other backends save as Keras does."""

    class DistributedTraining:
        """Other backends train as Keras does."""

        @property
        def gradient_accumulation_steps(self) -> int:
            return 1

        @gradient_accumulation_steps.setter
        def gradient_accumulation_steps(self, steps: int) -> None:
            if steps != 1:
                raise InputError(
                    "`gradient_accumulation_steps` needs TensorFlow; elsewhere the optimizers of "
                    f"Keras have an argument of this name. Received: {steps} with the backend "
                    f"{keras.backend.backend()}"
                )


class BertModel(CheckedInputs, DistributedTraining, SavedModelSignature, keras.Model):
    """Base of the models: a `BertConfig`, dictionaries as inputs, published weights.

    The weights exist as soon as the model does, so that counting, loading and saving need no
    example batch.

    Args:
        config: `BertConfig`, or a dictionary of its fields.
        unpadding: bool or None. Compute all but the attention for real tokens only. Padded
            positions of the outputs are then zeros; real ones are the same. It needs shapes that
            may vary, which TensorFlow has outside XLA: None means there, and only there.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith("keras_bert."):
            # A file in Keras' earlier format, `.h5`, holds no more than a class' bare name.
            keras.saving.get_custom_objects().setdefault(cls.__name__, cls)

    def __init__(
        self, config: BertConfig | dict[str, Any], *, unpadding: bool | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if unpadding and keras.backend.backend() != "tensorflow":
            raise InputError(
                "`unpadding` needs shapes that may vary, which only TensorFlow has. "
                f"Received: unpadding={unpadding} with the backend {keras.backend.backend()}"
            )
        self.unpadding = unpadding
        # Keras must not compile it with XLA, where shapes are static.
        self.supports_jit = unpadding is not True
        self.config = BertConfig.from_dict(config) if isinstance(config, dict) else config
        # What a task says of the model's use; JSON that travels with the checkpoint.
        self.task_specific_params: dict[str, Any] = {}

    def input_signature(self) -> dict[str, keras.KerasTensor]:
        """Returns the inputs with unknown batch and length."""
        shape = (None,) * self.input_ranks[0]
        return {
            name: keras.KerasTensor(shape, dtype=dtype, name=name)
            for name, dtype in INPUT_DTYPES.items()
        }

    def build(self, inputs_shape: Any = None) -> None:
        """Makes the variables, whose sizes do not depend on the inputs'; the constructor does it.

        Args:
            inputs_shape: any. What Keras says of the inputs.
        """
        if not self.built:
            self._build_layers()

    def _build_layers(self) -> None:
        """Builds the layers that a class adds to those that are models themselves."""

    def _build_weights(self) -> None:
        """Makes the variables; the last line of a subclass' constructor.

        Not by a symbolic call: it would be part of each functional model that the model is put
        into, which could then not be read back.
        """
        self.build({name: tensor.shape for name, tensor in self.input_signature().items()})
        allow_further_layers(self)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        # By the call itself: Keras would take all outputs for floats of the compute type.
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    def compute_output_shape(self, inputs_shape: Any) -> Any:
        """Returns the outputs' shapes.

        Args:
            inputs_shape: dictionary of the inputs' shapes, or one shape for all of them.
        """
        signature = self.input_signature()
        if not isinstance(inputs_shape, dict):
            inputs_shape = dict.fromkeys(signature, inputs_shape)
        inputs = {
            name: keras.KerasTensor(shape, dtype=input_dtype(name))
            for name, shape in inputs_shape.items()
        }
        outputs = self.compute_output_spec(inputs)
        return keras.tree.map_structure(lambda output: output.shape, outputs)

    def export(
        self,
        filepath: str | os.PathLike,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Writes the model for inference, as `keras.Model.export` does.

        Inputs keep their names and types, and have any batch and length, where `input_signature`
        says nothing else.
        """
        if input_signature is None:
            input_signature = [self.input_signature()]
        super().export(filepath, format, verbose, input_signature, **kwargs)

    @classmethod
    def from_checkpoint(
        cls,
        path: str | os.PathLike | Checkpoint,
        *,
        max_sequence_length: int | None = None,
        new_head: bool = False,
        **kwargs: Any,
    ) -> "BertModel":
        """Builds the model from a checkpoint and loads its weights.

        A head that the checkpoint lacks, as when a pre-trained encoder begins a new task, starts
        from random weights; a missing or misshapen tensor anywhere else is an error. One that it
        has is taken over, with a warning if it was trained for other labels or another task.

        Args:
            path: A directory in Hugging Face's layout (`config.json`, `model.safetensors`) or in
                that of google-research/bert or of the TensorFlow Model Garden
                (`bert_config.json`, `bert_model.ckpt`), or a preset of KerasHub: its folder, name
                or address; or a `Checkpoint` that was read from one.
            max_sequence_length: int or None. Rows of the position table, if not as many as the
                checkpoint has: more repeat the trained ones, for training on longer input.
            new_head: bool. Begin another task: heads start from random weights, and labels and
                settings of the checkpoint's own task are left behind.
            **kwargs: Arguments of the constructor besides `config`, for example `num_classes=2`.

        Raises:
            InputError: If the directory is not a checkpoint of this network, or its head has
                another shape than the model's.

        Example:

        ```python
        classifier = BertClassifier.from_checkpoint("my-bert", labels=["no", "yes"])
        other = BertClassifier.from_checkpoint("two-classes", num_classes=5, new_head=True)
        ```
        """
        from keras_bert.checkpoints.formats import format_of

        checkpoint = path if isinstance(path, Checkpoint) else format_of(path).read(path)
        if max_sequence_length is not None:
            checkpoint = checkpoint.with_positions(max_sequence_length)
        checkpoint.check_encoder()
        if new_head:
            model = cls._to_be_loaded({**kwargs, "config": checkpoint.config})
            if not any(tensor.name.startswith(HEADS) for tensor in model.published_tensors()):
                raise InputError(f"`new_head` has no use for {cls.__name__}, which has no head")
            checkpoint.without_heads().assign(model, optional=[(*HEADS, POOLER)])
            return model
        arguments = cls._arguments_of(checkpoint, kwargs)
        model = cls._to_be_loaded({**arguments, "config": checkpoint.config})
        checkpoint.assign(model, optional=cls.new_heads)
        warn_of_taken_head(checkpoint, model)
        return model

    @classmethod
    def _to_be_loaded(cls, arguments: dict[str, Any]) -> "BertModel":
        """Builds a model without drawing the weights that a checkpoint is about to replace."""
        with weights_will_be_loaded():
            model = cls(**arguments)
        # A subclass may hold an encoder of its own that no checkpoint knows.
        loaded = {tensor.variable.path for tensor in model.published_tensors()}
        if any(weight.path not in loaded for weight in model.weights):
            model = cls(**arguments)
        return model

    # The class of transformers that opens what `save_checkpoint` writes.
    architecture: str
    # Prefixes of published tensor names that may be missing in a checkpoint, from the top down, of
    # each tower of heads that stands on the encoder.
    new_heads: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def _settings_of(cls, checkpoint: Checkpoint) -> dict[str, Any]:
        """Constructor arguments that a checkpoint holds."""
        return {}

    @classmethod
    def _arguments_of(cls, checkpoint: Checkpoint, given: dict[str, Any]) -> dict[str, Any]:
        """Constructor arguments that a checkpoint holds where they are not given."""
        return {**cls._settings_of(checkpoint), **given}

    def checkpoint_settings(self) -> dict[str, Any]:
        """Returns what `config.json` says besides the shape of the network."""
        settings: dict[str, Any] = {"architectures": [self.architecture]}
        if self.task_specific_params:
            settings["task_specific_params"] = self.task_specific_params
        return settings

    def save_checkpoint(self, directory: str | os.PathLike, *, tokenizer: Any = None) -> None:
        """Writes a model directory in Hugging Face's layout.

        Args:
            directory: Made when it is missing; earlier files are replaced one by one.
            tokenizer: `BertTokenizer` or None. Written beside the weights.

        Example:

        ```python
        classifier.save_checkpoint("my-model", tokenizer=tokenizer)
        ```
        """
        from keras_bert.checkpoints import huggingface

        if tokenizer is not None:
            tokenizer.save_assets(directory)
        huggingface.write(Checkpoint.of(self), directory)

    def resize_token_embeddings(
        self,
        num_tokens: int,
        *,
        pieces: Mapping[int, Sequence[int]] | None = None,
        pad_to: int = 1,
        initialize: str = "mean",
        seed: int = 12345,
    ) -> "BertModel":
        """Returns a model with a row of the token table for each of `num_tokens` tokens.

        This model stays as it is. The new one has its weights, not its optimizer.

        Args:
            num_tokens: int. Tokens of the new vocabulary, whose first ids are the old ones.
            pieces: dict or None. Ids of the pieces that stood for a new token until now, by the
                new token's id.
            pad_to: int. The number of rows is the next multiple of it: 8 suits GPUs in half
                precision. Rows beyond the tokens are never predicted.
            initialize: str. `"mean"` of the rows of a token's pieces, or of all rows where no
                pieces are given; or `"random"`.
            seed: int. Of random rows.

        Raises:
            InputError: If an argument breaks a rule; the message names it.

        Example:

        ```python
        larger = tokenizer.add_tokens(["covid-19"])
        new_id = larger.vocabulary.ids["covid-19"]
        pieces = {new_id: tokenizer("covid-19").numpy().tolist()}
        model = model.resize_token_embeddings(len(larger.vocabulary), pieces=pieces, pad_to=8)
        ```
        """
        checkpoint = resized(
            Checkpoint.of(self),
            num_tokens,
            pieces=pieces,
            pad_to=pad_to,
            initialize=initialize,
            seed=seed,
        )
        settings = {**self.get_config(), "config": checkpoint.config.to_dict()}
        flags = settings.pop("training_flags")
        model = type(self).from_config(settings)
        model.task_specific_params = dict(self.task_specific_params)
        checkpoint.assign(model)
        # Afterwards: the checkpoint holds sums, to which LoRA's additions come anew.
        restore_training_flags(model, flags)
        return model

    def published_tensors(self) -> list:
        """Returns the weights under their published names, see `checkpoints.published`."""
        raise NotImplementedError

    def get_config(self):
        # The base class would return the constructor's arguments again.
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "config": self.config.to_dict(),
            "unpadding": self.unpadding,
            "training_flags": training_flags(self),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        del custom_objects
        config = dict(config)
        flags = config.pop("training_flags", None)
        model = cls(**config)
        if not all(layer.built for layer in model.layers):
            # Those of a subclass: what was saved of them needs a place.
            model.compute_output_spec(model.input_signature())
        if flags is not None:
            restore_training_flags(model, flags)
        return model


def allow_further_layers(model: keras.Model) -> None:
    """Lets the constructor of a subclass add layers to a model that is built already."""
    keras_internals.unlock(model)
