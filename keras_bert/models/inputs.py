"""What models take: names, types and shapes of inputs, checked before anything is computed."""

from collections.abc import Collection, Mapping
from typing import Any

import keras
import numpy as np

from keras_bert.errors import InputError

DTYPES = {"token_ids": "int32", "segment_ids": "int32", "padding_mask": "bool"}

# Axes of a tensor beyond those of `token_ids`.
_FURTHER_AXES = {
    "token_ids": 0,
    "segment_ids": 0,
    "padding_mask": 0,
    "position_ids": 0,
    "attention_mask": 1,
    "token_embeddings": 1,
    "masked_positions": 0,
}
_IDS = ("token_ids", "segment_ids", "position_ids", "masked_positions")
# What stands beside the inputs in a batch of prepared data or of packed examples.
_PASSED_OVER = ("masked_ids", "masked_weights", "next_sentence_label", "example_starts")
# Names of transformers, and of KerasHub and the TensorFlow Model Garden.
_ELSEWHERE = {
    "input_ids": "token_ids",
    "input_word_ids": "token_ids",
    "token_type_ids": "segment_ids",
    "input_type_ids": "segment_ids",
    "input_mask": "padding_mask",
    "inputs_embeds": "token_embeddings",
    "input_embeds": "token_embeddings",
    "mask_positions": "masked_positions",
    "masked_lm_positions": "masked_positions",
}
_SHOWN = 60


