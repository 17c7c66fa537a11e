"""What the signatures of all tasks share."""

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf

from exports.limits import Limits
from keras_bert.config import BertConfig
from keras_bert.inference import InferenceFunction
from keras_bert.models.base import INPUT_DTYPES
from keras_bert.tasks.predictor import Predictor
from keras_bert.text.checks import assertion, check_sizes
from keras_bert.text.packing import LENGTH_STEP

STRINGS = tf.TensorSpec([None], tf.string)
# Tokens, padding included, that the encoder computes at a time: memory has a bound, and rows of
# like lengths meet.
TOKENS_AT_A_TIME = 4096
# Ids of this little range every vocabulary has.
_FEW_IDS = {
    "token_ids": [[2, 1, 3], [2, 3, 0]],
    "segment_ids": [[0, 0, 1], [0, 0, 0]],
    "padding_mask": [[True, True, True], [True, True, False]],
}


@dataclasses.dataclass(frozen=True)
class Signature:
    """A function that a server calls by its name.

    Args:
        name: str.
        function: Of the inputs by keyword; returns a dictionary of tensors.
        inputs: `tf.TensorSpec` of each input.
        outputs: What each output means.
        example: Values for each input, for documentation and to warm a server up.
    """

    name: str
    function: Callable[..., dict[str, tf.Tensor]]
    inputs: Mapping[str, tf.TensorSpec]
    outputs: Mapping[str, str]
    example: Mapping[str, list]


