"""`python -m exports onnx` and `litert`: model directory to a file that takes ids."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exports.options import LiteRTOptions, OnnxOptions
from exports.portable.litert_model import litert_model
from exports.portable.models import answer, load
from exports.portable.verification import Arrays, check_file, probes
from keras_bert.atomic import new_directory, write_json
from keras_bert.checkpoints.huggingface import CONFIG
from keras_bert.errors import InputError
from keras_bert.models.base import INPUT_DTYPES, BertModel
from keras_bert.outputs import check_new_directory
from keras_bert.tasks.families import load_tokenizer


def onnx(options: OnnxOptions) -> Path:
    """Writes a directory with `model.onnx`, the vocabulary and `config.json`; prints it.

    Raises:
        InputError: If the model cannot be read or has no such form, packages are missing, or the
            output is there already.
    """
    _check(options, ("onnx", "onnxruntime"), "onnx")
    from exports.portable.onnx_model import onnx_model

    model = load(options.model, encoder_only=options.encoder_only)
    content = onnx_model(model).SerializeToString()
    return _write(options, model, "model.onnx", content, probes(model))


def litert(options: LiteRTOptions) -> Path:
    """Writes a directory with `model.tflite`, the vocabulary and `config.json`; prints it.

    Raises:
        InputError: As `onnx` does, and if the length is not one of the model's.
    """
    _check(options, ("ai_edge_litert",), "litert")
    model = load(options.model, encoder_only=options.encoder_only)
    shapes = {name: tensor.shape for name, tensor in model.input_signature().items()}
    if options.length is not None:
        _check_length(options.length, model)
        shapes = dict.fromkeys(shapes, (1, options.length))
    content = litert_model(
        lambda **features: answer(model, features), shapes, model.variables, weights=options.weights
    )
    calls = probes(model, options.length)
    return _write(options, model, "model.tflite", content, calls, options.weights)


def _check(options: Any, packages: Sequence[str], extra: str) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"`{extra}` needs the package {', '.join(missing)} (the extra `{extra}`): "
            f"pip install 'keras-bert-tf[{extra}]'"
        )
    check_new_directory(options.output, "--output")


def _check_length(length: int, model: BertModel) -> None:
    longest = model.config.max_sequence_length
    if length > longest:
        raise InputError(f"`--length` must be from 1 to {longest}. Received: {length}")
    signature = model.input_signature()
    if signature.keys() != INPUT_DTYPES.keys() or len(signature["token_ids"].shape) != 2:
        raise InputError(
            "`--length` is for inputs of batch and length; those of "
            f"{type(model).__name__} have other sizes that vary. Received: {length}"
        )


def _write(
    options: Any,
    model: BertModel,
    name: str,
    content: bytes,
    calls: list[Arrays],
    weights: str = "float32",
) -> Path:
    tokenizer = load_tokenizer(options.model)
    output = Path(options.output)
    with new_directory(output) as temporary:
        (temporary / name).write_bytes(content)
        tokenizer.save_assets(temporary)
        settings = {**model.config.to_hugging_face(), **model.checkpoint_settings()}
        write_json(temporary / CONFIG, settings)
        gaps = check_file(temporary / name, model, calls, exact=weights == "float32")
    rows = sum(len(call["token_ids"]) for call in calls)
    print(f"{name}, {len(content) / 1e6:.1f} MB, runs in a process of its own")
    print(f"{weights} against the model in memory, over {rows} probes: {'; '.join(gaps)}")
    print(output)
    return output