class CheckedInputs:
    """Base of models that tell of wrong inputs before Keras and its backends do.

    `segment_ids` that are left out are zeros.
    """

    # Possible numbers of axes of `token_ids`.
    input_ranks: tuple[int, ...] = (2,)
    # The mask of attention can stand for that of padding, unless a model needs to know the real
    # tokens of each row.
    needs_padding_mask = False

    def __call__(self, inputs, *args, **kwargs):
        return super().__call__(self._checked(inputs), *args, **kwargs)

    # Before Keras looks for the number of rows in what may be texts.
    def fit(self, x=None, *args, **kwargs):
        return super().fit(self._checked_data(x), *args, **kwargs)

    def evaluate(self, x=None, *args, **kwargs):
        return super().evaluate(self._checked_data(x), *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        return super().predict(self._checked_data(x), *args, **kwargs)

    def _checked(self, inputs: Any) -> dict[str, Any]:
        optional = {"segment_ids"}
        has_mask = isinstance(inputs, Mapping) and inputs.get("attention_mask") is not None
        if has_mask and not self.needs_padding_mask:
            optional.add("padding_mask")
        required = [name for name in self.input_signature() if name not in optional]
        return checked_inputs(inputs, required=required, ranks=self.input_ranks)

    def _checked_data(self, x: Any) -> Any:
        """Data sets and the like are checked batch by batch."""
        is_input = isinstance(x, (Mapping, list, tuple, str, np.ndarray))
        return self._checked(x) if is_input else x


def checked_inputs(
    inputs: Any, *, required: Collection[str], ranks: Collection[int] = (2,)
) -> dict[str, Any]:
    """Returns the inputs of a model, lists as arrays, None left out.

    Args:
        inputs: what a model was called with.
        required: names that must be there. `token_embeddings` stand for `token_ids`.
        ranks: possible numbers of axes of `token_ids`.

    Raises:
        InputError: If a name is missing or unknown, or a tensor has another type or shape.
    """
    if not isinstance(inputs, Mapping):
        raise InputError(
            f"`inputs` must be a dictionary of {', '.join(required)}; `BertPreprocessor` makes it "
            f"of texts. Received: {_described(inputs)}"
        )
    inputs = {name: value for name, value in inputs.items() if value is not None}
    _check_names(inputs, required)
    inputs = {
        name: _tensor(name, value) if name in _FURTHER_AXES else value
        for name, value in inputs.items()
    }
    _check_shapes(inputs, ranks)
    return inputs


def input_dtype(name: str) -> str:
    """Returns the type that an input has unless a caller says otherwise."""
    if name in _IDS:
        return "int32"
    return "bool" if name.endswith("mask") else keras.config.floatx()


def _check_names(inputs: dict[str, Any], required: Collection[str]) -> None:
    received = f"Received: {', '.join(map(str, inputs)) or 'an empty dictionary'}"
    unknown = [name for name in inputs if name not in (*_FURTHER_AXES, *_PASSED_OVER)]
    missing = [
        name
        for name in required
        if name not in inputs and not (name == "token_ids" and "token_embeddings" in inputs)
    ]
    if unknown:
        hints = [f"{n} is {_ELSEWHERE[n]} here" for n in unknown if n in _ELSEWHERE]
        if hints and "attention_mask" in inputs and "padding_mask" not in inputs:
            hints.append("an attention_mask of two axes is padding_mask here")
        way_on = f" ({'; '.join(hints)})" if hints else ""
        without = f" without {', '.join(missing)}" if missing else ""
        raise InputError(
            f"`inputs` must not have the names {', '.join(map(str, unknown))}{way_on}; known are "
            f"{', '.join(_FURTHER_AXES)}. {received}{without}"
        )
    if missing:
        way_on = ""
        if "padding_mask" in missing:
            way_on = ": true on real tokens, as `token_ids != 0` where [PAD] is 0"
            if "attention_mask" not in inputs:
                way_on += ", or all true without padding"
        raise InputError(f"`inputs` must have {', '.join(missing)}{way_on}. {received}")


def _tensor(name: str, value: Any) -> Any:
    """The value with a shape and a type that fit its name."""
    if not hasattr(value, "dtype") or not hasattr(value, "shape"):
        try:
            value = np.asarray(value)
        except ValueError:
            value = np.empty(0, object)
        if value.dtype.kind == "O":
            raise InputError(
                f"`{name}` must be a tensor with rows of one length, padded. "
                "Received: rows of unequal lengths or no numbers"
            )
    if any(getattr(value, kind, False) is True for kind in ("ragged", "sparse")) or any(
        hasattr(value, part) for part in ("row_lengths", "dense_shape")
    ):
        raise InputError(
            f"`{name}` must be a dense tensor, padded, as `to_tensor()` makes it. "
            f"Received: {type(value).__name__}"
        )
    dtype = _dtype_of(value)
    wanted = "integers" if name in _IDS else "floats" if name == "token_embeddings" else "numbers"
    kinds = {"integers": ("int", "uint"), "floats": ("float", "bfloat")}.get(
        wanted, ("bool", "int", "uint", "float", "bfloat")
    )
    if not dtype.startswith(kinds):
        hint = ""
        if dtype.startswith("float") and isinstance(value, keras.KerasTensor):
            hint = ', as `keras.Input(shape=(None,), dtype="int32")` has them'
        elif not dtype.startswith(("float", "bfloat", "int", "uint", "bool")):
            hint = "; `BertPreprocessor` makes them of texts"
        raise InputError(f"`{name}` must be {wanted}{hint}. Received: dtype={dtype}")
    return value


def _dtype_of(value: Any) -> str:
    dtype = getattr(value.dtype, "name", None) or str(value.dtype)
    return "str" if dtype.startswith("str") else dtype


def _check_shapes(inputs: dict[str, Any], ranks: Collection[int]) -> None:
    first = "token_ids" if "token_ids" in inputs else "token_embeddings"
    shapes = {
        name: tuple(tensor.shape)
        for name, tensor in inputs.items()
        # TensorFlow has shapes of unknown rank.
        if name in _FURTHER_AXES and getattr(tensor.shape, "rank", 0) is not None
    }
    if first not in shapes:
        return
    rank = len(shapes[first]) - _FURTHER_AXES[first]
    if rank not in ranks:
        axes = {1: "(batch, length)", 2: "(batch, length)", 3: "(batch, texts, length)"}
        forms = " or ".join(axes[known] for known in ranks)
        hint = ""
        if rank == 3:
            hint = "; pairs of texts are given to `BertPreprocessor` as a tuple (first, second)"
        elif rank == 1 and 2 in ranks:
            hint = "; a single example is a batch of one"
        raise InputError(f"`{first}` must have the shape {forms}{hint}. {_received(shapes)}")
    axes = shapes[first][:rank]
    for name, shape in shapes.items():
        if len(shape) != rank + _FURTHER_AXES[name]:
            raise InputError(
                f"`{name}` must have {rank + _FURTHER_AXES[name]} axes beside a `{first}` of "
                f"{len(shapes[first])}. {_received(shapes)}"
            )
        if name == "masked_positions":
            fits = _fit(shape[:-1], axes[:-1])
        elif name == "attention_mask":
            # One mask for all queries, or one for each.
            fits = _fit(shape[: rank - 1] + shape[-1:], axes)
            fits &= _fit(shape[-2:-1], axes[-1:]) or shape[-2] == 1
        else:
            fits = _fit(shape[:rank], axes)
        if not fits:
            raise InputError(
                f"`{name}` must have the batch and the length of `{first}`. {_received(shapes)}"
            )


def _fit(shape: tuple, other: tuple) -> bool:
    return all(
        not isinstance(size, int) or not isinstance(known, int) or size == known
        for size, known in zip(shape, other, strict=True)
    )


def _received(shapes: dict[str, tuple]) -> str:
    return "Received: " + ", ".join(f"{name} of shape {shape}" for name, shape in shapes.items())


def _described(value: Any) -> str:
    """A value in some words, whatever its size."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"a tensor of shape {tuple(value.shape)} and dtype {_dtype_of(value)}"
    if isinstance(value, (list, tuple)):
        kinds = ", ".join(sorted({type(item).__name__ for item in value}))
        return f"a {type(value).__name__} of {len(value)} ({kinds})"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