class TaskSignatures(abc.ABC):
    """The signatures of a fine-tuned model, with its text processing before and behind it.

    The weights are cast once to `precision` and shared by all signatures. See `InferenceFunction`
    for which of them are constants of the graph.

    Args:
        predictor: `Predictor` of the family.
        precision: str or None. See `InferenceFunction`.
        limits: `Limits`.

    Attributes:
        family: type. The `Predictor` that they belong to.
    """

    family: ClassVar[type[Predictor]]

    def __init__(
        self, predictor: Predictor, *, precision: str | None = None, limits: Limits | None = None
    ):
        self.predictor = predictor
        self.limits = limits or Limits()
        self.precision = precision or predictor.model.dtype_policy.name
        self._inference = InferenceFunction(predictor.model, precision=precision)
        self._functions: dict[tuple, Any] = {}

    @property
    def variables(self) -> list[tf.Variable]:
        """The weights outside of the graph, to be saved beside the functions."""
        return self._inference.variables

    @abc.abstractmethod
    def signatures(self) -> list[Signature]:
        """Returns the signatures, that of raw strings first."""

    def concrete_functions(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Returns what `tf.saved_model.save` takes as `signatures`."""
        functions = {}
        for signature in self.signatures():
            named = {
                key: tf.TensorSpec(spec.shape, spec.dtype, name=key)
                for key, spec in signature.inputs.items()
            }
            function = tf.function(signature.function).get_concrete_function(**named)
            functions[signature.name] = function
        return functions

    def description(self, functions: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what is stored beside an export: plain data.

        Args:
            functions: Those of `concrete_functions`.
        """
        predictor = self.predictor
        described = {}
        for signature in self.signatures():
            outputs = functions[signature.name].structured_outputs
            described[signature.name] = {
                "inputs": {key: _shape(spec) for key, spec in signature.inputs.items()},
                "outputs": {
                    key: {**_shape(outputs[key]), "meaning": meaning}
                    for key, meaning in signature.outputs.items()
                },
                "example": dict(signature.example),
            }
        return {
            "task": predictor.name,
            "labels": list(getattr(predictor.model, "labels", None) or ()),
            "sequence_length": predictor.sequence_length,
            "precision": self.precision,
            "limits": dataclasses.asdict(self.limits),
            "options": dict(predictor.options),
            "signatures": described,
        }

    def features_signature(
        self,
        function: Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]],
        outputs: Mapping[str, str],
    ) -> Signature:
        """Returns the signature `serving_features`, which takes ids in the place of strings.

        Args:
            function: From the model's dictionary to the reply.
            outputs: What each output means.
        """
        axes = len(self.predictor.model.input_signature()["token_ids"].shape)
        example: dict[str, Any] = dict(_FEW_IDS)
        for _ in range(axes - 2):
            # One row with the texts as its choices.
            example = {name: [values] for name, values in example.items()}

        def answer(**features):
            return function(_checked_features(features, self.predictor.model.config))

        return Signature(
            "serving_features",
            answer,
            {name: tf.TensorSpec([None] * axes, dtype) for name, dtype in INPUT_DTYPES.items()},
            outputs,
            example,
        )

    def bounded(self, text: tf.Tensor) -> tf.Tensor:
        """Returns the beginning of each text, as long as `Limits` allow."""
        return tf.strings.substr(text, 0, self.limits.text_bytes)

    def infer(self, features: dict[str, tf.Tensor]) -> Any:
        """Returns the model's outputs, computed a few rows at a time, the shortest first.

        Args:
            features: the model's dictionary; `(rows, ..., length)`.

        Returns:
            What `Predictor.summarize` leaves of the model's outputs, floats in float32. Outputs of
            tokens, `(rows, length, ...)`, are zeros where a row is over.
        """
        function = self._model_function(features)
        has_token_outputs = self.predictor.has_token_outputs
        mask = features["padding_mask"]
        rows, length = tf.shape(mask)[0], tf.shape(mask)[-1]
        # Columns that a row needs, as places of real tokens may have gaps.
        places = tf.where(mask, tf.range(length) + 1, 0)
        lengths = tf.reduce_max(places, axis=list(range(1, mask.shape.rank)))
        order = tf.argsort(lengths, stable=True)
        # One column at least: no columns are nothing to compute with.
        steps = tf.maximum(-(-tf.gather(lengths, order) // LENGTH_STEP), 1)
        columns = tf.minimum(steps * LENGTH_STEP, length)
        # (rows, ..., length): an input may be several rows of the encoder
        tokens = tf.cast(columns * tf.reduce_prod(tf.shape(mask)[1:-1]), tf.int64)

        def part(start):
            # Tokens of the rows up to each one, all of them as long as it is.
            needed = tokens[start:] * tf.cast(tf.range(1, rows - start + 1), tf.int64)
            count = tf.reduce_sum(tf.cast(needed <= TOKENS_AT_A_TIME, tf.int32))
            end = start + tf.maximum(count, 1)
            longest = tf.reduce_max(tf.concat([columns[start:end], [1]], 0))
            chosen = order[start:end]
            inputs = {name: tf.gather(tensor, chosen) for name, tensor in features.items()}
            for name in INPUT_DTYPES:
                inputs[name] = inputs[name][..., :longest]
            outputs = keras.tree.flatten(function(**inputs))
            return end, [_widened(x, length) for x in outputs] if has_token_outputs else outputs

        arrays = [
            tf.TensorArray(
                output.dtype,
                size=1,
                dynamic_size=True,
                element_shape=[None, *output.shape[1:]],
                infer_shape=False,
            )
            for output in keras.tree.flatten(function.structured_outputs)
        ]

        def add(number, start, *arrays):
            end, outputs = part(start)
            written = zip(arrays, outputs, strict=True)
            return (number + 1, end, *(array.write(number, output) for array, output in written))

        # Once at least, so that there are outputs, if of no rows.
        _, _, *arrays = tf.while_loop(
            lambda number, start, *_: (number == 0) | (start < rows),
            add,
            (tf.constant(0), tf.constant(0), *arrays),
            parallel_iterations=1,
        )
        back = tf.math.invert_permutation(order)
        outputs = [tf.gather(array.concat(), back) for array in arrays]
        return keras.tree.pack_sequence_as(function.structured_outputs, outputs)

    def _model_function(self, features: dict[str, tf.Tensor]) -> Any:
        """The model as a function of such features: one for all signatures."""
        key = tuple((name, tensor.shape.rank) for name, tensor in sorted(features.items()))
        if key not in self._functions:
            inner = self._inference.concrete_function(features)

            def infer(**inputs):
                outputs = self.predictor.summarize(inner(**inputs))
                # A reply is float32, whatever the model computes in.
                return keras.tree.map_structure(
                    lambda x: tf.cast(x, tf.float32) if x.dtype.is_floating else x, outputs
                )

            specs = {
                name: tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype, name=name)
                for name, tensor in sorted(features.items())
            }
            self._functions[key] = tf.function(infer).get_concrete_function(**specs)
        return self._functions[key]


def same_size(**texts: tf.Tensor) -> list[tf.Tensor]:
    """Returns inputs, once it is checked that they have as many strings as each other.

    Raises:
        tf.errors.InvalidArgumentError: If they have not; TensorFlow Serving answers with it.
    """
    return check_sizes(
        f"{' and '.join(texts)} must have the same number of strings", list(texts.values())
    )


def _checked_features(
    features: Mapping[str, tf.Tensor], config: BertConfig
) -> dict[str, tf.Tensor]:
    """Returns features, once it is checked that they are what the model can compute with.

    Kernels differ in what they make of an id outside of its table: some fail, some (on GPUs) take
    a vector of zeros and answer a plausible number.

    Raises:
        tf.errors.InvalidArgumentError: If they are not.
    """
    token_ids = features["token_ids"]
    checked = {"token_ids": token_ids}
    for name, tensor in features.items():
        if name != "token_ids":
            rule = f"{name} must have the shape of token_ids"
            checked[name], _ = check_sizes(rule, [tensor, token_ids], token_ids.shape.rank)
    columns = tf.shape(token_ids)[-1]
    most = config.max_sequence_length
    checks = [
        assertion(
            columns <= most,
            f"token_ids must have at most {most} columns, padding included",
            [tf.strings.as_string(columns)],
        ),
        _in_range("token_ids", token_ids, config.vocabulary_size),
        _in_range("segment_ids", features["segment_ids"], config.num_segments),
    ]
    with tf.control_dependencies(checks):
        return {name: tf.identity(tensor) for name, tensor in checked.items()}


def _in_range(name: str, ids: tf.Tensor, size: int) -> tf.Operation:
    wrong = (ids < 0) | (ids >= size)
    # The first few of them.
    few = tf.strings.as_string(tf.boolean_mask(ids, wrong)[:3])
    received = tf.strings.reduce_join(few, separator=", ")
    return assertion(~tf.reduce_any(wrong), f"{name} must be from 0 to {size - 1}", [received])


def _widened(output: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Zeros behind the columns that were computed: `(rows, columns, ...)` to `length`."""
    after = tf.maximum(length - tf.shape(output)[1], 0)
    paddings = [[0, 0], [0, after], *([[0, 0]] * (output.shape.rank - 2))]
    return tf.pad(output, paddings)


def _shape(tensor: Any) -> dict[str, Any]:
    return {"dtype": tensor.dtype.name, "shape": tensor.shape.as_list()}
